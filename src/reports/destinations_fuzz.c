/* destinations_fuzz.c: lists of addresses that a stranger publishes. */
#include "reports/reports_private.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct destinations d;
    if (destinations_parse(text, size % 2 == 0, &d)) {
        must(d.count <= REPORT_DESTINATIONS_MAX);
        for (size_t i = 0; i < d.count; i++) {
            must(d.all[i].host.len > 0);
            must(slice_find(d.all[i].address, '\n') == SLICE_NOT_FOUND);
            must(slice_find(d.all[i].address, '\r') == SLICE_NOT_FOUND);
        }
        destination_is_own(&d.all[0], SLICE("a.test"), SLICE("test"));
        destination_agrees(&d.all[0], text);
    }
    destinations_free(&d);
    return 0;
}
