/* key_make.c: new keys, as PEM. */
#include "crypto/key_private.h"

#include <openssl/err.h>
#include <openssl/pem.h>

enum err private_key_make(enum key_kind kind, unsigned bits, struct buffer *out_pem)
{
    char *text;
    if (kind == KEY_RSA && (bits < KEY_RSA_BITS_MIN || bits > KEY_RSA_BITS_MAX))
        return ERR_INVALID;
    EVP_PKEY *key = kind == KEY_RSA ? EVP_RSA_gen(bits)
                                    : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *bio = BIO_new(BIO_s_secmem());
    bool made = key != NULL && bio != NULL &&
                PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;
    long len = made ? BIO_get_mem_data(bio, &text) : 0;
    if (len > 0)
        buffer_append(out_pem, slice_make(text, (size_t)len));
    BIO_free(bio);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return len > 0 && !out_pem->overflow ? ERR_OK : ERR_MEMORY;
}
