/* reply_fuzz.c: a hostile server's replies: cut otherwise they are the same replies, and
 * their text has no CR and no NUL. The first octet says how to cut. */
#include "base/must.h"
#include "wire/smtp/reply_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads all; appends code and text of each to `out`; whether it broke. */
static bool read_all(struct slice input, size_t step, struct buffer *out)
{
    struct smtp_reply_reader r;
    struct smtp_reply reply;
    enum smtp_reply_result got = SMTP_REPLY_NEED_MORE;
    smtp_reply_reader_init(&r);
    while (input.len > 0 && got != SMTP_REPLY_BROKEN) {
        struct slice part = slice_part(input, 0, step);
        input = slice_from(input, part.len);
        while ((got = smtp_reply_reader_next(&r, &part, &reply)) == SMTP_REPLY_TAKEN) {
            must(reply.code >= 200 && reply.code < 600);
            must(slice_find(reply.text, '\r') == SLICE_NOT_FOUND);
            must(slice_find(reply.text, '\0') == SLICE_NOT_FOUND);
            buffer_append_number(out, reply.code);
            smtp_status_append(out, reply.status);
            buffer_append(out, reply.text);
            buffer_append_byte(out, '\0');
        }
        must(got == SMTP_REPLY_BROKEN || part.len == 0);
    }
    smtp_reply_reader_free(&r);
    return got == SMTP_REPLY_BROKEN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice input = slice_make(data + 1, size - 1);
    struct buffer first;
    struct buffer second;
    buffer_init(&first, 1 << 24);
    buffer_init(&second, 1 << 24);
    bool broken = read_all(input, input.len + 1, &first);
    must(read_all(input, 1 + data[0] % 19u, &second) == broken);
    must(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    buffer_free(&first);
    buffer_free(&second);
    return 0;
}
