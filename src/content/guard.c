/* guard.c: entities line by line: a header, then a boundary or the end of the outer one. */
#include "content/guard.h"

#include "base/ascii.h"
#include "base/cursor.h"

struct level {
    struct slice boundary; /* empty: a message in a message */
};

struct guard {
    struct cursor c;
    struct level levels[CONTENT_DEPTH_MAX];
    size_t depth;
    size_t delimiters;     /* lines that begin as a boundary does */
    bool may_have_parts;
    enum content_verdict verdict;
};

const char *content_verdict_text(enum content_verdict verdict)
{
    switch (verdict) {
    case CONTENT_FITS:
        return "";
    case CONTENT_TOO_DEEP:
        return "too deep";
    case CONTENT_TOO_MANY_PARTS:
        return "too many parts";
    case CONTENT_HEADER_TOO_LARGE:
        return "header too large";
    }
    return "";
}

static bool take_line(struct guard *g, struct slice *out_line)
{
    struct slice rest = cursor_rest(&g->c);
    if (rest.len == 0)
        return false;
    size_t newline = slice_find(rest, '\n');
    struct slice line = slice_part(rest, 0, newline);
    g->c.at += newline == SLICE_NOT_FOUND ? rest.len : newline + 1;
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    if (slice_starts_with_nocase(line, SLICE("--")) &&
        ++g->delimiters > CONTENT_PARTS_MAX && g->may_have_parts)
        g->verdict = CONTENT_TOO_MANY_PARTS;
    *out_line = line;
    return true;
}

/* Whether the line begins the field, and what follows its colon. */
static bool is_content_type(struct slice line, struct slice *out_value)
{
    struct cursor c = cursor_over(line);
    if (!cursor_take_literal(&c, SLICE("content-type")))
        return false;
    cursor_skip_blanks(&c);
    if (!cursor_take_byte(&c, ':'))
        return false;
    *out_value = cursor_rest(&c);
    return true;
}

/* Takes a header with its empty line; the value of its last Content-Type, folds and all, or
 * nothing. */
static struct slice take_header(struct guard *g)
{
    struct slice value = { .len = 0 };
    struct cursor start = g->c;
    const char *field = g->c.at;
    bool in_type = false;
    struct slice line;
    while (g->verdict == CONTENT_FITS && take_line(g, &line) && line.len > 0) {
        if (!ascii_is_blank(line.data[0])) {
            field = line.data;
            in_type = is_content_type(line, &value);
        } else if (in_type) {
            value.len = (size_t)(line.data + line.len - value.data);
        }
        if (g->c.at - field > CONTENT_FIELD_MAX ||
            cursor_since(&g->c, &start).len > CONTENT_HEADER_MAX)
            g->verdict = CONTENT_HEADER_TOO_LARGE;
    }
    return value;
}

static bool is_space(char c)
{
    return ascii_is_blank(c) || c == '\r' || c == '\n';
}

static bool is_token(char c)
{
    return !is_space(c) && c != ';' && c != '(';
}

/* What stands behind "boundary=", wherever that is. */
static struct slice boundary_of(struct slice value)
{
    struct cursor c = cursor_over(value);
    for (; !cursor_at_end(&c); c.at++) {
        struct cursor ahead = c;
        if (!cursor_take_literal(&ahead, SLICE("boundary")))
            continue;
        cursor_take_while(&ahead, is_space);
        if (!cursor_take_byte(&ahead, '='))
            continue;
        cursor_take_while(&ahead, is_space);
        if (!cursor_take_byte(&ahead, '"'))
            return cursor_take_while(&ahead, is_token);
        struct slice rest = cursor_rest(&ahead);
        return slice_part(rest, 0, slice_find(rest, '"'));
    }
    return (struct slice){ .len = 0 };
}

static void push(struct guard *g, struct slice boundary)
{
    if (g->depth == CONTENT_DEPTH_MAX)
        g->verdict = CONTENT_TOO_DEEP;
    else
        g->levels[g->depth++] = (struct level){ boundary };
}

/* An entity begins: its header, and those of the messages in it. */
static void begin_entity(struct guard *g)
{
    while (g->verdict == CONTENT_FITS) {
        struct cursor c;
        struct slice value = take_header(g);
        c = cursor_over(value);
        cursor_take_while(&c, is_space);
        if (cursor_take_literal(&c, SLICE("multipart"))) {
            push(g, boundary_of(value));
            return;
        }
        if (!cursor_take_literal(&c, SLICE("message")))
            return;
        push(g, (struct slice){ .len = 0 });
    }
}

/* delimiter := "--" boundary; the innermost that fits counts. */
static void see_line(struct guard *g, struct slice line)
{
    struct slice text = slice_from(line, 2);
    for (size_t i = g->depth; i > 0; i--) {
        struct slice boundary = g->levels[i - 1].boundary;
        if (boundary.len == 0 || text.len < boundary.len ||
            memcmp(text.data, boundary.data, boundary.len) != 0)
            continue;
        struct slice rest = slice_trim(slice_from(text, boundary.len));
        if (rest.len == 0) {
            g->depth = i;
            begin_entity(g);
            return;
        }
        if (slice_equal(rest, SLICE("--"))) {
            g->depth = i - 1;
            return;
        }
    }
}

/* Without this word nobody takes a message for a multipart, whatever its lines look like. */
static bool names_multipart(struct slice message)
{
    struct cursor c = cursor_over(message);
    while (!cursor_at_end(&c)) {
        struct cursor ahead = c;
        if (cursor_take_literal(&ahead, SLICE("multipart")))
            return true;
        c.at++;
    }
    return false;
}

enum content_verdict content_guard(struct slice message)
{
    struct guard g = { .c = cursor_over(message),
                       .may_have_parts = names_multipart(message) };
    struct slice line;
    begin_entity(&g);
    while (g.verdict == CONTENT_FITS && take_line(&g, &line))
        if (line.len > 2 && line.data[0] == '-' && line.data[1] == '-')
            see_line(&g, line);
    return g.verdict;
}
