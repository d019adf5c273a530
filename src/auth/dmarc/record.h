/* record.h: a DMARC policy record (RFC 9989 4.7 and 4.8). Pure; what is returned borrows
 * from the record's text. */
#ifndef GODWIT_AUTH_DMARC_RECORD_H
#define GODWIT_AUTH_DMARC_RECORD_H

#include "base/cursor.h"

enum dmarc_policy {
    DMARC_POLICY_NONE,
    DMARC_POLICY_QUARANTINE,
    DMARC_POLICY_REJECT,
};

/* "none" and so on; static. */
struct slice dmarc_policy_name(enum dmarc_policy policy);

/* A tag that is absent, one that is right, and one that is not. */
enum dmarc_tag_state {
    DMARC_TAG_ABSENT,
    DMARC_TAG_VALID,
    DMARC_TAG_INVALID,
};

struct dmarc_request_tag {
    enum dmarc_tag_state state;
    enum dmarc_policy policy; /* when it is valid */
};

enum dmarc_psd {
    DMARC_PSD_UNKNOWN,
    DMARC_PSD_YES,
    DMARC_PSD_NO,
};

struct dmarc_record {
    struct dmarc_request_tag domain;       /* "p" */
    struct dmarc_request_tag subdomains;   /* "sp" */
    struct dmarc_request_tag non_existent; /* "np" */
    enum dmarc_psd psd;
    bool is_dkim_strict;
    bool is_spf_strict;
    bool is_test;                          /* "t=y" */
    struct slice rua;                      /* lists of URIs, as written; or empty */
    struct slice ruf;
    struct slice fo;                       /* as written; or empty: "0" */
};

/* False: it does not begin with the version, and is no DMARC record at all. Tags that
 * nobody knows ("pct", "rf", "ri" of RFC 7489 among them) are passed over, and so is what
 * is no tag; of a tag said twice the first counts. */
bool dmarc_record_parse(struct slice text, struct dmarc_record *out);

/* Whether it may be acted upon: with a right "p", and no wrong "sp" or "np"; or with
 * somebody to report to, and then its policies are "none" (RFC 9989 4.10.1). */
bool dmarc_record_settle(struct dmarc_record *record);

struct dmarc_tag {
    struct slice name;
    struct slice value; /* blanks at its ends off */
};

enum dmarc_tag_result {
    DMARC_TAG,
    DMARC_TAG_NONE,     /* something else: only value is set */
    DMARC_TAG_END,
};

/* Takes what stands before the next semicolon. */
enum dmarc_tag_result dmarc_tag_next(struct cursor *c, struct dmarc_tag *out);

#endif
