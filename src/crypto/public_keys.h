/* public_keys.h: public keys that were read, kept for the next message of the same signer:
 * reading an RSA key costs more than using it.
 *
 * Bounded; the least recently used goes first. What names a key is its octets, so that no
 * answer of the DNS is remembered here, only what became of one. Any thread.
 */
#ifndef GODWIT_CRYPTO_PUBLIC_KEYS_H
#define GODWIT_CRYPTO_PUBLIC_KEYS_H

#include "crypto/key.h"

struct public_keys;

/* At most `most` keys, at least 1. ERR_MEMORY. */
enum err public_keys_new(size_t most, struct public_keys **out);

/* NULL inside is allowed. Keys that were handed out live on until they are freed. */
void public_keys_free(struct public_keys **keys);

/* As public_key_read(), but a key that is here is not read again. `keys` may be NULL.
 * Free *out with public_key_free(). */
enum err public_keys_read(struct public_keys *keys, enum key_kind kind, struct slice octets,
                          struct public_key **out);

/* How many are kept. */
size_t public_keys_count(struct public_keys *keys);

#endif
