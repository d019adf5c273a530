/* report.h: the file in a report that machines write to each other: DMARC and TLS.
 *
 * RFC 7489 7.2, RFC 9990, RFC 8460 5; HOSTILE 111. In its own process where mail comes from
 * strangers; one thread at a time.
 */
#ifndef GODWIT_CONTENT_REPORT_H
#define GODWIT_CONTENT_REPORT_H

#include "base/buffer.h"

enum content_report {
    CONTENT_REPORT_DMARC, /* XML */
    CONTENT_REPORT_TLS,   /* JSON */
};

/* Appends the report in `input` to `out`: in a message the first part that is one by its
 * type, its name or its first octets, else `input`; packed or not. NULL, or why not, in
 * words for people, and `out` is of no use; a static text. */
const char *content_report_find(struct slice input, enum content_report kind,
                                struct buffer *out);

#endif
