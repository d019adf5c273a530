/* proxy_fuzz.c: any bytes as a PROXY header. */
#include "net/proxy.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header header;
    struct slice bytes = slice_make(data, size);
    enum proxy_result result = proxy_parse(bytes, &header);
    if (result == PROXY_DONE)
        must(header.len <= size && header.len <= PROXY_HEADER_MAX);
    if (result == PROXY_MORE)
        must(size < PROXY_HEADER_MAX);
    return 0;
}
