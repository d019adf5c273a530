/* check.h: one signature held against what the DNS says of its key (RFC 6376 6.1.2, 6.1.3).
 * Any thread.
 */
#ifndef GODWIT_AUTH_SIGNATURE_CHECK_H
#define GODWIT_AUTH_SIGNATURE_CHECK_H

#include "auth/signature/field.h"
#include "auth/signature/header.h"
#include "auth/signature/steps.h"
#include "crypto/public_keys.h"
#include "mail/lookup.h"

/* Of several records the first in this order counts. */
enum signature_check_result {
    SIGNATURE_CHECK_GOOD,
    SIGNATURE_CHECK_BAD,       /* it is not this key's over this header */
    SIGNATURE_CHECK_STRICT,    /* good, but i= is below d= and the key forbids that */
    SIGNATURE_CHECK_WEAK,      /* an RSA key under 1024 bits */
    SIGNATURE_CHECK_LARGE,     /* over 4096 bits */
    SIGNATURE_CHECK_REVOKED,
    SIGNATURE_CHECK_UNUSABLE,  /* the record is wrong, or of another kind */
    SIGNATURE_CHECK_NO_KEY,    /* there is none */
    SIGNATURE_CHECK_TEMPORARY, /* the DNS did not answer */
};

struct signature_check {
    enum signature_check_result result;
    unsigned key_bits;         /* 0: no key was read */
    bool is_testing;           /* t=y */
    bool is_secure;            /* DNSSEC vouches for the record */
};

enum { SIGNATURE_RECORDS_MAX = 4 }; /* of one name that are looked at */

/* The hash over the header that the signature is made of: what it covers, in its form, and
 * its own field, which has the given place among the others (RFC 6376 3.7). ERR_MEMORY. */
enum err signature_digest(const struct signature_field *field, size_t place,
                          struct signature_header *header, uint8_t out[DIGEST_BYTES]);

/* `digest` is that hash; `keys`, or NULL, are those read before. Tells each step. */
struct signature_check signature_check(const struct signature_field *field,
                                       const uint8_t digest[DIGEST_BYTES],
                                       const struct lookup_answer *answer,
                                       struct public_keys *keys,
                                       struct signature_steps *steps);

#endif
