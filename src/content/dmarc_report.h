/* dmarc_report.h: an aggregate report of DMARC, as JSON.
 *
 * RFC 7489 Appendix C, RFC 9990; HOSTILE 112. libxml2 reads it as a stream: a DOCTYPE is
 * refused, nothing is fetched, and elements that nobody knows are passed over with all that
 * is in them. JSON, because that is what crosses to whoever keeps the rows. One thread at a
 * time; in its own process where mail comes from strangers.
 */
#ifndef GODWIT_CONTENT_DMARC_REPORT_H
#define GODWIT_CONTENT_DMARC_REPORT_H

#include "base/slice.h"

#include <jansson.h>

enum {
    DMARC_REPORT_DEPTH_MAX = 32,
    DMARC_REPORT_RECORDS_MAX = 100000,
    DMARC_REPORT_ITEMS_MAX = 250000, /* records and what there may be several of in them */
};

/* A new object: the elements by their names, numbers as numbers, words of closed lists as
 * one word ("TempError"; "Unspecified" where nothing was said); a key for each element,
 * whether it came or not. NULL, and why not, in words for people; a static text. */
json_t *dmarc_report_read(struct slice xml, const char **out_failure);

#endif
