/* reply_fuzz.c: a hostile milter's octets: cut otherwise they are the same replies, and no
 * string has a NUL. The first octet says how to cut. */
#include "base/must.h"
#include "wire/milter/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(struct buffer *out, struct slice text)
{
    must(slice_find(text, '\0') == SLICE_NOT_FOUND);
    buffer_append_number(out, text.len);
    buffer_append_byte(out, ' ');
    buffer_append(out, text);
}

static void note_reply(struct buffer *out, const struct milter_reply *r)
{
    buffer_append_byte(out, (char)r->kind);
    buffer_append_u32(out, r->index);
    buffer_append_u32(out, r->options.version ^ r->options.actions ^ r->options.protocol);
    note(out, r->name);
    note(out, r->text);
    note(out, r->parameters);
    for (size_t i = 0; i < MILTER_STAGES; i++)
        note(out, r->macros[i]);
    buffer_append(out, r->body);
}

/* Reads all; whether it broke. */
static bool read_all(struct slice input, size_t step, struct buffer *out)
{
    struct milter_reader reader;
    struct milter_reply reply;
    enum milter_reply_result got = MILTER_REPLY_NEED_MORE;
    milter_reader_init(&reader);
    while (input.len > 0 && got != MILTER_REPLY_BROKEN) {
        struct slice part = slice_part(input, 0, step);
        input = slice_from(input, part.len);
        while ((got = milter_reader_next(&reader, &part, &reply)) == MILTER_REPLY_TAKEN)
            note_reply(out, &reply);
        must(got == MILTER_REPLY_BROKEN || part.len == 0);
        must(buffer_len(&reader.packet) <= 4 + MILTER_PACKET_MAX);
    }
    milter_reader_free(&reader);
    return got == MILTER_REPLY_BROKEN;
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
