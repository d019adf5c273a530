/* macro.c: RFC 7208 7: what a macro-string may hold, and what it expands to. */
#include "auth/spf/macro_private.h"

#include "base/ascii.h"
#include "base/cursor.h"
#include "base/must.h"

enum {
    NAME_MAX = 253,
    LABEL_MAX = 63,
    PARTS_MAX = 2100, /* of the longest value, all of it delimiters */
};

/* One piece of a macro-string. */
struct token {
    struct slice literal; /* or empty */
    char letter;          /* of a macro, in lower case; or '\0' */
    bool is_escaped;      /* the letter was upper case */
    bool is_reversed;
    size_t parts;         /* 0: all of them */
    struct slice delimiters;
};

static bool is_literal(char c)
{
    return c > ' ' && c <= '~' && c != '%';
}

static bool is_explain_literal(char c)
{
    return c == ' ' || is_literal(c);
}

/* delimiter = "." / "-" / "+" / "," / "/" / "_" / "=" */
static bool is_delimiter(char c)
{
    return c != '\0' && strchr(".-+,/_=", c) != NULL;
}

/* *DIGIT; a value over 127 takes all there is, as 127 does. */
static bool take_parts(struct cursor *c, size_t *out_parts)
{
    struct slice digits = cursor_take_while(c, ascii_is_digit);
    size_t parts = 0;
    for (size_t i = 0; i < digits.len; i++)
        if (parts < PARTS_MAX)
            parts = parts * 10 + (size_t)(digits.data[i] - '0');
    *out_parts = parts;
    return digits.len == 0 || parts > 0;
}

/* "%{" macro-letter transformers *delimiter "}"
 * transformers = *DIGIT [ "r" ] */
static bool take_macro(struct cursor *c, enum spf_macro_place place, struct token *out)
{
    int letter = cursor_take(c);
    char lower = letter < 0 ? '\0' : ascii_lower((char)letter);
    if (lower == '\0' ||
        strchr(place == SPF_MACRO_DOMAIN ? "slodiphv" : "slodiphvcrt", lower) == NULL)
        return false;
    *out = (struct token){ .letter = lower, .is_escaped = lower != (char)letter };
    if (!take_parts(c, &out->parts))
        return false;
    out->is_reversed = cursor_take_byte(c, 'r') || cursor_take_byte(c, 'R');
    out->delimiters = cursor_take_while(c, is_delimiter);
    return cursor_take_byte(c, '}');
}

/* macro-expand = ( "%{" ... "}" ) / "%%" / "%_" / "%-"
 * macro-literal = %x21-24 / %x26-7E */
static bool take_token(struct cursor *c, enum spf_macro_place place, struct token *out)
{
    if (!cursor_take_byte(c, '%')) {
        *out = (struct token){ .letter = '\0' };
        out->literal = cursor_take_while(c, place == SPF_MACRO_EXPLAIN ? is_explain_literal
                                                                       : is_literal);
        return out->literal.len > 0;
    }
    *out = (struct token){ .letter = '\0' };
    switch (cursor_take(c)) {
    case '{':
        return take_macro(c, place, out);
    case '%':
        out->literal = SLICE("%");
        return true;
    case '_':
        out->literal = SLICE(" ");
        return true;
    case '-':
        out->literal = SLICE("%20");
        return true;
    }
    return false;
}

/* toplabel = ( *alphanum ALPHA *alphanum ) /
 *            ( 1*alphanum "-" *( alphanum / "-" ) alphanum ) */
static bool is_top_label(struct slice label)
{
    bool is_number = true;
    for (size_t i = 0; i < label.len; i++) {
        if (!ascii_is_alnum(label.data[i]) && label.data[i] != '-')
            return false;
        is_number = is_number && ascii_is_digit(label.data[i]);
    }
    return !is_number && label.data[0] != '-' && label.data[label.len - 1] != '-';
}

/* domain-end = ( "." toplabel [ "." ] ) / macro-expand; `last` is what follows the last
 * macro, `is_macro` that nothing does. */
static bool is_domain_end(struct slice last, bool is_macro)
{
    if (is_macro)
        return true;
    if (last.len > 0 && last.data[last.len - 1] == '.')
        last.len--;
    size_t dot = slice_find_last(last, '.');
    return dot != SLICE_NOT_FOUND && dot + 1 < last.len &&
           is_top_label(slice_from(last, dot + 1));
}

bool spf_macro_is_valid(struct slice text, enum spf_macro_place place)
{
    struct cursor c = cursor_over(text);
    struct slice last = { .len = 0 };
    bool is_macro = false;
    while (!cursor_at_end(&c)) {
        struct token token;
        is_macro = cursor_sees(&c, '%');
        if (!take_token(&c, place, &token))
            return false;
        last = token.literal;
    }
    return place != SPF_MACRO_DOMAIN || is_domain_end(last, is_macro);
}

bool spf_macro_uses(struct slice text, char letter)
{
    struct cursor c = cursor_over(text);
    struct token token;
    while (take_token(&c, SPF_MACRO_EXPLAIN, &token))
        if (token.letter == letter)
            return true;
    return false;
}

/* unreserved = ALPHA / DIGIT / "-" / "." / "_" / "~" (RFC 3986 2.3) */
static void append_escaped(struct buffer *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        if (ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~')
            buffer_append_byte(out, c);
        else
            buffer_append_format(out, "%%%02X", (unsigned)(unsigned char)c);
    }
}

/* The parts between delimiters; empty ones count. */
static size_t split(struct slice value, struct slice delimiters, struct slice *parts)
{
    size_t count = 0;
    size_t start = 0;
    for (size_t i = 0; i <= value.len; i++) {
        if (i < value.len && slice_find(delimiters, value.data[i]) == SLICE_NOT_FOUND)
            continue;
        must(count < PARTS_MAX);
        parts[count++] = slice_part(value, start, i - start);
        start = i + 1;
    }
    return count;
}

static void append_macro(const struct spf_macros *macros, const struct token *token,
                         struct buffer *out)
{
    struct slice value = macros->of[token->letter - 'a'];
    void (*append)(struct buffer *, struct slice) =
        token->is_escaped ? append_escaped : buffer_append;
    if (token->parts == 0 && !token->is_reversed && token->delimiters.len == 0) {
        append(out, value);
        return;
    }
    struct slice parts[PARTS_MAX];
    size_t count = split(value, token->delimiters.len > 0 ? token->delimiters : SLICE("."),
                         parts);
    size_t kept = token->parts == 0 || token->parts > count ? count : token->parts;
    for (size_t i = count - kept; i < count; i++) {
        if (i > count - kept)
            buffer_append_byte(out, '.');
        append(out, parts[token->is_reversed ? count - 1 - i : i]);
    }
}

void spf_macro_expand(const struct spf_macros *macros, struct slice text,
                      enum spf_macro_place place, struct buffer *out)
{
    struct cursor c = cursor_over(text);
    struct token token;
    while (take_token(&c, place, &token)) {
        if (token.letter != '\0')
            append_macro(macros, &token, out);
        else if (place == SPF_MACRO_DOMAIN && token.literal.len > SPF_EXPANSION_KEPT)
            buffer_append(out, slice_from(token.literal,
                                          token.literal.len - SPF_EXPANSION_KEPT));
        else
            buffer_append(out, token.literal);
        if (place == SPF_MACRO_DOMAIN && buffer_len(out) > 2 * SPF_EXPANSION_KEPT)
            buffer_consume(out, buffer_len(out) - SPF_EXPANSION_KEPT);
    }
}

struct slice spf_macro_target(struct slice expanded)
{
    static const struct slice none = { .len = 0 };
    if (expanded.len > 0 && expanded.data[expanded.len - 1] == '.')
        expanded.len--;
    while (expanded.len > NAME_MAX) {
        size_t dot = slice_find(expanded, '.');
        if (dot == SLICE_NOT_FOUND)
            return none;
        expanded = slice_from(expanded, dot + 1);
    }
    struct slice rest = expanded;
    struct slice label;
    while (slice_split(&rest, '.', &label))
        if (label.len == 0 || label.len > LABEL_MAX)
            return none;
    bool ends_in_dot = expanded.len > 0 && expanded.data[expanded.len - 1] == '.';
    return ends_in_dot ? none : expanded;
}
