/* write.h: making a field with a signature: DKIM-Signature, ARC-Message-Signature, ARC-Seal
 * (RFC 6376 3.5, RFC 8617 4.1), folded so that no line has more than 77 columns if its
 * words allow it. Pure; any thread.
 */
#ifndef GODWIT_AUTH_SIGNATURE_WRITE_H
#define GODWIT_AUTH_SIGNATURE_WRITE_H

#include "auth/signature/field.h"
#include "auth/signature/header.h"

/* What is borrowed is borrowed for the call. */
struct signature_plan {
    enum signature_kind kind;
    const struct private_key *key;
    struct dns_name domain;
    struct dns_name selector;
    struct slice identity;     /* i=, of DKIM; may be empty */
    enum canonical_kind header;
    enum canonical_kind body;
    struct slice names;        /* h=, with colons between, no white space */
    int64_t signed_at_s;       /* t=; negative: without */
    int64_t expires_at_s;      /* x=; negative: without */
    unsigned instance;         /* of ARC */
    enum signature_chain chain;
};

/* The signed field is appended, with its CRLF. `digest` has taken what stands before the
 * field itself in the hash; it is finished here. `body_hash` is NULL for a seal.
 * ERR_MEMORY. */
enum err signature_write(const struct signature_plan *plan, const uint8_t *body_hash,
                         struct signature_header *header, struct digest *digest,
                         struct buffer *out);

#endif
