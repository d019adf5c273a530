/* addressees_fuzz.c: any bytes as an address list: qualifying only ever inserts the
 * domain, and doing it twice changes nothing more. */
#include "cli/addressees.h"

#include "base/must.h"

enum { INPUT_MAX = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slice domain = SLICE_INIT("h.example");
    struct buffer once;
    struct buffer twice;
    struct addressees to;
    if (size > INPUT_MAX)
        return 0;
    buffer_init(&once, INPUT_MAX * 16);
    buffer_init(&twice, INPUT_MAX * 16);
    addressees_init(&to);
    addressees_qualify(slice_make(data, size), domain, &once);
    must(buffer_len(&once) >= size && (buffer_len(&once) - size) % (domain.len + 1) == 0);
    addressees_qualify(buffer_slice(&once), domain, &twice);
    must(slice_equal(buffer_slice(&once), buffer_slice(&twice)));
    addressees_add(&to, slice_make(data, size), domain);
    must(addressees_list(&to, 0) != NULL);
    addressees_free(&to);
    buffer_free(&once);
    buffer_free(&twice);
    return 0;
}
