/* digest.c: SHA-256 by OpenSSL. */
#include "crypto/digest.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct digest {
    EVP_MD_CTX *context;
    bool failed;
};

static struct digest *empty(void)
{
    struct digest *digest = calloc(1, sizeof *digest);
    if (digest != NULL)
        digest->context = EVP_MD_CTX_new();
    if (digest != NULL && digest->context == NULL)
        digest_free(&digest);
    return digest;
}

enum err digest_new(struct digest **out)
{
    struct digest *digest = empty();
    if (digest == NULL)
        return ERR_MEMORY;
    digest->failed = EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1;
    *out = digest;
    return ERR_OK;
}

void digest_free(struct digest **digest)
{
    if (*digest != NULL)
        EVP_MD_CTX_free((*digest)->context);
    free(*digest);
    *digest = NULL;
}

void digest_update(struct digest *digest, struct slice octets)
{
    if (octets.len > 0 && !digest->failed && /* after which it may not be touched */
        EVP_DigestUpdate(digest->context, octets.data, octets.len) != 1)
        digest->failed = true;
}

enum err digest_copy(const struct digest *digest, struct digest **out)
{
    struct digest *copy = empty();
    if (copy == NULL)
        return ERR_MEMORY;
    copy->failed = digest->failed ||
                   EVP_MD_CTX_copy_ex(copy->context, digest->context) != 1;
    *out = copy;
    return ERR_OK;
}

enum err digest_finish(struct digest *digest, uint8_t out[DIGEST_BYTES])
{
    uint8_t made[EVP_MAX_MD_SIZE];
    if (digest->failed || EVP_DigestFinal_ex(digest->context, made, NULL) != 1) {
        ERR_clear_error();
        return ERR_MEMORY;
    }
    memcpy(out, made, DIGEST_BYTES);
    return ERR_OK;
}
