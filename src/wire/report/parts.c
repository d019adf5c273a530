/* parts.c: boundaries seen line by line, with a stack of those that are open. */
#include "wire/report/parts.h"

#include "base/ascii.h"
#include "base/buffer.h"
#include "wire/message/header.h"
#include "wire/report/lines.h"

struct content {
    struct slice type;     /* "text/plain"; empty when it is not said */
    struct slice boundary; /* empty unless it is a multipart */
    struct slice encoding;
};

struct walk {
    struct arena *arena;
    struct report_parts *parts;
    struct slice boundaries[REPORT_DEPTH_MAX];
    size_t depth;
    bool in_part;
    struct slice part_header;
    struct content part;
    const char *part_start;
};

static const struct {
    struct slice type;
    enum report_part_kind kind;
} kinds[] = {
    { SLICE_INIT("text/html"), REPORT_PART_HTML },
    { SLICE_INIT("text/rfc822-headers"), REPORT_PART_HEADERS },
    { SLICE_INIT("text/rfc822-header"), REPORT_PART_HEADERS },
    { SLICE_INIT("message/global-headers"), REPORT_PART_HEADERS },
    { SLICE_INIT("message/delivery-status"), REPORT_PART_STATUS },
    { SLICE_INIT("message/global-delivery-status"), REPORT_PART_STATUS },
    { SLICE_INIT("message/feedback-report"), REPORT_PART_FEEDBACK },
    { SLICE_INIT("message/rfc822"), REPORT_PART_MESSAGE },
    { SLICE_INIT("message/global"), REPORT_PART_MESSAGE },
};

static enum report_part_kind kind_of(struct slice type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (slice_equal_nocase(type, kinds[i].type))
            return kinds[i].kind;
    if (type.len == 0 || slice_starts_with_nocase(type, SLICE("text/")) ||
        slice_starts_with_nocase(type, SLICE("multipart/")))
        return REPORT_PART_TEXT;
    return REPORT_PART_OTHER;
}

struct slice report_header_value(struct slice header, struct slice name,
                                 struct arena *arena)
{
    struct header_field field;
    struct buffer line;
    struct slice value = { .len = 0 };
    if (!header_find(slice_part(header, 0, HEADER_BYTES_MAX), name, &field))
        return value;
    buffer_init(&line, HEADER_BYTES_MAX);
    header_append_unfolded(&line, field.value);
    if (!arena_copy(arena, buffer_slice(&line), &value))
        value = (struct slice){ .len = 0 };
    buffer_free(&line);
    return value;
}

static bool is_separator(char c)
{
    return c == ';' || ascii_is_blank(c);
}

static bool is_value_character(char c)
{
    return !is_separator(c);
}

static bool is_attribute_character(char c)
{
    return !is_separator(c) && c != '=';
}

/* value := token / quoted-string; the quotes are taken off, backslashes left alone: no
 * boundary holds one (RFC 2046 5.1.1). */
static struct slice take_value(struct cursor *c)
{
    if (!cursor_take_byte(c, '"'))
        return cursor_take_while(c, is_value_character);
    struct slice value = slice_part(cursor_rest(c), 0, slice_find(cursor_rest(c), '"'));
    c->at += value.len;
    cursor_take_byte(c, '"');
    return value;
}

/* parameter := attribute "=" value */
static struct slice find_parameter(struct slice parameters, struct slice name)
{
    struct cursor c = cursor_over(parameters);
    cursor_take_while(&c, is_separator);
    while (!cursor_at_end(&c)) {
        struct slice attribute = cursor_take_while(&c, is_attribute_character);
        cursor_skip_blanks(&c);
        if (cursor_take_byte(&c, '=')) {
            cursor_skip_blanks(&c);
            struct slice value = take_value(&c);
            if (slice_equal_nocase(attribute, name))
                return value;
        }
        cursor_take_while(&c, is_separator);
    }
    return (struct slice){ .len = 0 };
}

static struct content read_content(struct slice header, struct arena *arena)
{
    struct slice value = report_header_value(header, SLICE("Content-Type"), arena);
    struct content content = {
        .type = slice_trim(slice_part(value, 0, slice_find(value, ';'))),
        .encoding = report_header_value(header, SLICE("Content-Transfer-Encoding"), arena),
    };
    if (slice_starts_with_nocase(content.type, SLICE("multipart/")))
        content.boundary = find_parameter(slice_from(value, content.type.len),
                                          SLICE("boundary"));
    return content;
}

/* What the encoding hides; the text itself when there is none or no room. */
static struct slice decode(struct slice text, struct slice encoding, struct arena *arena)
{
    bool is_quoted = slice_equal_nocase(encoding, SLICE("quoted-printable"));
    bool is_based = slice_equal_nocase(encoding, SLICE("base64"));
    struct buffer raw, lines;
    struct slice decoded = text;
    if (!is_quoted && !is_based)
        return text;
    buffer_init(&raw, text.len + 2);
    buffer_init(&lines, 2 * text.len + 4);
    if (is_quoted)
        report_append_unquoted(&raw, text);
    else
        report_append_unbased(&raw, text);
    report_append_lines(&lines, buffer_slice(&raw));
    if (lines.overflow || !arena_copy(arena, buffer_slice(&lines), &decoded))
        decoded = text;
    buffer_free(&raw);
    buffer_free(&lines);
    return decoded;
}

static void add_part(struct walk *walk, const struct content *content, struct slice header,
                     struct slice text)
{
    struct report_parts *parts = walk->parts;
    if (parts->count == REPORT_PARTS_MAX) {
        parts->is_cut = true;
        return;
    }
    enum report_part_kind kind = kind_of(content->type);
    parts->parts[parts->count++] = (struct report_part){
        .kind = kind, .header = header,
        .content = kind == REPORT_PART_OTHER
                       ? text : decode(text, content->encoding, walk->arena),
    };
}

/* Ends the open part before `end`; the CRLF there belongs to the boundary. */
static void end_part(struct walk *walk, const char *end)
{
    if (!walk->in_part)
        return;
    size_t len = (size_t)(end - walk->part_start);
    if (len >= 2 && end[-1] == '\n' && end[-2] == '\r')
        len -= 2;
    add_part(walk, &walk->part, walk->part_header, slice_make(walk->part_start, len));
    walk->in_part = false;
}

/* The header of a part, up to its empty line. */
static void begin_part(struct walk *walk, struct cursor *c)
{
    struct cursor start = *c;
    struct cursor before = *c;
    struct header_field field;
    while (header_next(c, &field) != HEADER_END) {
        if (slice_starts_with_nocase(field.whole, SLICE("--"))) {
            *c = before; /* the next boundary, and no body at all */
            break;
        }
        before = *c;
    }
    walk->part_header = cursor_since(c, &start);
    walk->part = read_content(walk->part_header, walk->arena);
    if (walk->part.boundary.len > 0 && walk->depth < REPORT_DEPTH_MAX) {
        walk->boundaries[walk->depth++] = walk->part.boundary;
        return;
    }
    walk->in_part = true;
    walk->part_start = c->at;
}

/* delimiter := "--" boundary; close-delimiter := delimiter "--" */
static bool is_delimiter(struct slice line, struct slice boundary, bool *out_closes)
{
    struct slice rest = slice_from(line, 2);
    if (rest.len < boundary.len || memcmp(rest.data, boundary.data, boundary.len) != 0)
        return false;
    rest = slice_trim(slice_from(rest, boundary.len));
    *out_closes = slice_equal(rest, SLICE("--"));
    return rest.len == 0 || *out_closes;
}

static void walk_line(struct walk *walk, struct slice line, struct cursor *c)
{
    bool closes = false;
    size_t level = walk->depth;
    if (line.len < 3 || line.data[0] != '-' || line.data[1] != '-')
        return;
    while (level > 0 && !is_delimiter(line, walk->boundaries[level - 1], &closes))
        level--;
    if (level == 0)
        return;
    end_part(walk, line.data);
    walk->depth = closes ? level - 1 : level;
    if (!closes)
        begin_part(walk, c);
}

bool report_parts_read(struct slice message, struct arena *arena,
                       struct report_parts *out_parts)
{
    struct report_parts parts = { .is_cut = message.len > REPORT_BYTES_MAX };
    struct buffer lines;
    struct slice text, line;
    struct header_field field;
    buffer_init(&lines, 2 * REPORT_BYTES_MAX);
    report_append_lines(&lines, slice_part(message, 0, REPORT_BYTES_MAX));
    parts.parts = arena_alloc_many(arena, REPORT_PARTS_MAX, sizeof *parts.parts);
    bool has_room = !lines.overflow && parts.parts != NULL &&
                    arena_copy(arena, buffer_slice(&lines), &text);
    buffer_free(&lines);
    if (!has_room)
        return false;
    struct cursor c = cursor_over(text);
    struct cursor start = c;
    while (header_next(&c, &field) != HEADER_END)
        ;
    parts.header = cursor_since(&c, &start);
    parts.body = cursor_rest(&c);
    struct walk walk = { .arena = arena, .parts = &parts };
    struct content content = read_content(parts.header, arena);
    if (content.boundary.len > 0)
        walk.boundaries[walk.depth++] = content.boundary;
    while (walk.depth > 0 && report_line_next(&c, &line))
        walk_line(&walk, line, &c);
    end_part(&walk, c.end);
    if (parts.count == 0)
        add_part(&walk, &content, (struct slice){ .len = 0 }, parts.body);
    *out_parts = parts;
    return true;
}

const struct report_part *report_parts_find(const struct report_parts *parts,
                                            enum report_part_kind kind)
{
    for (size_t i = 0; i < parts->count; i++)
        if (parts->parts[i].kind == kind)
            return &parts->parts[i];
    return NULL;
}
