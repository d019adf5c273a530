/* record_private.h: the terms of a record. Pure; what is returned borrows from the
 * record's text. */
#ifndef GODWIT_AUTH_SPF_RECORD_PRIVATE_H
#define GODWIT_AUTH_SPF_RECORD_PRIVATE_H

#include "auth/spf/spf.h"
#include "base/cursor.h"

enum spf_mechanism {
    SPF_MECHANISM_ALL,
    SPF_MECHANISM_INCLUDE,
    SPF_MECHANISM_A,
    SPF_MECHANISM_MX,
    SPF_MECHANISM_PTR,
    SPF_MECHANISM_IP4,
    SPF_MECHANISM_IP6,
    SPF_MECHANISM_EXISTS,
};

/* One directive. */
struct spf_term {
    struct slice text;        /* as written */
    enum spf_mechanism mechanism;
    enum spf_result result;   /* what a match means */
    struct slice domain_spec; /* empty: none */
    uint8_t address[16];      /* of ip4 and ip6 */
    uint8_t v4_bits;          /* 32 and 128 where no length was given */
    uint8_t v6_bits;
};

struct spf_record {
    struct slice terms;       /* what follows the version */
    struct slice redirect;    /* domain-specs; empty: none */
    struct slice explanation;
    bool has_all;
};

/* Whether a TXT record claims to be one. */
bool spf_record_is_spf(struct slice text);

/* Checks every term. False: *out_wrong is the first that is none, or stands twice. */
bool spf_record_parse(struct slice text, struct spf_record *out, struct slice *out_wrong);

/* Takes the next directive of record.terms; modifiers are passed over. False at the end.
 * The record has been parsed. */
bool spf_record_next(struct cursor *c, struct spf_term *out);

#endif
