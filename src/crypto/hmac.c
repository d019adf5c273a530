#include "crypto/hmac.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum err hmac_make(struct slice key, struct slice octets, uint8_t out[HMAC_BYTES])
{
    unsigned len = 0;
    const unsigned char *made =
        HMAC(EVP_sha256(), key.data, (int)key.len, (const unsigned char *)octets.data,
             octets.len, out, &len);
    if (made != NULL && len == HMAC_BYTES)
        return ERR_OK;
    ERR_clear_error();
    return ERR_MEMORY;
}
