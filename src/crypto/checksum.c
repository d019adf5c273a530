/* checksum.c: one-shot digests by OpenSSL. */
#include "crypto/checksum.h"

#include <openssl/err.h>
#include <openssl/evp.h>

static bool digest(const EVP_MD *kind, struct slice octets, char *out_hex)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char value[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (EVP_Digest(octets.len == 0 ? "" : octets.data, octets.len, value, &len, kind,
                   NULL) != 1) {
        ERR_clear_error();
        return false;
    }
    for (unsigned i = 0; i < len; i++) {
        out_hex[2 * i] = digits[value[i] >> 4];
        out_hex[2 * i + 1] = digits[value[i] & 15];
    }
    out_hex[2 * len] = 0;
    return true;
}

enum err checksums_of(struct slice octets, struct checksums *out)
{
    struct checksums made;
    if (!digest(EVP_md5(), octets, made.md5) || !digest(EVP_sha1(), octets, made.sha1) ||
        !digest(EVP_sha256(), octets, made.sha256))
        return ERR_MEMORY;
    *out = made;
    return ERR_OK;
}
