/* cursor.c: the take functions that are more than a comparison. */
#include "base/cursor.h"

#include "base/ascii.h"

bool cursor_take_literal(struct cursor *c, struct slice literal)
{
    if (!slice_starts_with_nocase(cursor_rest(c), literal))
        return false;
    c->at += literal.len;
    return true;
}

bool cursor_take_number(struct cursor *c, uint64_t max, uint64_t *out_value)
{
    struct cursor ahead = *c;
    if (!slice_to_number(cursor_take_while(&ahead, ascii_is_digit), max,
                         out_value))
        return false;
    *c = ahead;
    return true;
}

size_t cursor_skip_blanks(struct cursor *c)
{
    struct cursor start = *c;
    while (c->at < c->end && ascii_is_blank(*c->at))
        c->at++;
    return cursor_since(c, &start).len;
}
