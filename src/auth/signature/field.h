/* field.h: what a field with a signature says: DKIM-Signature (RFC 6376 3.5), and
 * ARC-Message-Signature and ARC-Seal, which are made in its image (RFC 8617 4.1.2, 4.1.3).
 * Pure; any thread.
 */
#ifndef GODWIT_AUTH_SIGNATURE_FIELD_H
#define GODWIT_AUTH_SIGNATURE_FIELD_H

#include "crypto/key.h"
#include "wire/dns/name.h"
#include "wire/message/canonical.h"

enum signature_kind {
    SIGNATURE_DKIM,
    SIGNATURE_ARC_MESSAGE,
    SIGNATURE_ARC_SEAL,
};

/* What is wrong with a field. */
enum signature_fault {
    SIGNATURE_FINE,
    SIGNATURE_NO_LIST,             /* no list of tags */
    SIGNATURE_TAG_MISSING,         /* `about` says which */
    SIGNATURE_TAG_FORBIDDEN,       /* likewise */
    SIGNATURE_VALUE,               /* likewise: its value cannot be read */
    SIGNATURE_ALGORITHM_BROKEN,    /* SHA-1: RFC 8301 3.1 */
    SIGNATURE_ALGORITHM_UNKNOWN,
    SIGNATURE_CANONICAL_UNKNOWN,
    SIGNATURE_QUERY_UNKNOWN,
    SIGNATURE_TOO_MANY_NAMES,      /* over SIGNATURE_NAMES_MAX */
    SIGNATURE_FROM_UNSIGNED,       /* RFC 6376 6.1.1 */
    SIGNATURE_IDENTITY_FOREIGN,    /* the domain of i= is not below d= */
    SIGNATURE_EXPIRES_EARLY,       /* x= is not after t= */
};

/* In words; static text that the name of a tag may follow. */
const char *signature_fault_text(enum signature_fault fault);

/* "rsa-sha256"; static text. */
const char *signature_algorithm_text(enum key_kind kind);

enum signature_chain {             /* the "cv" of a seal */
    SIGNATURE_CHAIN_NONE,
    SIGNATURE_CHAIN_FAIL,
    SIGNATURE_CHAIN_PASS,
};

enum {
    SIGNATURE_NAMES_MAX = 256,
    SIGNATURE_INSTANCE_MAX = 50,   /* RFC 8617 4.2.1 */
    SIGNATURE_FIELD_MAX = 32 * 1024, /* octets; a larger field is not looked at */
};

/* Borrows from the field. After a fault only `about` is of use, and what of instance, domain
 * and selector was read before it: 0 or empty otherwise. */
struct signature_field {
    struct header_field field;
    const char *about;             /* the tag that a fault is about, or NULL */
    enum key_kind algorithm;
    enum canonical_kind header;
    enum canonical_kind body;
    enum signature_chain chain;
    unsigned instance;
    struct slice names;            /* h= */
    struct slice identity;         /* i= as written, or empty */
    bool identity_is_below;        /* its domain is a true subdomain of d= */
    struct dns_name domain;        /* in A-labels, lower case: RFC 8616 4 */
    struct dns_name selector;
    struct dns_name key_name;      /* what to ask for */
    struct slice signature_raw;    /* what "b=" holds, to be left out of the hash */
    struct slice signature_text;   /* without white space around it */
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t signature_len;
    uint8_t body_hash[DIGEST_BYTES];
    uint64_t body_limit;           /* l=, or UINT64_MAX */
    int64_t signed_at_s;           /* t=, or -1; what is beyond all years is INT64_MAX */
    int64_t expires_at_s;          /* x=, or -1 */
};

enum signature_fault signature_field_read(enum signature_kind kind,
                                          const struct header_field *field,
                                          struct signature_field *out);

/* The canonical form of a domain or a selector. False when it can be none. */
bool signature_name_read(struct slice text, struct dns_name *out);

/* Whether the domain of "[local]@domain" is `domain` or one below it (RFC 6376 3.5). False
 * when it is none at all. */
bool signature_identity_is_of(struct slice identity, const struct dns_name *domain,
                              bool *out_is_below);

/* The name of the key: selector._domainkey.domain. False when it is too long. */
bool signature_key_name(const struct dns_name *selector, const struct dns_name *domain,
                        struct dns_name *out);

#endif
