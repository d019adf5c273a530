/* content_fuzz.c: the octets of a client's DATA, cut as the first octets say. However
 * cut, the same comes out; sent on, it is one message with the same content; and on the
 * wire there is no bare CR, bare LF or NUL. */
#include "base/buffer.h"
#include "base/must.h"
#include "wire/smtp/content.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 1 << 24 };

static bool decode(struct content_decoder *d, struct slice input, size_t step,
                   struct buffer *out, size_t *out_left)
{
    while (input.len > 0) {
        struct slice part = slice_part(input, 0, step);
        struct slice piece;
        enum content_step got;
        input = slice_from(input, part.len);
        while ((got = content_decode(d, &part, &piece)) == CONTENT_PIECE)
            buffer_append(out, piece);
        if (got == CONTENT_END) {
            *out_left = part.len + input.len;
            return true;
        }
        must(got == CONTENT_NEED_MORE && part.len == 0);
    }
    return false;
}

static bool encode(enum line_end_rule rule, struct slice input, size_t step, struct buffer *out)
{
    struct content_encoder e;
    struct slice piece;
    enum content_step got = CONTENT_NEED_MORE;
    content_encoder_init(&e, rule);
    while (input.len > 0 && got != CONTENT_BAD) {
        struct slice part = slice_part(input, 0, step);
        input = slice_from(input, part.len);
        while ((got = content_encode(&e, &part, &piece)) == CONTENT_PIECE)
            buffer_append(out, piece);
    }
    if (content_encode_last(&e, &piece) != CONTENT_END)
        return false;
    buffer_append(out, piece);
    return true;
}

static void check_wire(struct slice wire)
{
    for (size_t i = 0; i < wire.len; i++) {
        must(wire.data[i] != '\0');
        must(wire.data[i] != '\r' || (i + 1 < wire.len && wire.data[i + 1] == '\n'));
        must(wire.data[i] != '\n' || (i > 0 && wire.data[i - 1] == '\r'));
    }
}

/* What is handed on is one message, and the same one. */
static void check_sent_on(struct slice content, const struct content_facts *facts,
                          enum line_end_rule rule, size_t step)
{
    struct buffer wire;
    struct buffer back;
    struct content_decoder d;
    size_t left;
    bool clean = !facts->has_nul && (rule == LINE_END_CONVERT || !content_has_bare_line_end(facts));
    buffer_init(&wire, ROOM);
    buffer_init(&back, ROOM);
    must(encode(LINE_END_REJECT, content, step, &wire) == clean);
    if (clean) {
        check_wire(buffer_slice(&wire));
        content_decoder_init_data(&d, LINE_END_REJECT);
        must(decode(&d, buffer_slice(&wire), step + 1, &back, &left) && left == 0);
        must(slice_equal(buffer_slice(&back), content));
    }
    buffer_free(&wire);
    buffer_free(&back);
}

static void check_rule(struct slice input, enum line_end_rule rule, size_t step)
{
    struct content_decoder whole;
    struct content_decoder cut;
    struct buffer first;
    struct buffer second;
    size_t left = 0;
    size_t cut_left = 0;
    buffer_init(&first, ROOM);
    buffer_init(&second, ROOM);
    content_decoder_init_data(&whole, rule);
    content_decoder_init_data(&cut, rule);
    bool ended = decode(&whole, input, input.len + 1, &first, &left);
    must(decode(&cut, input, step, &second, &cut_left) == ended && left == cut_left);
    must(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    must(memcmp(&whole.facts, &cut.facts, sizeof whole.facts) == 0);
    must(whole.facts.size == buffer_len(&first));
    if (ended) {
        must(buffer_len(&first) == 0 || whole.facts.ends_with_crlf);
        check_sent_on(buffer_slice(&first), &whole.facts, rule, step);
    }
    buffer_free(&first);
    buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice input = slice_make(data + 1, size - 1);
    size_t step = 1 + data[0] % 37u;
    check_rule(input, LINE_END_REJECT, step);
    check_rule(input, LINE_END_CONVERT, step);
    check_rule(input, LINE_END_KEEP, step);
    struct buffer wire;
    buffer_init(&wire, ROOM);
    if (encode(LINE_END_CONVERT, input, step, &wire)) {
        check_wire(buffer_slice(&wire));
        struct buffer back;
        struct content_decoder d;
        size_t left;
        buffer_init(&back, ROOM);
        content_decoder_init_data(&d, LINE_END_REJECT);
        must(decode(&d, buffer_slice(&wire), step, &back, &left) && left == 0);
        buffer_free(&back);
    } else {
        must(slice_find(input, '\0') != SLICE_NOT_FOUND);
    }
    buffer_free(&wire);
    return 0;
}
