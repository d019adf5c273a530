/* key.h: the keys that sign and check a SHA-256 digest: RSA (RSASSA-PKCS1-v1_5, RFC 8017
 * 8.2) and Ed25519 (RFC 8032; over the digest's octets, RFC 8463 3).
 *
 * Keys are immutable; any thread may use one.
 */
#ifndef GODWIT_CRYPTO_KEY_H
#define GODWIT_CRYPTO_KEY_H

#include "base/buffer.h"
#include "base/err.h"
#include "crypto/digest.h"

enum key_kind {
    KEY_RSA,
    KEY_ED25519,
};

enum {
    KEY_RSA_BITS_MIN = 1024, /* RFC 8301 3.2 */
    KEY_RSA_BITS_MAX = 4096,
    KEY_SIGNATURE_MAX = KEY_RSA_BITS_MAX / 8,
    KEY_PUBLIC_MAX = 4096,   /* octets of a public key that are looked at */
};

struct public_key;

/* From a key record: RSA as SubjectPublicKeyInfo or RSAPublicKey in DER, Ed25519 as its 32
 * octets. Of any size: ask public_key_bits(). ERR_INVALID, ERR_MEMORY. */
enum err public_key_read(enum key_kind kind, struct slice octets, struct public_key **out);

/* Gives a reference up; NULL inside is allowed. */
void public_key_free(struct public_key **key);

unsigned public_key_bits(const struct public_key *key);

/* Whether the signature is this key's over the digest. False of an RSA key that is not
 * between the two sizes above: it is not used. */
bool public_key_verify(const struct public_key *key, const uint8_t digest[DIGEST_BYTES],
                       struct slice signature);

struct private_key;

/* Why a key cannot be used, in words that name no file. */
struct key_trouble {
    char text[120];
};

/* PEM of PKCS#8 or PKCS#1 without a pass phrase, RSA of the sizes above or Ed25519.
 * ERR_INVALID with *out_trouble set, or ERR_MEMORY. One reference. */
enum err private_key_read(struct slice pem, struct private_key **out,
                          struct key_trouble *out_trouble);

/* Appends a new key as such PEM; `bits` are of RSA alone. The caller wipes it. Takes a
 * second at times. ERR_INVALID: RSA of that size is not used; ERR_MEMORY. */
enum err private_key_make(enum key_kind kind, unsigned bits, struct buffer *out_pem);

struct private_key *private_key_hold(struct private_key *key);
/* NULL inside is allowed. */
void private_key_drop(struct private_key **key);

enum key_kind private_key_kind(const struct private_key *key);
unsigned private_key_bits(const struct private_key *key);

/* Appends the public half in the form that public_key_read() takes. */
enum err private_key_public(const struct private_key *key, struct buffer *out);

/* Appends the signature: at most KEY_SIGNATURE_MAX octets. */
enum err private_key_sign(const struct private_key *key,
                          const uint8_t digest[DIGEST_BYTES], struct buffer *out);

#endif
