/* lines.c: RFC 2045 6.7 and 6.8 read backwards; RFC 3464 2.1 and RFC 5965 3.1 (c), whose
 * fields look like those of a header. */
#include "wire/report/lines.h"

#include "base/ascii.h"

enum { WORD_BYTES_MAX = 1024 }; /* real ones have 75 (RFC 2047 2) */

void report_append_lines(struct buffer *out, struct slice text)
{
    struct cursor c = cursor_over(text);
    while (!cursor_at_end(&c)) {
        struct cursor start = c;
        while (!cursor_at_end(&c) && *c.at != '\r' && *c.at != '\n')
            c.at++;
        buffer_append(out, cursor_since(&c, &start));
        if (cursor_at_end(&c))
            return;
        if (cursor_take(&c) == '\r')
            cursor_take_byte(&c, '\n');
        buffer_append(out, SLICE("\r\n"));
    }
}

/* Blanks at the end of a line are no part of it (RFC 2045 6.7, rule 3). */
static void append_unquoted_line(struct buffer *out, struct slice line)
{
    struct cursor c = cursor_over(line);
    while (!cursor_at_end(&c)) {
        struct cursor start = c;
        int high, low;
        if (cursor_take(&c) == '=' && (high = cursor_take(&c)) >= 0 &&
            (low = cursor_take(&c)) >= 0 && (high = ascii_hex_value((char)high)) >= 0 &&
            (low = ascii_hex_value((char)low)) >= 0) {
            buffer_append_byte(out, (char)(high << 4 | low));
            continue;
        }
        c = start;
        buffer_append_byte(out, (char)cursor_take(&c));
    }
}

void report_append_unquoted(struct buffer *out, struct slice text)
{
    struct cursor c = cursor_over(text);
    struct slice line;
    while (report_line_next(&c, &line)) {
        while (line.len > 0 && ascii_is_blank(line.data[line.len - 1]))
            line.len--;
        bool is_soft = line.len > 0 && line.data[line.len - 1] == '=';
        append_unquoted_line(out, slice_part(line, 0, line.len - is_soft));
        if (!is_soft && !(cursor_at_end(&c) && c.at[-1] != '\n'))
            buffer_append(out, SLICE("\r\n"));
    }
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (ascii_is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

void report_append_unbased(struct buffer *out, struct slice text)
{
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < text.len && text.data[i] != '='; i++) {
        int value = base64_value(text.data[i]);
        if (value < 0)
            continue;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            buffer_append_byte(out, (char)(bits >> held & 0xffu));
        }
    }
}

/* "_" is a space in Q (RFC 2047 4.2). */
static void append_q(struct buffer *out, struct slice text)
{
    struct slice piece;
    while (slice_split(&text, '_', &piece)) {
        append_unquoted_line(out, piece);
        if (text.data == piece.data + piece.len + 1)
            buffer_append_byte(out, ' ');
    }
}

/* encoded-word = "=?" charset "?" encoding "?" encoded-text "?=" */
static bool take_word(struct cursor *c, struct buffer *out)
{
    struct cursor ahead = *c;
    struct slice parts[3];
    if (!cursor_take_literal(&ahead, SLICE("=?")))
        return false;
    for (int i = 0; i < 3; i++) {
        struct slice rest = slice_part(cursor_rest(&ahead), 0, WORD_BYTES_MAX);
        size_t mark = slice_find(rest, '?');
        if (mark == SLICE_NOT_FOUND)
            return false;
        parts[i] = slice_part(rest, 0, mark);
        ahead.at += mark + 1;
    }
    bool is_quoted = slice_equal_nocase(parts[1], SLICE("q"));
    if (!cursor_take_byte(&ahead, '=') ||
        (!is_quoted && !slice_equal_nocase(parts[1], SLICE("b"))))
        return false;
    if (is_quoted)
        append_q(out, parts[2]);
    else
        report_append_unbased(out, parts[2]);
    *c = ahead;
    return true;
}

void report_append_words(struct buffer *out, struct slice value)
{
    struct cursor c = cursor_over(value);
    while (!cursor_at_end(&c))
        if (!take_word(&c, out))
            buffer_append_byte(out, (char)cursor_take(&c));
}

bool report_line_next(struct cursor *c, struct slice *out_line)
{
    if (cursor_at_end(c))
        return false;
    struct slice rest = cursor_rest(c);
    size_t newline = slice_find(rest, '\n');
    struct slice line = slice_part(rest, 0, newline);
    c->at += newline == SLICE_NOT_FOUND ? rest.len : newline + 1;
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    *out_line = line;
    return true;
}

static bool is_name_character(char c)
{
    return ascii_is_alnum(c) || c == '-' || c == '_';
}

/* field-name *WSP ":" */
static bool take_name(struct cursor *c, struct slice *out_name)
{
    struct slice name = cursor_take_while(c, is_name_character);
    cursor_skip_blanks(c);
    if (name.len == 0 || !cursor_take_byte(c, ':'))
        return false;
    *out_name = name;
    return true;
}

/* The folds of a value, which begin with a blank and hold more than that. */
static void take_folds(struct cursor *c)
{
    while (cursor_sees(c, ' ') || cursor_sees(c, '\t')) {
        struct cursor ahead = *c;
        struct slice line;
        if (!report_line_next(&ahead, &line) || slice_trim(line).len == 0)
            return;
        *c = ahead;
    }
}

static bool is_blank_or_end(char c)
{
    return ascii_is_blank(c) || c == '\r' || c == '\n';
}

static struct slice trim_lines(struct slice s)
{
    while (s.len > 0 && is_blank_or_end(s.data[0]))
        s = slice_from(s, 1);
    while (s.len > 0 && is_blank_or_end(s.data[s.len - 1]))
        s.len--;
    return s;
}

/* Into `memory`: line ends and what follows them become one space. */
static struct slice flatten(char *memory, struct slice text)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '\r' || c == '\n' || c == '\t')
            c = ' ';
        if (c == ' ' && len > 0 && memory[len - 1] == ' ')
            continue;
        memory[len++] = ascii_is_control(c) ? '?' : c;
    }
    return slice_trim(slice_make(memory, len));
}

enum report_field_result report_field_next(struct cursor *c, struct arena *arena,
                                           struct report_field *out_field)
{
    for (struct slice line; !cursor_at_end(c);) {
        struct cursor start = *c;
        struct slice name;
        if (!report_line_next(c, &line))
            break;
        if (slice_trim(line).len == 0)
            return REPORT_FIELD_GAP;
        struct cursor in_line = cursor_over(line);
        if (!take_name(&in_line, &name))
            continue;
        take_folds(c);
        start.at = in_line.at;
        struct slice raw = trim_lines(cursor_since(c, &start));
        char *memory = arena_alloc(arena, raw.len);
        if (memory == NULL)
            continue;
        *out_field = (struct report_field){ .name = name, .raw = raw,
                                            .value = flatten(memory, raw) };
        return REPORT_FIELD;
    }
    return REPORT_FIELD_END;
}
