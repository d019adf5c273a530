/* key.c: private keys of our own: PEM in, signatures out. */
#include "crypto/key_private.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { PEM_BYTES_MAX = 64 * 1024 };

struct private_key {
    atomic_uint references;
    enum key_kind kind;
    EVP_PKEY *pkey;
};

/* A key with a pass phrase is refused, never asked about on a terminal. */
static int no_pass_phrase(char *into, int size, int writing, void *context)
{
    (void)into;
    (void)size;
    (void)writing;
    *(bool *)context = true;
    return -1;
}

static enum err trouble(struct key_trouble *out, const char *text)
{
    snprintf(out->text, sizeof out->text, "%s", text);
    return ERR_INVALID;
}

static enum err check(struct private_key *key, struct key_trouble *out)
{
    int bits = EVP_PKEY_get_bits(key->pkey);
    int id = EVP_PKEY_get_base_id(key->pkey);
    key->kind = id == EVP_PKEY_ED25519 ? KEY_ED25519 : KEY_RSA;
    if (id != EVP_PKEY_ED25519 && id != EVP_PKEY_RSA)
        return trouble(out, "the key is neither RSA nor Ed25519");
    if (id == EVP_PKEY_RSA && bits < KEY_RSA_BITS_MIN)
        return trouble(out, "the RSA key has fewer than 1024 bits, which nobody accepts");
    if (id == EVP_PKEY_RSA && bits > KEY_RSA_BITS_MAX)
        return trouble(out, "the RSA key has more than 4096 bits, which few accept");
    return ERR_OK;
}

enum err private_key_read(struct slice pem, struct private_key **out,
                          struct key_trouble *out_trouble)
{
    bool asked = false;
    if (pem.len > PEM_BYTES_MAX)
        return trouble(out_trouble, "the key is too large");
    struct private_key *key = calloc(1, sizeof *key);
    BIO *bio = BIO_new_mem_buf(pem.data == NULL ? "" : pem.data, (int)pem.len);
    enum err error = key == NULL || bio == NULL ? ERR_MEMORY : ERR_OK;
    if (error == ERR_OK) {
        atomic_init(&key->references, 1);
        key->pkey = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, &asked);
        if (asked)
            error = trouble(out_trouble, "the key has a pass phrase, which cannot be asked for");
        else if (key->pkey == NULL)
            error = trouble(out_trouble, "there is no private key in PEM form in it");
        else
            error = check(key, out_trouble);
    }
    BIO_free(bio);
    ERR_clear_error();
    if (error == ERR_OK)
        *out = key;
    else
        private_key_drop(&key);
    return error;
}

struct private_key *private_key_hold(struct private_key *key)
{
    atomic_fetch_add(&key->references, 1);
    return key;
}

void private_key_drop(struct private_key **key)
{
    struct private_key *k = *key;
    *key = NULL;
    if (k == NULL || atomic_fetch_sub(&k->references, 1) > 1)
        return;
    EVP_PKEY_free(k->pkey);
    free(k);
}

enum key_kind private_key_kind(const struct private_key *key)
{
    return key->kind;
}

unsigned private_key_bits(const struct private_key *key)
{
    return (unsigned)EVP_PKEY_get_bits(key->pkey);
}

enum err private_key_public(const struct private_key *key, struct buffer *out)
{
    unsigned char raw[64];
    unsigned char *der = NULL;
    size_t raw_len = sizeof raw;
    int der_len = 0;
    bool made;
    if (key->kind == KEY_ED25519) {
        made = EVP_PKEY_get_raw_public_key(key->pkey, raw, &raw_len) == 1;
        if (made)
            buffer_append(out, slice_make(raw, raw_len));
    } else {
        der_len = i2d_PUBKEY(key->pkey, &der);
        made = der_len > 0;
        if (made)
            buffer_append(out, slice_make(der, (size_t)der_len));
        OPENSSL_free(der);
    }
    ERR_clear_error();
    return made && !out->overflow ? ERR_OK : ERR_MEMORY;
}

static bool sign_rsa(const struct private_key *key, const uint8_t *digest,
                     unsigned char *into, size_t *len)
{
    EVP_PKEY_CTX *context = key_rsa_context(key->pkey, EVP_PKEY_sign_init);
    bool made = context != NULL &&
                EVP_PKEY_sign(context, into, len, digest, DIGEST_BYTES) == 1;
    EVP_PKEY_CTX_free(context);
    return made;
}

static bool sign_ed25519(const struct private_key *key, const uint8_t *digest,
                         unsigned char *into, size_t *len)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool made = context != NULL &&
                EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
                EVP_DigestSign(context, into, len, digest, DIGEST_BYTES) == 1;
    EVP_MD_CTX_free(context);
    return made;
}

enum err private_key_sign(const struct private_key *key,
                          const uint8_t digest[DIGEST_BYTES], struct buffer *out)
{
    unsigned char signature[KEY_SIGNATURE_MAX];
    size_t len = sizeof signature;
    bool made = key->kind == KEY_RSA ? sign_rsa(key, digest, signature, &len)
                                     : sign_ed25519(key, digest, signature, &len);
    ERR_clear_error();
    if (made)
        buffer_append(out, slice_make(signature, len));
    return made && !out->overflow ? ERR_OK : ERR_MEMORY;
}
