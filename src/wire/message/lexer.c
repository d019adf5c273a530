/* lexer.c: RFC 5322 3.2.1 to 3.2.4, RFC 5321 4.1.2, RFC 6532 3.1. */
#include "wire/message/lexer.h"

#include "base/ascii.h"
#include "base/utf8.h"

/* atext = ALPHA / DIGIT / "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" /
 *         "/" / "=" / "?" / "^" / "_" / "`" / "{" / "|" / "}" / "~" */
bool lexer_is_atext(char c)
{
    static const bool special[128] = {
        ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true,
        ['\''] = true, ['*'] = true, ['+'] = true, ['-'] = true, ['/'] = true,
        ['='] = true, ['?'] = true, ['^'] = true, ['_'] = true, ['`'] = true,
        ['{'] = true, ['|'] = true, ['}'] = true, ['~'] = true,
    };
    return ascii_is_alnum(c) || (!ascii_is_high(c) && special[(unsigned char)c]);
}

/* UTF8-non-ascii, but for controls of any kind. */
static bool take_high(struct cursor *c)
{
    if (cursor_peek(c) < 0x80)
        return false;
    size_t len = utf8_sequence_len(cursor_rest(c));
    if (len == 0 || utf8_is_control(cursor_rest(c)))
        return false;
    c->at += len;
    return true;
}

bool lexer_take_atom(struct cursor *c, struct slice *out_atom)
{
    struct cursor start = *c;
    for (;;) {
        while (c->at < c->end && lexer_is_atext(*c->at))
            c->at++;
        if (!take_high(c))
            break;
    }
    if (c->at == start.at)
        return false;
    *out_atom = cursor_since(c, &start);
    return true;
}

bool lexer_take_dot_atom(struct cursor *c, struct slice *out_atom)
{
    struct cursor ahead = *c;
    struct slice atom;
    do {
        if (!lexer_take_atom(&ahead, &atom))
            return false;
    } while (cursor_take_byte(&ahead, '.'));
    *out_atom = cursor_since(&ahead, c);
    *c = ahead;
    return true;
}

/* FWS = ([*WSP CRLF] 1*WSP) / obs-FWS; one piece of it. */
static bool take_space(struct cursor *c)
{
    if (cursor_skip_blanks(c) > 0)
        return true;
    struct cursor ahead = *c;
    if (!cursor_take_byte(&ahead, '\r') || !cursor_take_byte(&ahead, '\n') ||
        cursor_skip_blanks(&ahead) == 0)
        return false;
    *c = ahead;
    return true;
}

void lexer_skip_space(struct cursor *c)
{
    while (take_space(c))
        ;
}

/* quoted-pair = "\" (VCHAR / WSP); in the envelope %d92 %d32-126 */
static bool take_quoted_pair(struct cursor *c, enum lexer_quoting quoting)
{
    struct cursor ahead = *c;
    if (!cursor_take_byte(&ahead, '\\') || cursor_at_end(&ahead))
        return false;
    if (!take_high(&ahead)) {
        char quoted = (char)cursor_take(&ahead);
        bool is_tab = quoted == '\t' && quoting == LEXER_HEADER;
        if (ascii_is_high(quoted) || (ascii_is_control(quoted) && !is_tab))
            return false;
    }
    *c = ahead;
    return true;
}

/* What may stand unquoted inside quotes or a comment, one piece of it. */
static bool take_text(struct cursor *c, const char *not_these,
                      enum lexer_quoting quoting)
{
    int next = cursor_peek(c);
    if (next < 0)
        return false;
    if (next >= 0x80)
        return take_high(c);
    if (quoting == LEXER_HEADER && take_space(c))
        return true;
    if (ascii_is_control((char)next) || strchr(not_these, next) != NULL)
        return false;
    c->at++;
    return true;
}

/* quoted-string = DQUOTE *([FWS] qcontent) [FWS] DQUOTE
 * qcontent = qtext / quoted-pair; qtext = all printable but "\" and DQUOTE */
bool lexer_take_quoted(struct cursor *c, enum lexer_quoting quoting,
                       struct slice *out_quoted)
{
    struct cursor ahead = *c;
    if (!cursor_take_byte(&ahead, '"'))
        return false;
    while (take_text(&ahead, "\"\\", quoting) || take_quoted_pair(&ahead, quoting))
        ;
    if (!cursor_take_byte(&ahead, '"'))
        return false;
    *out_quoted = cursor_since(&ahead, c);
    *c = ahead;
    return true;
}

/* comment = "(" *([FWS] ccontent) [FWS] ")"
 * ccontent = ctext / quoted-pair / comment */
bool lexer_take_comment(struct cursor *c, struct slice *out_comment)
{
    struct cursor ahead = *c;
    unsigned depth = 0;
    do {
        if (cursor_take_byte(&ahead, '(')) {
            if (++depth > LEXER_NESTING_MAX)
                return false;
        } else if (depth == 0) {
            return false;
        } else if (cursor_take_byte(&ahead, ')')) {
            depth--;
        } else if (!take_text(&ahead, "()\\", LEXER_HEADER) &&
                   !take_quoted_pair(&ahead, LEXER_HEADER)) {
            return false;
        }
    } while (depth > 0);
    *out_comment = cursor_since(&ahead, c);
    *c = ahead;
    return true;
}

bool lexer_skip_cfws(struct cursor *c)
{
    struct cursor start = *c;
    struct slice comment;
    while (take_space(c) || lexer_take_comment(c, &comment))
        ;
    return c->at != start.at;
}

bool lexer_inside_quotes(struct slice quoted, struct cursor *out_inside)
{
    if (quoted.len < 2 || quoted.data[0] != '"')
        return false;
    *out_inside = cursor_over(slice_part(quoted, 1, quoted.len - 2));
    return true;
}

int lexer_next_meant(struct cursor *inside)
{
    int next = cursor_take(inside);
    while (next == '\r' || next == '\n')
        next = cursor_take(inside);
    if (next == '\\' && !cursor_at_end(inside))
        next = cursor_take(inside);
    return next;
}

void lexer_append_unquoted(struct buffer *out, struct slice quoted)
{
    struct cursor inside;
    int octet;
    if (!lexer_inside_quotes(quoted, &inside)) {
        buffer_append(out, quoted);
        return;
    }
    while ((octet = lexer_next_meant(&inside)) >= 0)
        buffer_append_byte(out, (char)octet);
}

void lexer_append_requoted(struct buffer *out, struct slice quoted)
{
    struct cursor inside;
    int octet;
    if (!lexer_inside_quotes(quoted, &inside)) {
        buffer_append(out, quoted);
        return;
    }
    buffer_append_byte(out, '"');
    while ((octet = lexer_next_meant(&inside)) >= 0) {
        if (octet == '"' || octet == '\\')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, (char)octet);
    }
    buffer_append_byte(out, '"');
}
