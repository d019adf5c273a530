/* key_rsa.c: an RSA public key in the DER that nearly everybody writes (RFC 8017 A.1.1,
 * RFC 5280 4.1.2.7), read by hand: the library's own decoder takes several times as long
 * as the check of a signature. What is written in another way is left to that.
 */
#include "crypto/key_private.h"

#include "base/cursor.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>

enum { INTEGER = 0x02, BIT_STRING = 0x03, SEQUENCE = 0x30 };

/* rsaEncryption, with NULL for its parameters. */
#define ALGORITHM SLICE("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00")

/* tag, a length of at most two octets behind its first, and so many octets. */
static bool take(struct cursor *c, int tag, struct slice *out)
{
    int len = cursor_take(c) == tag ? cursor_take(c) : -1;
    if (len == 0x81) {
        len = cursor_take(c);
        len = len < 0x80 ? -1 : len; /* longer than DER writes it */
    } else if (len == 0x82) {
        int high = cursor_take(c);
        int low = cursor_take(c);
        len = high <= 0 || low < 0 ? -1 : high << 8 | low;
    } else if (len >= 0x80) {
        return false;
    }
    return len >= 0 && cursor_take_part(c, (size_t)len, out);
}

/* A number that is not negative, and written without octets that it does not need. */
static bool take_number(struct cursor *c, struct slice *out)
{
    if (!take(c, INTEGER, out) || out->len == 0 || (out->data[0] & 0x80) != 0)
        return false;
    return out->data[0] != 0 || (out->len > 1 && (out->data[1] & 0x80) != 0);
}

/* RSAPublicKey = SEQUENCE { modulus INTEGER, publicExponent INTEGER }, and no more */
static bool read_numbers(struct slice der, struct slice *modulus, struct slice *exponent)
{
    struct slice inside;
    struct cursor c = cursor_over(der);
    if (!take(&c, SEQUENCE, &inside) || !cursor_at_end(&c))
        return false;
    c = cursor_over(inside);
    return take_number(&c, modulus) && take_number(&c, exponent) && cursor_at_end(&c);
}

/* SubjectPublicKeyInfo = SEQUENCE { algorithm, BIT STRING }: what is in the latter. */
static bool unwrap(struct slice der, struct slice *out)
{
    struct slice inside, algorithm;
    struct cursor c = cursor_over(der);
    if (!take(&c, SEQUENCE, &inside) || !cursor_at_end(&c))
        return false;
    c = cursor_over(inside);
    if (!cursor_take_part(&c, ALGORITHM.len, &algorithm) ||
        !slice_equal(algorithm, ALGORITHM) || !take(&c, BIT_STRING, out) || !cursor_at_end(&c) || out->len == 0 || out->data[0] != 0)
        return false;
    *out = slice_from(*out, 1);
    return true;
}

static BIGNUM *number_of(struct slice octets)
{
    return BN_bin2bn((const unsigned char *)octets.data, (int)octets.len, NULL);
}

static EVP_PKEY *make(const BIGNUM *modulus, const BIGNUM *exponent)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *parameters = NULL;
    OSSL_PARAM_BLD *list = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    if (list != NULL && context != NULL &&
        OSSL_PARAM_BLD_push_BN(list, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(list, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        parameters = OSSL_PARAM_BLD_to_param(list);
    if (parameters != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        pkey = NULL;
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(list);
    EVP_PKEY_CTX_free(context);
    return pkey;
}

EVP_PKEY *key_rsa_read(struct slice der)
{
    struct slice modulus, exponent, key;
    if (!read_numbers(unwrap(der, &key) ? key : der, &modulus, &exponent))
        return NULL;
    BIGNUM *n = number_of(modulus);
    BIGNUM *e = number_of(exponent);
    EVP_PKEY *pkey = n == NULL || e == NULL ? NULL : make(n, e);
    BN_free(n);
    BN_free(e);
    return pkey;
}
