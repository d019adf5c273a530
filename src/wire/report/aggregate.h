/* aggregate.h: an aggregate report of DMARC as XML (RFC 9990 3.1 and Appendix A).
 *
 * Written piece by piece, in order: the head, a record for each row, the tail. Texts are
 * escaped, and cut where they could not be meant. Pure; any thread.
 */
#ifndef GODWIT_WIRE_REPORT_AGGREGATE_H
#define GODWIT_WIRE_REPORT_AGGREGATE_H

#include "base/buffer.h"

enum { AGGREGATE_TEXT_MAX = 1024 }; /* octets of one text */

/* Empty texts of what may be left out are left out. */
struct aggregate_head {
    struct slice organization;  /* org_name */
    struct slice email;
    struct slice contact;       /* extra_contact_info, or empty */
    struct slice report_id;
    int64_t begin_s;            /* since 1970 */
    int64_t end_s;              /* the last second that is in it */
    struct slice domain;        /* at which the record was found */
    struct slice p;             /* "none", "quarantine", "reject" */
    struct slice sp;            /* likewise, or empty */
    struct slice np;
    struct slice fo;            /* or empty */
    bool is_dkim_strict;
    bool is_spf_strict;
    bool is_test;               /* t=y */
};

struct aggregate_reason {
    struct slice type;          /* "local_policy" and so on */
    struct slice comment;       /* or empty */
};

struct aggregate_signature {
    struct slice domain;
    struct slice selector;
    struct slice result;        /* "pass" and so on, as in Authentication-Results */
};

struct aggregate_record {
    struct slice source;        /* the client's address */
    uint64_t count;
    struct slice disposition;   /* "none", "pass", "quarantine", "reject" */
    bool is_dkim_aligned;
    bool is_spf_aligned;
    const struct aggregate_reason *reasons;
    size_t reasons_count;
    struct slice header_from;
    struct slice envelope_from; /* a domain, or empty */
    const struct aggregate_signature *signatures;
    size_t signatures_count;
    struct slice spf_domain;    /* empty: SPF was not evaluated for the sender */
    struct slice spf_result;
};

void aggregate_append_head(struct buffer *out, const struct aggregate_head *head);
void aggregate_append_record(struct buffer *out, const struct aggregate_record *record);
void aggregate_append_tail(struct buffer *out);

#endif
