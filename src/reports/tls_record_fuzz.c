/* tls_record_fuzz.c: a record that a stranger publishes. */
#include "reports/tls_record.h"

#include "base/must.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct slice rua;
    if (tls_record_read(text, &rua))
        must(rua.len > 0 && rua.data >= text.data && rua.data + rua.len <= text.data + text.len);
    return 0;
}
