/* results.c: RFC 8601 2.2.
 *
 *   authres-payload = [CFWS] authserv-id [CFWS authres-version] (no-result / 1*resinfo)
 *   resinfo         = [CFWS] ";" methodspec [ CFWS reasonspec ] [ CFWS 1*propspec ]
 *   methodspec      = [CFWS] method [CFWS] "=" [CFWS] result
 *   method          = Keyword [ [CFWS] "/" [CFWS] method-version ]
 */
#include "wire/message/results.h"

#include "base/ascii.h"
#include "base/cursor.h"

/* A quoted-string or a comment whose first octet stands next, comments in comments too;
 * one that does not end goes to the end. */
static void skip_hidden(struct cursor *c)
{
    bool is_quoted = cursor_take(c) == '"';
    unsigned depth = 1;
    while (depth > 0 && !cursor_at_end(c)) {
        char octet = (char)cursor_take(c);
        if (octet == '\\' && !cursor_at_end(c))
            cursor_take(c);
        else if (octet == (is_quoted ? '"' : ')'))
            depth--;
        else if (octet == '(' && !is_quoted)
            depth++;
    }
}

static bool is_space(char c)
{
    return ascii_is_blank(c) || c == '\r' || c == '\n';
}

static void skip_cfws(struct cursor *c)
{
    for (;;) {
        cursor_take_while(c, is_space);
        if (cursor_peek(c) != '(')
            return;
        skip_hidden(c);
    }
}

static bool is_keyword(char c)
{
    return ascii_is_alnum(c) || c == '-';
}

static bool is_plain(char c)
{
    return c != '"' && c != '(' && c != ';';
}

/* Past the next ';' that parts two results. */
static bool next_part(struct cursor *c)
{
    while (!cursor_at_end(c)) {
        cursor_take_while(c, is_plain);
        if (cursor_take_byte(c, ';'))
            return true;
        if (!cursor_at_end(c))
            skip_hidden(c);
    }
    return false;
}

bool results_find(struct slice payload, struct slice method, struct slice *out_result)
{
    struct cursor c = cursor_over(payload);
    while (next_part(&c)) {
        skip_cfws(&c);
        struct slice name = cursor_take_while(&c, is_keyword);
        skip_cfws(&c);
        if (cursor_take_byte(&c, '/')) {
            skip_cfws(&c);
            cursor_take_while(&c, ascii_is_digit);
            skip_cfws(&c);
        }
        if (!slice_equal_nocase(name, method) || !cursor_take_byte(&c, '='))
            continue;
        skip_cfws(&c);
        struct slice result = cursor_take_while(&c, ascii_is_alpha);
        if (result.len == 0)
            return false;
        *out_result = result;
        return true;
    }
    return false;
}
