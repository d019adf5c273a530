/* header.c: RFC 5322 2.2, 2.2.3 and 4.5 (obsolete blanks before the colon). */
#include "wire/message/header.h"

#include "base/ascii.h"
#include "wire/message/header_private.h"
#include "wire/message/lexer.h"

static const struct {
    struct slice name;
    enum header_kind kind;
} kinds[] = {
    { SLICE_INIT("Auto-Submitted"), HEADER_AUTO_SUBMITTED },
    { SLICE_INIT("Bcc"), HEADER_BCC },
    { SLICE_INIT("Cc"), HEADER_CC },
    { SLICE_INIT("Content-Type"), HEADER_CONTENT_TYPE },
    { SLICE_INIT("Date"), HEADER_DATE },
    { SLICE_INIT("Delivered-To"), HEADER_DELIVERED_TO },
    { SLICE_INIT("From"), HEADER_FROM },
    { SLICE_INIT("Message-ID"), HEADER_MESSAGE_ID },
    { SLICE_INIT("MIME-Version"), HEADER_MIME_VERSION },
    { SLICE_INIT("Received"), HEADER_RECEIVED },
    { SLICE_INIT("Reply-To"), HEADER_REPLY_TO },
    { SLICE_INIT("Return-Path"), HEADER_RETURN_PATH },
    { SLICE_INIT("Sender"), HEADER_SENDER },
    { SLICE_INIT("Subject"), HEADER_SUBJECT },
    { SLICE_INIT("To"), HEADER_TO },
};

enum header_kind header_kind_of(struct slice name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (slice_equal_nocase(name, kinds[i].name))
            return kinds[i].kind;
    return HEADER_OTHER;
}

/* ftext = %d33-57 / %d59-126 */
bool header_is_name_character(char c)
{
    return c > ' ' && c < 0x7f && c != ':';
}

/* Up to and with the CRLF that no blank follows, or to the end. */
static struct slice take_lines(struct cursor *c)
{
    struct cursor start = *c;
    while (!cursor_at_end(c)) {
        size_t newline = slice_find(cursor_rest(c), '\n');
        if (newline == SLICE_NOT_FOUND) {
            c->at = c->end;
            break;
        }
        c->at += newline + 1;
        if (newline > 0 && c->at[-2] == '\r' &&
            !cursor_sees(c, ' ') && !cursor_sees(c, '\t'))
            break;
    }
    return cursor_since(c, &start);
}

/* field = field-name *WSP ":" unstructured CRLF */
enum header_result header_next(struct cursor *c, struct header_field *out_field)
{
    if (cursor_at_end(c) || cursor_take_literal(c, SLICE("\r\n")))
        return HEADER_END;
    struct header_field f = { .whole = take_lines(c) };
    struct cursor line = cursor_over(f.whole);
    f.name = cursor_take_while(&line, header_is_name_character);
    struct cursor behind_name = line;
    lexer_skip_space(&line);
    f.has_gap = line.at != behind_name.at;
    if (f.name.len == 0 || !cursor_take_byte(&line, ':')) {
        *out_field = (struct header_field){ .whole = f.whole };
        return HEADER_MALFORMED;
    }
    f.value = cursor_rest(&line);
    if (f.value.len >= 2 && f.value.data[f.value.len - 1] == '\n' &&
        f.value.data[f.value.len - 2] == '\r')
        f.value.len -= 2;
    *out_field = f;
    return HEADER_FIELD;
}

bool header_find(struct slice header, struct slice name, struct header_field *out_field)
{
    struct cursor c = cursor_over(header);
    struct header_field f;
    enum header_result got;
    while ((got = header_next(&c, &f)) != HEADER_END) {
        if (got == HEADER_FIELD && slice_equal_nocase(f.name, name)) {
            *out_field = f;
            return true;
        }
    }
    return false;
}

static bool is_fold(const struct cursor *c)
{
    return cursor_left(c) >= 3 && c->at[0] == '\r' && c->at[1] == '\n' &&
           ascii_is_blank(c->at[2]);
}

void header_append_unfolded(struct buffer *out, struct slice value)
{
    struct cursor c = cursor_over(value);
    lexer_skip_space(&c);
    size_t end = buffer_len(out); /* behind the last octet that is no blank */
    while (!cursor_at_end(&c)) {
        if (is_fold(&c))
            c.at += 2;
        char octet = (char)cursor_take(&c);
        if (octet == '\r' || octet == '\n' || octet == '\0')
            octet = '?';
        buffer_append_byte(out, octet);
        if (!ascii_is_blank(octet))
            end = buffer_len(out);
    }
    buffer_truncate(out, end);
}
