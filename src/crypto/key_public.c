/* key_public.c: public keys of strangers, read and used with their limits. */
#include "crypto/key_private.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    ED25519_BYTES = 32,
    EXPONENT_BITS_MAX = 64, /* a larger one only costs time */
};

struct public_key {
    enum key_kind kind;
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *verifying; /* RSA: ready; copied for each use, which costs less than to
                                make one */
    atomic_uint references;
};

EVP_PKEY_CTX *key_rsa_context(EVP_PKEY *key, int (*begin)(EVP_PKEY_CTX *))
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    if (context != NULL && begin(context) == 1 &&
        EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
        EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1)
        return context;
    EVP_PKEY_CTX_free(context);
    return NULL;
}

static bool exponent_is_fair(const EVP_PKEY *pkey)
{
    BIGNUM *exponent = NULL;
    bool fair = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 &&
                BN_num_bits(exponent) <= EXPONENT_BITS_MAX;
    BN_free(exponent);
    return fair;
}

static EVP_PKEY *read_rsa(struct slice der)
{
    const unsigned char *at = (const unsigned char *)der.data;
    EVP_PKEY *pkey = key_rsa_read(der);
    if (pkey != NULL && exponent_is_fair(pkey))
        return pkey;
    EVP_PKEY_free(pkey);
    pkey = d2i_PUBKEY(NULL, &at, (long)der.len);
    if (pkey == NULL) {
        at = (const unsigned char *)der.data;
        pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)der.len);
    }
    if (pkey != NULL && (at != (const unsigned char *)der.data + der.len ||
                         EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA ||
                         !exponent_is_fair(pkey))) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    return pkey;
}

enum err public_key_read(enum key_kind kind, struct slice octets, struct public_key **out)
{
    if (octets.len == 0 || octets.len > KEY_PUBLIC_MAX ||
        (kind == KEY_ED25519 && octets.len != ED25519_BYTES))
        return ERR_INVALID;
    struct public_key *key = calloc(1, sizeof *key);
    if (key == NULL)
        return ERR_MEMORY;
    key->kind = kind;
    atomic_init(&key->references, 1);
    key->pkey = kind == KEY_RSA ? read_rsa(octets)
                                : EVP_PKEY_new_raw_public_key(
                                      EVP_PKEY_ED25519, NULL,
                                      (const unsigned char *)octets.data, octets.len);
    ERR_clear_error();
    if (key->pkey == NULL) {
        public_key_free(&key);
        return ERR_INVALID;
    }
    if (kind == KEY_RSA)
        key->verifying = key_rsa_context(key->pkey, EVP_PKEY_verify_init);
    if (kind == KEY_RSA && key->verifying == NULL) {
        public_key_free(&key);
        return ERR_MEMORY;
    }
    *out = key;
    return ERR_OK;
}

struct public_key *public_key_hold(struct public_key *key)
{
    atomic_fetch_add_explicit(&key->references, 1, memory_order_relaxed);
    return key;
}

void public_key_free(struct public_key **key)
{
    struct public_key *k = *key;
    *key = NULL;
    if (k == NULL || atomic_fetch_sub_explicit(&k->references, 1, memory_order_acq_rel) > 1)
        return;
    EVP_PKEY_CTX_free(k->verifying);
    EVP_PKEY_free(k->pkey);
    free(k);
}

unsigned public_key_bits(const struct public_key *key)
{
    int bits = EVP_PKEY_get_bits(key->pkey);
    return bits < 0 ? 0 : (unsigned)bits;
}

static bool verify_rsa(const struct public_key *key, const uint8_t *digest,
                       struct slice signature)
{
    unsigned bits = public_key_bits(key);
    if (bits < KEY_RSA_BITS_MIN || bits > KEY_RSA_BITS_MAX)
        return false;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_dup(key->verifying);
    bool good = context != NULL &&
                EVP_PKEY_verify(context, (const unsigned char *)signature.data,
                                signature.len, digest, DIGEST_BYTES) == 1;
    EVP_PKEY_CTX_free(context);
    return good;
}

static bool verify_ed25519(const struct public_key *key, const uint8_t *digest,
                           struct slice signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL &&
                EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
                EVP_DigestVerify(context, (const unsigned char *)signature.data,
                                 signature.len, digest, DIGEST_BYTES) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

bool public_key_verify(const struct public_key *key, const uint8_t digest[DIGEST_BYTES],
                       struct slice signature)
{
    if (signature.len == 0)
        return false;
    bool good = key->kind == KEY_RSA ? verify_rsa(key, digest, signature)
                                     : verify_ed25519(key, digest, signature);
    ERR_clear_error();
    return good;
}
