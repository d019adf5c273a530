/* key_private.h: what both halves of a key share. */
#ifndef GODWIT_CRYPTO_KEY_PRIVATE_H
#define GODWIT_CRYPTO_KEY_PRIVATE_H

#include "crypto/key.h"

#include <openssl/evp.h>

/* A context that is ready for RSASSA-PKCS1-v1_5 over SHA-256 after `begin`, or NULL. */
EVP_PKEY_CTX *key_rsa_context(EVP_PKEY *key, int (*begin)(EVP_PKEY_CTX *));

/* key_public.c: one more reference, on any thread. */
struct public_key *public_key_hold(struct public_key *key);

/* key_rsa.c: an RSA public key from its usual DER; NULL: it is written otherwise, is
 * none, or there is no memory. */
EVP_PKEY *key_rsa_read(struct slice der);

#endif
