/* body.h: the hashes of a body as it flows by; nothing of it is held (RFC 6376 3.7).
 * Signatures that hash alike share one hash. One owner, one thread.
 */
#ifndef GODWIT_AUTH_SIGNATURE_BODY_H
#define GODWIT_AUTH_SIGNATURE_BODY_H

#include "crypto/digest.h"
#include "wire/message/canonical.h"

enum { SIGNATURE_BODY_HASHES_MAX = 10, SIGNATURE_GATHERED_MAX = 1024 };

struct signature_body_hash {
    enum canonical_kind form;
    uint64_t limit;      /* octets of the canonical body that are hashed at most */
    struct digest *digest;
    uint8_t hash[DIGEST_BYTES];
};

/* Small pieces, which would cost more than the hash, until they are some more. */
struct signature_gathered {
    size_t len;
    char octets[SIGNATURE_GATHERED_MAX];
};

/* Make it with { .count = 0 }. */
struct signature_body {
    struct signature_body_hash hashes[SIGNATURE_BODY_HASHES_MAX];
    size_t count;
    struct canonical_body forms[2]; /* by enum canonical_kind */
    struct signature_gathered gathered[2]; /* likewise */
    uint64_t totals[2];  /* octets of the canonical body that went by */
};

void signature_body_free(struct signature_body *body);

/* Asks for a hash, before the body begins. Over SIGNATURE_BODY_HASHES_MAX is our bug.
 * ERR_MEMORY. */
enum err signature_body_want(struct signature_body *body, enum canonical_kind form,
                             uint64_t limit, size_t *out_index);

void signature_body_push(struct signature_body *body, struct slice piece);

/* Then hashes[index].hash and totals[form] are set. ERR_MEMORY. */
enum err signature_body_finish(struct signature_body *body);

#endif
