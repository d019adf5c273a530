/* canonical_fuzz.c: a body in pieces and as a whole has one canonical form, which is its own
 * canonical form; so has a field. */
#include "base/must.h"
#include "wire/message/canonical.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void keep(void *context, struct slice octets)
{
    buffer_append(context, octets);
}

static void make(enum canonical_kind kind, struct slice body, size_t step, struct buffer *out)
{
    struct canonical_body canonical;
    struct canonical_sink sink = { .take = keep, .context = out };
    canonical_body_init(&canonical, kind);
    for (size_t at = 0; at < body.len; at += step)
        canonical_body_push(&canonical, slice_part(body, at, step), &sink);
    canonical_body_finish(&canonical, &sink);
}

static void check_body(enum canonical_kind kind, struct slice body)
{
    struct buffer whole;
    struct buffer pieces;
    struct buffer again;
    buffer_init(&whole, 1 << 22);
    buffer_init(&pieces, 1 << 22);
    buffer_init(&again, 1 << 22);
    make(kind, body, body.len + 1, &whole);
    make(kind, body, 1, &pieces);
    make(kind, buffer_slice(&whole), 7, &again);
    must(slice_equal(buffer_slice(&whole), buffer_slice(&pieces)));
    must(slice_equal(buffer_slice(&whole), buffer_slice(&again)));
    must(buffer_len(&whole) <= body.len + 2);
    buffer_free(&whole);
    buffer_free(&pieces);
    buffer_free(&again);
}

static void check_field(enum canonical_kind kind, const struct header_field *field)
{
    struct buffer once;
    struct buffer twice;
    struct header_field again;
    buffer_init(&once, 1 << 22);
    buffer_init(&twice, 1 << 22);
    canonical_append_field(&once, kind, field, slice_make(NULL, 0));
    struct cursor c = cursor_over(buffer_slice(&once));
    must(header_next(&c, &again) == HEADER_FIELD);
    canonical_append_field(&twice, kind, &again, slice_make(NULL, 0));
    must(slice_equal(buffer_slice(&once), buffer_slice(&twice)));
    buffer_free(&once);
    buffer_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    check_body(CANONICAL_SIMPLE, input);
    check_body(CANONICAL_RELAXED, input);
    struct cursor c = cursor_over(input);
    struct header_field field;
    enum header_result got;
    while ((got = header_next(&c, &field)) != HEADER_END) {
        if (got == HEADER_FIELD) {
            check_field(CANONICAL_SIMPLE, &field);
            check_field(CANONICAL_RELAXED, &field);
        }
    }
    return 0;
}
