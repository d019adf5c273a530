/* reply_reader.c: RFC 5321 4.2, 4.2.1; RFC 2034 section 4. */
#include "wire/smtp/reply_reader.h"

#include "base/ascii.h"
#include "base/cursor.h"

void smtp_reply_reader_init(struct smtp_reply_reader *reader)
{
    *reader = (struct smtp_reply_reader){ .size = 0 };
    buffer_init(&reader->line, SMTP_REPLY_LINE_MAX);
    buffer_init(&reader->text, SMTP_REPLY_MAX);
}

void smtp_reply_reader_free(struct smtp_reply_reader *reader)
{
    buffer_free(&reader->line);
    buffer_free(&reader->text);
}

static bool fail(struct smtp_reply_reader *reader, const char *fault)
{
    reader->fault = fault;
    return false;
}

/* Cuts the next whole line, with its CRLF, from the input. False: not there yet, or
 * the reader is broken. */
static bool take_line(struct smtp_reply_reader *reader, struct slice *input,
                      struct slice *out_line)
{
    size_t newline = slice_find(*input, '\n');
    bool whole = newline != SLICE_NOT_FOUND;
    struct slice part = whole ? slice_part(*input, 0, newline + 1) : *input;
    size_t len = buffer_len(&reader->line) + part.len;
    if (len > SMTP_REPLY_LINE_MAX)
        return fail(reader, "a line of the reply is too long");
    if (reader->size + len > SMTP_REPLY_MAX)
        return fail(reader, "the reply is too long");
    *input = slice_from(*input, part.len);
    if (whole && buffer_len(&reader->line) == 0) {
        *out_line = part;
        return true;
    }
    buffer_append(&reader->line, part);
    if (reader->line.overflow)
        return fail(reader, "no memory for the reply");
    *out_line = buffer_slice(&reader->line);
    return whole;
}

/* Without its line end; false when that is not CRLF or a control does not belong. */
static bool check_line(struct smtp_reply_reader *reader, struct slice *line)
{
    if (line->len < 2 || line->data[line->len - 2] != '\r')
        return fail(reader, "a line of the reply ends in a bare LF");
    *line = slice_part(*line, 0, line->len - 2);
    if (slice_find(*line, '\r') != SLICE_NOT_FOUND)
        return fail(reader, "a bare CR in the reply");
    if (slice_find(*line, '\0') != SLICE_NOT_FOUND)
        return fail(reader, "a NUL in the reply");
    return true;
}

/* Reply-code = %x32-35 3DIGIT's rest; digits beyond RFC 5321's own are let pass. */
static bool take_code(struct cursor *c, uint16_t *out_code)
{
    struct slice digits;
    uint64_t code;
    if (!cursor_take_part(c, 3, &digits) || !slice_to_number(digits, 599, &code) ||
        code < 200)
        return false;
    *out_code = (uint16_t)code;
    return true;
}

static void append_text(struct smtp_reply_reader *reader, struct slice text,
                        bool is_first)
{
    struct smtp_reply *reply = &reader->reply;
    struct smtp_status status;
    struct slice rest;
    if (smtp_status_parse(text, &status, &rest) && status.class == reply->code / 100) {
        if (reply->status.class == 0)
            reply->status = status;
        text = rest;
    }
    if (!is_first)
        buffer_append_byte(&reader->text, '\n');
    buffer_append(&reader->text, text);
}

/* Greeting and Reply-line = *( Reply-code "-" [ textstring ] CRLF )
 *                           Reply-code [ SP textstring ] CRLF */
static bool add_line(struct smtp_reply_reader *reader, struct slice line,
                     bool *out_is_last)
{
    struct cursor c = cursor_over(line);
    uint16_t code;
    if (!take_code(&c, &code))
        return fail(reader, "the reply does not begin with a code");
    bool is_first = reader->reply.code == 0;
    if (!is_first && code != reader->reply.code)
        return fail(reader, "the code changes within the reply");
    bool is_last = !cursor_take_byte(&c, '-');
    if (is_last && !cursor_at_end(&c) && !cursor_take_byte(&c, ' '))
        return fail(reader, "the code of the reply is not followed by a space");
    reader->reply.code = code;
    append_text(reader, cursor_rest(&c), is_first);
    if (reader->text.overflow)
        return fail(reader, "no memory for the reply");
    *out_is_last = is_last;
    return true;
}

enum smtp_reply_result smtp_reply_reader_next(struct smtp_reply_reader *reader,
                                              struct slice *input,
                                              struct smtp_reply *out_reply)
{
    if (reader->taken) {
        buffer_clear(&reader->text);
        reader->reply = (struct smtp_reply){ .code = 0 };
        reader->size = 0;
        reader->taken = false;
    }
    bool is_last = false;
    while (reader->fault == NULL && !is_last) {
        struct slice line;
        if (!take_line(reader, input, &line))
            break;
        size_t size = line.len;
        if (!check_line(reader, &line) || !add_line(reader, line, &is_last))
            break;
        reader->size += size;
        buffer_clear(&reader->line);
    }
    if (reader->fault != NULL)
        return SMTP_REPLY_BROKEN;
    if (!is_last)
        return SMTP_REPLY_NEED_MORE;
    reader->taken = true;
    reader->reply.text = buffer_slice(&reader->text);
    *out_reply = reader->reply;
    return SMTP_REPLY_TAKEN;
}
