/* parse_report.c: what other servers tell of our mail once a day. */
#include "cli/parse_private.h"

#include "content/dmarc_report.h"
#include "content/report.h"
#include "content/tls_report.h"
#include "content/unpack.h"

typedef json_t *read_fn(struct slice report, const char **out_failure);

static json_t *parse(struct slice input, enum content_report kind, read_fn *read)
{
    struct buffer report;
    buffer_init(&report, 2 * CONTENT_UNPACKED_MAX);
    json_t *answer = NULL;
    const char *failure = content_report_find(input, kind, &report);
    if (failure == NULL)
        answer = read(buffer_slice(&report), &failure);
    if (answer == NULL)
        answer = json_pack("{s:s}", "error", failure);
    buffer_free(&report);
    return answer;
}

json_t *parse_dmarc_report(struct slice input)
{
    return parse(input, CONTENT_REPORT_DMARC, dmarc_report_read);
}

json_t *parse_tls_report(struct slice input)
{
    return parse(input, CONTENT_REPORT_TLS, tls_report_read);
}
