/* key_fuzz.c: what is read by hand as an RSA key, the library's decoder reads as the same
 * one; and no octets of a stranger do harm. */
#include "crypto/key_private.h"

#include "base/must.h"

#include <openssl/err.h>
#include <openssl/x509.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static EVP_PKEY *decode(struct slice der)
{
    const unsigned char *at = (const unsigned char *)der.data;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)der.len);
    if (pkey == NULL) {
        at = (const unsigned char *)der.data;
        pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)der.len);
    }
    if (pkey != NULL)
        must(at == (const unsigned char *)der.data + der.len);
    return pkey;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t digest[DIGEST_BYTES] = { 1 };
    struct slice der = slice_make(data, size);
    if (size > KEY_PUBLIC_MAX)
        return 0;
    for (int kind = KEY_RSA; kind <= KEY_ED25519; kind++) {
        struct public_key *key;
        if (public_key_read((enum key_kind)kind, der, &key) != ERR_OK)
            continue;
        (void)public_key_verify(key, digest, der);
        public_key_free(&key);
    }
    EVP_PKEY *ours = key_rsa_read(der);
    if (ours != NULL) {
        EVP_PKEY *theirs = decode(der);
        must(theirs != NULL && EVP_PKEY_eq(ours, theirs) == 1);
        EVP_PKEY_free(theirs);
        EVP_PKEY_free(ours);
    }
    ERR_clear_error();
    return 0;
}
