/* downgrade_fuzz.c: any message, whole and in pieces: the same result, no octet above
 * 127 left, and nothing more to be done to what was made. */
#include "base/must.h"
#include "base/utf8.h"
#include "wire/message/downgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool pass(struct downgrade *d, struct slice message, size_t step, struct buffer *out)
{
    bool good = true;
    for (size_t at = 0; at < message.len && good; at += step)
        good = downgrade_push(d, slice_part(message, at, step), out);
    good = good && downgrade_finish(d, out);
    downgrade_free(&d);
    return good;
}

static bool convert(struct slice message, size_t step, struct buffer *out)
{
    struct downgrade_plan plan = { .any = false };
    if (!pass(downgrade_scan_new(&plan), message, step, NULL))
        return false;
    must(pass(downgrade_convert_new(&plan), message, step, out));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice message = slice_make(data + 1, size - 1);
    struct downgrade_plan plan = { .any = false };
    struct buffer whole;
    struct buffer pieces;
    size_t max = size * 4 + 4096 + size / 4 * 200;
    buffer_init(&whole, max);
    buffer_init(&pieces, max);
    bool done = convert(message, size, &whole);
    must(convert(message, 1 + data[0] % 16u, &pieces) == done);
    if (done) {
        must(slice_equal(buffer_slice(&whole), buffer_slice(&pieces)));
        must(slice_is_ascii(buffer_slice(&whole)));
        pass(downgrade_scan_new(&plan), buffer_slice(&whole), size, NULL);
        must(!plan.any);
    }
    buffer_free(&whole);
    buffer_free(&pieces);
    return 0;
}
