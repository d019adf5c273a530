/* certificate_make.c: a certificate that vouches for itself: enough to encrypt by, for
 * a quick start and for tests. */
#include "crypto/certificate_private.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum { SERIAL_BYTES = 16, DAY_S = 24 * 3600, NAME_BYTES_MAX = 253 };

/* Letters, digits, dots, hyphens and, since machines are called so, underscores: nothing
 * that the extension's own syntax knows. */
static bool is_plain(struct slice name)
{
    if (name.len == 0 || name.len > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (!good)
            return false;
    }
    return true;
}

static bool set_serial(X509 *x)
{
    unsigned char bytes[SERIAL_BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[0] &= 0x7f; /* RFC 5280 4.1.2.2: positive, at most 20 octets */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool done = number != NULL &&
                BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL;
    BN_free(number);
    return done;
}

static bool add_extension(X509 *x, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool done = extension != NULL && X509_add_ext(x, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done;
}

static bool set_names(X509 *x, struct slice name)
{
    char alternative[NAME_BYTES_MAX + 8];
    snprintf(alternative, sizeof alternative, "DNS:%.*s", (int)name.len, name.data);
    X509_NAME *subject = X509_get_subject_name(x);
    /* RFC 5280: a common name has at most 64 characters; the alternative name counts */
    int len = name.len > 64 ? 64 : (int)name.len;
    return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                      (const unsigned char *)name.data, len, -1, 0) == 1 &&
           X509_set_issuer_name(x, subject) == 1 &&
           add_extension(x, NID_subject_alt_name, alternative) &&
           add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(x, NID_key_usage, "critical,digitalSignature") &&
           add_extension(x, NID_ext_key_usage, "serverAuth,clientAuth");
}

static bool set_times(X509 *x, int64_t now_wall_ms, unsigned days)
{
    time_t now = (time_t)(now_wall_ms / 1000);
    return ASN1_TIME_set(X509_getm_notBefore(x), now - DAY_S) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(x), now + (time_t)days * DAY_S) != NULL;
}

static bool put(BIO *bio, struct buffer *out)
{
    char *text;
    long len = BIO_get_mem_data(bio, &text);
    if (len <= 0)
        return false;
    buffer_append(out, slice_make(text, (size_t)len));
    return !out->overflow;
}

static bool write_out(X509 *x, EVP_PKEY *key, struct buffer *out_chain_pem,
                      struct buffer *out_key_pem)
{
    BIO *chain = BIO_new(BIO_s_mem());
    BIO *secret = BIO_new(BIO_s_secmem());
    bool done = chain != NULL && secret != NULL && PEM_write_bio_X509(chain, x) == 1 &&
                PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                put(chain, out_chain_pem) && put(secret, out_key_pem);
    BIO_free(chain);
    BIO_free(secret);
    return done;
}

enum err certificate_make(struct slice name, int64_t now_wall_ms, unsigned days,
                          struct buffer *out_chain_pem, struct buffer *out_key_pem)
{
    if (!is_plain(name))
        return ERR_INVALID;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    bool done = key != NULL && x != NULL && X509_set_version(x, X509_VERSION_3) == 1 &&
                set_serial(x) && set_times(x, now_wall_ms, days) &&
                X509_set_pubkey(x, key) == 1 && set_names(x, name) &&
                X509_sign(x, key, EVP_sha256()) > 0 &&
                write_out(x, key, out_chain_pem, out_key_pem);
    X509_free(x);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return done ? ERR_OK : ERR_MEMORY;
}
