/* reply.c: writing replies; the only writer of what the server says.
 *
 * RFC 5321 4.2.1 (multiline replies), 4.5.3.1.5 (512 octets a reply line),
 * RFC 2034 section 4 (enhanced codes on every line of 2xx, 4xx and 5xx).
 */
#include "wire/smtp/reply.h"

#include "base/ascii.h"
#include "base/cursor.h"

enum { REPLY_LINE_MAX = 510 };

void smtp_status_append(struct buffer *out, struct smtp_status status)
{
    if (status.class == 0)
        return;
    buffer_append_number(out, status.class);
    buffer_append_byte(out, '.');
    buffer_append_number(out, status.subject);
    buffer_append_byte(out, '.');
    buffer_append_number(out, status.detail);
}

static void append_clean(struct buffer *out, struct slice text)
{
    char *room = buffer_reserve(out, text.len);
    if (room == NULL)
        return;
    for (size_t i = 0; i < text.len; i++)
        room[i] = ascii_is_control(text.data[i]) ? '?' : text.data[i];
    buffer_added(out, text.len);
}

void smtp_reply_append(struct buffer *out, const struct smtp_reply *reply,
                       bool with_status)
{
    struct slice rest = reply->text;
    bool with = with_status && reply->status.class != 0 && reply->code / 100 != 3;
    bool last;
    do {
        size_t newline = slice_find(rest, '\n');
        last = newline == SLICE_NOT_FOUND;
        struct slice line = last ? rest : slice_part(rest, 0, newline);
        rest = last ? rest : slice_from(rest, newline + 1);
        size_t before = buffer_len(out);
        buffer_append_number(out, reply->code);
        buffer_append_byte(out, last ? ' ' : '-');
        if (with) {
            smtp_status_append(out, reply->status);
            buffer_append_byte(out, ' ');
        }
        size_t used = buffer_len(out) - before;
        append_clean(out, slice_part(line, 0, REPLY_LINE_MAX - used));
        buffer_append(out, SLICE("\r\n"));
    } while (!last);
}

static bool take_component(struct cursor *c, uint64_t max, uint16_t *out_value)
{
    struct slice digits = cursor_take_while(c, ascii_is_digit);
    uint64_t value;
    if (digits.len == 0 || digits.len > 3 || (digits.len > 1 && digits.data[0] == '0'))
        return false;
    if (!slice_to_number(digits, max, &value))
        return false;
    *out_value = (uint16_t)value;
    return true;
}

/* status-code = class "." subject "." detail
 * class = "2" / "4" / "5"; subject, detail = 1*3digit */
bool smtp_status_parse(struct slice s, struct smtp_status *out_status,
                       struct slice *out_rest)
{
    struct cursor c = cursor_over(s);
    uint16_t class;
    struct smtp_status status;
    if (!take_component(&c, 5, &class) || (class != 2 && class != 4 && class != 5) ||
        !cursor_take_byte(&c, '.') || !take_component(&c, 999, &status.subject) ||
        !cursor_take_byte(&c, '.') || !take_component(&c, 999, &status.detail))
        return false;
    if (!cursor_at_end(&c) && !cursor_take_byte(&c, ' '))
        return false;
    status.class = (uint8_t)class;
    *out_status = status;
    *out_rest = cursor_rest(&c);
    return true;
}
