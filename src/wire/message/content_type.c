/* content_type.c: reading Content-Type and Content-Transfer-Encoding. */
#include "wire/message/content_type_private.h"

#include "base/ascii.h"
#include "base/cursor.h"
#include "wire/message/lexer.h"

/* token := 1*<any CHAR except SPACE, CTLs, or tspecials> */
static bool is_token(char c)
{
    static const struct slice specials = SLICE_INIT("()<>@,;:\\\"/[]?=");
    return c > 32 && c < 127 && slice_find(specials, c) == SLICE_NOT_FOUND;
}

static bool take_token(struct cursor *c, struct slice *out)
{
    struct slice rest = cursor_rest(c);
    size_t len = 0;
    while (len < rest.len && is_token(rest.data[len]))
        len++;
    return len > 0 && cursor_take_part(c, len, out);
}

/* A value without quotes is read up to the next ';' or blank: "boundary==_1" is wrong
 * and frequent. */
static bool take_bare(struct cursor *c, struct slice *out)
{
    static const struct slice ends = SLICE_INIT("; \t\r\n");
    struct slice rest = cursor_rest(c);
    size_t len = 0;
    while (len < rest.len && slice_find(ends, rest.data[len]) == SLICE_NOT_FOUND)
        len++;
    return len > 0 && cursor_take_part(c, len, out);
}

/* value := token / quoted-string */
static bool take_value(struct cursor *c, struct buffer *out)
{
    struct slice value;
    buffer_clear(out);
    if (lexer_take_quoted(c, LEXER_HEADER, &value))
        lexer_append_unquoted(out, value);
    else if (take_bare(c, &value))
        buffer_append(out, value);
    else
        return false;
    return true;
}

/* parameter := attribute "=" value; false at the end, or where it is none. */
static bool take_parameter(struct cursor *c, struct slice *out_name, struct buffer *value)
{
    lexer_skip_cfws(c);
    if (!cursor_take_byte(c, ';'))
        return false;
    lexer_skip_cfws(c);
    if (!take_token(c, out_name))
        return false;
    lexer_skip_cfws(c);
    if (!cursor_take_byte(c, '='))
        return false;
    lexer_skip_cfws(c);
    return take_value(c, value);
}

/* bchars end in no blank; two boundaries in one field say nothing. */
static bool read_boundary(struct cursor *c, struct content_type *t)
{
    struct buffer value;
    struct slice name;
    unsigned found = 0;
    buffer_init(&value, DOWNGRADE_FIELD_MAX);
    while (take_parameter(c, &name, &value)) {
        struct slice text = buffer_slice(&value);
        if (!slice_equal_nocase(name, SLICE("boundary")))
            continue;
        found++;
        if (text.len == 0 || text.len > sizeof t->boundary || value.overflow ||
            slice_trim(text).len != text.len) {
            found = 2;
            break;
        }
        memcpy(t->boundary, text.data, text.len);
        t->boundary_len = (uint16_t)text.len;
    }
    buffer_free(&value);
    return found == 1;
}

/* content := "Content-Type" ":" type "/" subtype *(";" parameter) */
void content_type_read(struct slice value, struct content_type *out)
{
    struct content_type t = { .class = CONTENT_OPAQUE };
    struct cursor c = cursor_over(value);
    struct slice type;
    struct slice subtype;
    bool read = false;
    lexer_skip_cfws(&c);
    if (take_token(&c, &type)) {
        lexer_skip_cfws(&c);
        read = cursor_take_byte(&c, '/');
        lexer_skip_cfws(&c);
        read = read && take_token(&c, &subtype);
    }
    if (!read) {
        *out = t;
        return;
    }
    if (slice_equal_nocase(type, SLICE("text"))) {
        t.class = CONTENT_TEXT;
    } else if (slice_equal_nocase(type, SLICE("multipart"))) {
        t.is_signed = slice_equal_nocase(subtype, SLICE("signed"));
        t.is_digest = slice_equal_nocase(subtype, SLICE("digest"));
        t.class = read_boundary(&c, &t) ? CONTENT_MULTIPART : CONTENT_OPAQUE;
    } else if (!slice_equal_nocase(type, SLICE("message"))) {
        t.class = CONTENT_OTHER;
    } else if (slice_equal_nocase(subtype, SLICE("rfc822"))) {
        t.class = CONTENT_MESSAGE;
    }
    *out = t;
}

enum content_label content_label_read(struct slice value)
{
    struct cursor c = cursor_over(value);
    struct slice token;
    lexer_skip_cfws(&c);
    if (!take_token(&c, &token))
        return LABEL_ENCODED;
    if (slice_equal_nocase(token, SLICE("7bit")))
        return LABEL_7BIT;
    if (slice_equal_nocase(token, SLICE("8bit")) ||
        slice_equal_nocase(token, SLICE("binary")))
        return LABEL_8BIT;
    return LABEL_ENCODED;
}
