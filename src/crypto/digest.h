/* digest.h: SHA-256 over octets as they come. One owner, one thread. */
#ifndef GODWIT_CRYPTO_DIGEST_H
#define GODWIT_CRYPTO_DIGEST_H

#include "base/err.h"
#include "base/slice.h"

enum { DIGEST_BYTES = 32 };

struct digest;

/* ERR_MEMORY. */
enum err digest_new(struct digest **out);

/* NULL inside is allowed. */
void digest_free(struct digest **digest);

/* What fails here is told by digest_finish(). */
void digest_update(struct digest *digest, struct slice octets);

/* What was taken so far, which goes on: two that begin alike are hashed once. */
enum err digest_copy(const struct digest *digest, struct digest **out);

/* No more may be taken afterwards. ERR_MEMORY. */
enum err digest_finish(struct digest *digest, uint8_t out[DIGEST_BYTES]);

#endif
