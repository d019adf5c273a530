/* password.h: what proves a password without keeping it.
 *
 * Hashes are those of crypt(5); new ones are yescrypt. A SCRAM record (RFC 5802 3, RFC
 * 7677) lets the client prove that it knows the password, and the server that it knew it
 * once. Everything here takes time on purpose: a worker's, never a loop's.
 */
#ifndef GODWIT_CRYPTO_PASSWORD_H
#define GODWIT_CRYPTO_PASSWORD_H

#include "base/buffer.h"
#include "base/err.h"

enum { PASSWORD_MAX = 512 };

/* Appends a new yescrypt hash of the password. ERR_INVALID: longer than PASSWORD_MAX, or
 * it holds a NUL; ERR_IO: no randomness; ERR_MEMORY. Blocks. Any thread. */
enum err password_hash(struct slice password, struct buffer *out);

/* Whether the hash is of a kind that password_is() can check. */
bool password_hash_is_known(struct slice hash);

/* Whether the password has that hash; compares in constant time. A hash of an unknown
 * kind has no password. Blocks. Any thread. */
bool password_is(struct slice password, struct slice hash);

enum scram_hash {
    SCRAM_SHA_1,
    SCRAM_SHA_256,
};

enum { SCRAM_HASHES = 2, SCRAM_KEY_MAX = 32, SCRAM_SALT_BYTES = 16 };

struct scram_keys {
    size_t len;                    /* of each key: what the hash gives */
    uint8_t stored[SCRAM_KEY_MAX]; /* H(HMAC(SaltedPassword, "Client Key")) */
    uint8_t server[SCRAM_KEY_MAX]; /* HMAC(SaltedPassword, "Server Key") */
};

/* The keys of a password that was prepared (RFC 4013). ERR_MEMORY. Blocks: as many rounds
 * as `iterations`. Any thread. */
enum err scram_keys_make(enum scram_hash hash, struct slice password, struct slice salt,
                         uint32_t iterations, struct scram_keys *out);

/* What stands for the salt of somebody who is not there: the same each time, and
 * nobody can tell it from a real one. `secret` is the server's. */
void scram_salt_of_nobody(struct slice secret, struct slice name,
                          uint8_t out[SCRAM_SALT_BYTES]);

/* ERR_IO: no randomness. */
enum err crypto_random(void *out, size_t len);

/* Whether both hold the same, in a time that depends on their lengths only. */
bool crypto_equal(struct slice a, struct slice b);

#endif
