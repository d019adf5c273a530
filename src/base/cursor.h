/* cursor.h: the only way to look at bytes while parsing.
 *
 * A cursor walks over a slice and never reads past its end. A take function
 * moves only when it succeeds. To look ahead, copy the cursor.
 */
#ifndef GODWIT_BASE_CURSOR_H
#define GODWIT_BASE_CURSOR_H

#include "base/slice.h"

struct cursor {
    const char *at;
    const char *end;
};

static inline struct cursor cursor_over(struct slice s)
{
    static const char nothing[1] = { 0 };
    const char *data = s.data == NULL ? nothing : s.data;
    return (struct cursor){ .at = data, .end = data + s.len };
}

static inline size_t cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}

static inline bool cursor_at_end(const struct cursor *c)
{
    return c->at == c->end;
}

/* What has not been taken yet. */
static inline struct slice cursor_rest(const struct cursor *c)
{
    return slice_make(c->at, cursor_left(c));
}

/* Whether the next byte is `byte`; false at the end. */
static inline bool cursor_sees(const struct cursor *c, char byte)
{
    return c->at < c->end && *c->at == byte;
}

/* The next byte, 0 to 255, or -1 at the end; does not move. */
static inline int cursor_peek(const struct cursor *c)
{
    return c->at < c->end ? (unsigned char)*c->at : -1;
}

/* Takes one byte, 0 to 255; -1 at the end. */
static inline int cursor_take(struct cursor *c)
{
    return c->at < c->end ? (unsigned char)*c->at++ : -1;
}

static inline bool cursor_take_byte(struct cursor *c, char byte)
{
    if (!cursor_sees(c, byte))
        return false;
    c->at++;
    return true;
}

/* Takes `len` bytes, or none and false. */
static inline bool cursor_take_part(struct cursor *c, size_t len,
                                    struct slice *out_part)
{
    if (cursor_left(c) < len)
        return false;
    *out_part = slice_make(c->at, len);
    c->at += len;
    return true;
}

/* What lies between an earlier copy of this cursor and its place now. */
static inline struct slice cursor_since(const struct cursor *c,
                                        const struct cursor *start)
{
    return slice_make(start->at, (size_t)(c->at - start->at));
}

/* Takes the literal, ASCII letters in any case. */
bool cursor_take_literal(struct cursor *c, struct slice literal);

/* Takes the longest run, perhaps empty, of bytes for which `is` is true. Here, so that `is`
 * is no call for each byte. */
static inline struct slice cursor_take_while(struct cursor *c, bool (*is)(char))
{
    struct cursor start = *c;
    while (c->at < c->end && is(*c->at))
        c->at++;
    return cursor_since(c, &start);
}

/* Takes one or more decimal digits whose value is at most `max`. */
bool cursor_take_number(struct cursor *c, uint64_t max, uint64_t *out_value);

/* Skips spaces and tabs; returns how many. */
size_t cursor_skip_blanks(struct cursor *c);

#endif
