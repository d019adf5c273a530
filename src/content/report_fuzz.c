/* report_fuzz.c: any message, archive or document is a report, or none for a reason. */
#include "base/must.h"
#include "content/dmarc_report.h"
#include "content/report.h"
#include "content/tls_report.h"
#include "content/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef json_t *read_fn(struct slice report, const char **out_failure);

static void read_both(struct slice input, enum content_report kind, read_fn *read)
{
    struct buffer found;
    buffer_init(&found, 2 * CONTENT_UNPACKED_MAX);
    const char *failure = content_report_find(input, kind, &found);
    if (failure == NULL) {
        must(buffer_len(&found) <= CONTENT_UNPACKED_MAX + 1);
        json_t *report = read(buffer_slice(&found), &failure);
        must(report != NULL || failure != NULL);
        json_decref(report);
    }
    buffer_free(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make((const char *)data, size);
    read_both(input, CONTENT_REPORT_DMARC, dmarc_report_read);
    read_both(input, CONTENT_REPORT_TLS, tls_report_read);
    return 0;
}
