/* dmarc.h: whether the author's domain stands behind a message, and what it wants done
 * with one that it does not stand behind.
 *
 * RFC 9989: the DNS tree walk instead of a list of public suffixes; records of RFC 7489
 * are read, "pct" is not. A step machine without I/O and clock, as spf.h: dmarc_next()
 * asks, dmarc_answer() is told. A walk asks at most 8 questions, and names that two walks
 * share are asked once. One owner, one thread; memory that is missing makes a temperror.
 */
#ifndef GODWIT_AUTH_DMARC_DMARC_H
#define GODWIT_AUTH_DMARC_DMARC_H

#include "auth/dmarc/from.h"
#include "auth/dmarc/record.h"
#include "base/err.h"
#include "mail/lookup.h"
#include "mail/reasons.h"

enum dmarc_result {
    DMARC_NONE,      /* the domain has no policy */
    DMARC_PASS,
    DMARC_FAIL,
    DMARC_TEMPERROR,
    DMARC_PERMERROR, /* there is no one author's domain */
};

/* "none" and so on; static. */
struct slice dmarc_result_name(enum dmarc_result result);

/* What SPF or a signature says of a domain. */
enum dmarc_evidence {
    DMARC_REFUTED,   /* anything but a pass */
    DMARC_CONFIRMED, /* a pass */
    DMARC_UNDECIDED, /* a temperror: nothing can fail that depends on it */
};

struct dmarc_identifier {
    struct slice domain; /* any case, U-labels or A-labels */
    enum dmarc_evidence evidence;
};

enum { DMARC_SIGNATURES_MAX = 16 }; /* more are not looked at */

/* Copied by dmarc_begin(). */
struct dmarc_request {
    const struct dmarc_from *from;
    struct dmarc_identifier spf;          /* of the envelope's sender; domain may be empty */
    const struct dmarc_identifier *dkim;  /* the domain of each signature */
    size_t dkim_count;
};

struct dmarc;

/* ERR_MEMORY. */
enum err dmarc_begin(const struct dmarc_request *request, struct dmarc **out);

/* NULL inside is allowed. */
void dmarc_free(struct dmarc **dmarc);

/* True: *out_question is to be answered; the same until it was. False: it is done. */
bool dmarc_next(struct dmarc *dmarc, struct lookup_question *out_question);

/* Only when dmarc_next() has asked. */
void dmarc_answer(struct dmarc *dmarc, const struct lookup_answer *answer);

/* Lives as long as the evaluation. */
struct dmarc_verdict {
    enum dmarc_result result;
    enum dmarc_policy disposition;     /* what to do by the domain's wish; DMARC_POLICY_REJECT
                                          also of a permerror: nobody can tell its author */
    enum dmarc_policy policy;          /* as published for this domain, "t" not applied */
    struct slice author_domain;        /* empty when there is none */
    struct slice policy_domain;        /* whose record counts; empty: none does */
    struct slice organizational_domain; /* of the author's domain; empty: not known */
    struct slice record_text;          /* or empty */
    const struct dmarc_record *record; /* or NULL */
    bool is_spf_aligned;               /* and a pass */
    bool is_dkim_aligned;              /* one signature at least */
    const struct reasons *reasons;
};

/* Only when dmarc_next() is done. */
struct dmarc_verdict dmarc_verdict(const struct dmarc *dmarc);

/* Appends "dmarc=fail header.from=... policy.dmarc=..." for Authentication-Results
 * (RFC 9989 9.1). */
void dmarc_append_result(const struct dmarc *dmarc, struct buffer *out);

#endif
