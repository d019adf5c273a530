/* bounce_fuzz.c: any message at all is of some kind, and its recipients are well formed. */
#include "bounce/bounce.h"

#include "base/must.h"
#include "wire/report/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct bounce bounce;
    arena_init(&arena, REPORT_ARENA_BYTES);
    if (bounce_read(slice_make(data, size), &arena, &bounce)) {
        must((bounce.count == 0) == (bounce.kind == BOUNCE_KIND_NONE));
        for (size_t i = 0; i < bounce.count; i++) {
            const struct bounce_recipient *r = &bounce.recipients[i];
            must(r->reason < BOUNCE_REASONS);
            must(r->code == 0 || r->code / 100 == r->status.class);
            must(!r->is_hard || r->status.class != 4);
        }
    }
    arena_free(&arena);
    return 0;
}
