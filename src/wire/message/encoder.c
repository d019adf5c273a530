/* encoder.c: quoted-printable and base64 (RFC 2045 6.7 and 6.8). */
#include "wire/message/encoder_private.h"

enum { LINE_MAX_COLUMNS = 76 };

void encoder_begin(struct encoder *encoder, enum encoding encoding)
{
    *encoder = (struct encoder){ .encoding = encoding };
}

/* A unit of quoted-printable; a soft line break before it when it would not leave room
 * for one behind it. */
static void put_unit(struct encoder *e, struct slice unit, struct buffer *out)
{
    if (e->column + unit.len > LINE_MAX_COLUMNS - 1) {
        buffer_append(out, SLICE("=\r\n"));
        e->column = 0;
    }
    buffer_append(out, unit);
    e->column += (unsigned)unit.len;
}

static void put_escaped(struct encoder *e, char c, struct buffer *out)
{
    static const char digits[] = "0123456789ABCDEF";
    const char unit[3] = { '=', digits[(uint8_t)c >> 4], digits[(uint8_t)c & 15] };
    put_unit(e, slice_make(unit, sizeof unit), out);
}

/* safe-char = %d33-60 / %d62-126; blanks stand for themselves but at the end of a
 * line. */
static void put_quoted(struct encoder *e, struct slice bytes, struct buffer *out)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.data[i];
        if (e->held != 0)
            put_unit(e, slice_make(&e->held, 1), out);
        e->held = 0;
        if (c == ' ' || c == '\t')
            e->held = c;
        else if (c > 32 && c < 127 && c != '=')
            put_unit(e, slice_make(&c, 1), out);
        else
            put_escaped(e, c, out);
    }
}

static void put_group(struct encoder *e, struct buffer *out)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = (uint32_t)e->group[0] << 16 | (uint32_t)e->group[1] << 8 | e->group[2];
    if (e->column == LINE_MAX_COLUMNS) {
        buffer_append(out, SLICE("\r\n"));
        e->column = 0;
    }
    for (unsigned i = 0; i < 4; i++)
        buffer_append_byte(out, i > e->group_len ? '=' : digits[bits >> (18 - 6 * i) & 63]);
    e->column += 4;
    e->group_len = 0;
    memset(e->group, 0, sizeof e->group);
}

static void put_base64(struct encoder *e, struct slice bytes, struct buffer *out)
{
    for (size_t i = 0; i < bytes.len; i++) {
        e->group[e->group_len++] = (uint8_t)bytes.data[i];
        if (e->group_len == sizeof e->group)
            put_group(e, out);
    }
}

void encoder_put(struct encoder *e, struct slice bytes, struct buffer *out)
{
    switch (e->encoding) {
    case ENCODING_NONE:
        buffer_append(out, bytes);
        break;
    case ENCODING_QUOTED_PRINTABLE:
        put_quoted(e, bytes, out);
        break;
    case ENCODING_BASE64:
        put_base64(e, bytes, out);
        break;
    }
}

void encoder_put_line_end(struct encoder *e, struct buffer *out)
{
    if (e->encoding == ENCODING_BASE64) {
        put_base64(e, SLICE("\r\n"), out);
        return;
    }
    encoder_end(e, out);
    buffer_append(out, SLICE("\r\n"));
    e->column = 0;
}

void encoder_end(struct encoder *e, struct buffer *out)
{
    if (e->held != 0)
        put_escaped(e, e->held, out);
    e->held = 0;
    if (e->group_len > 0)
        put_group(e, out);
}
