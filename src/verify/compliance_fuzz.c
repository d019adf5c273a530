/* compliance_fuzz.c: a header and a body that an account may send, cut in two anywhere. */
#include "verify/compliance.h"

#include "base/list.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config = { .hostname = SLICE("mx.our.test") };
    struct slice all = slice_make((const char *)data, size);
    size_t cut = size == 0 ? 0 : data[0] % size;
    struct compliance whole, parted;
    compliance_header(&config, all, &whole);
    compliance_header(&config, slice_make(NULL, 0), &parted);
    compliance_body(&parted, slice_part(all, 0, cut));
    compliance_body(&parted, slice_from(all, cut));
    must((compliance_faults(&whole, false) & COMPLIANCE_LINES) ==
         (compliance_faults(&parted, false) & COMPLIANCE_LINES));
    return 0;
}
