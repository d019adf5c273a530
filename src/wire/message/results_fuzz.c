/* results_fuzz.c: a payload that anybody may have written. */
#include "wire/message/results.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice payload = slice_make((const char *)data, size);
    struct slice result;
    if (results_find(payload, SLICE("arc"), &result))
        must(result.len > 0 && result.data >= payload.data &&
             result.data + result.len <= payload.data + payload.len);
    return 0;
}
