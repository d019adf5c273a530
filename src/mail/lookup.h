/* lookup.h: a question to the DNS and its answer, as values.
 *
 * What checks a message (SPF, DKIM, DMARC, ARC) asks in this form and never sees a
 * socket: a resolver, a zone in a test's hand and a fuzzer answer alike.
 */
#ifndef GODWIT_MAIL_LOOKUP_H
#define GODWIT_MAIL_LOOKUP_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed from who asks, until the answer was given. */
struct lookup_question {
    struct slice name; /* as text, without the final dot; may be no legal name, which
                          is then answered LOOKUP_NXDOMAIN */
    uint16_t type;     /* enum dns_type of wire/dns/message.h */
};

enum lookup_kind {
    LOOKUP_FOUND,    /* at least one record */
    LOOKUP_NODATA,   /* the name exists, records of this type do not */
    LOOKUP_NXDOMAIN,
    LOOKUP_FAILED,   /* time-out, SERVFAIL, bogus: another time it may be answered */
};

/* Borrowed from who answers, for the call. CNAMEs were followed. */
struct lookup_answer {
    enum lookup_kind kind;
    bool secure;                  /* DNSSEC validated; also of NODATA and NXDOMAIN */
    uint32_t ttl_s;
    const struct slice *records;  /* the data of each, names in it uncompressed */
    size_t records_count;
};

#endif
