/* tls_dane.c: certificates that the DNS has vouched for.
 *
 * OpenSSL does the matching (RFC 7671 5, with the strongest digest of RFC 7671 9). A record
 * of usage 3 makes the host known by itself: neither name nor date counts (RFC 7672 3.1.1);
 * one of usage 2 vouches for an issuer, and the names are looked at (RFC 7672 3.2.2): those
 * of subjectAltName, or without any the common name (RFC 7672 3.2.3).
 */
#include "crypto/tls_private.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

enum { MATCHING_ALL = 0, MATCHING_SHA256 = 1, MATCHING_SHA512 = 2 };
enum { SELECTOR_CERTIFICATE = 0, SELECTOR_KEY = 1 };

/* All of the data is one certificate with a key that can be read, or one such key. */
static bool is_whole(const struct tls_association *a)
{
    const unsigned char *at = (const unsigned char *)a->data.data;
    const unsigned char *end = at + a->data.len;
    bool good = false;
    if (a->data.len == 0 || a->data.len > INT_MAX)
        return false;
    if (a->selector == SELECTOR_CERTIFICATE) {
        X509 *certificate = d2i_X509(NULL, &at, (long)a->data.len);
        good = certificate != NULL && X509_get0_pubkey(certificate) != NULL;
        X509_free(certificate);
    } else {
        EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)a->data.len);
        good = key != NULL;
        EVP_PKEY_free(key);
    }
    ERR_clear_error();
    return good && at == end;
}

bool tls_association_is_usable(const struct tls_association *a)
{
    if ((a->usage != TLS_USAGE_ISSUER && a->usage != TLS_USAGE_HOST) ||
        (a->selector != SELECTOR_CERTIFICATE && a->selector != SELECTOR_KEY))
        return false;
    switch (a->matching) {
    case MATCHING_ALL:
        return is_whole(a);
    case MATCHING_SHA256:
        return a->data.len == 32;
    case MATCHING_SHA512:
        return a->data.len == 64;
    default: /* of a peer, not one of ours */
        return false;
    }
}

static bool add_associations(SSL *ssl, const struct tls_expected *e)
{
    for (size_t i = 0; i < e->associations_count; i++) {
        const struct tls_association *a = &e->associations[i];
        if (SSL_dane_tlsa_add(ssl, a->usage, a->selector, a->matching,
                              (const unsigned char *)a->data.data, a->data.len) != 1)
            return false;
    }
    return true;
}

bool tls_dane_set(SSL *ssl, const struct tls_expected *e)
{
    char name[NAME_MAX_BYTES + 1];
    if (e->names_count == 0 || !tls_name_copy(e->names[0], name) ||
        SSL_dane_enable(ssl, name) != 1) /* asks for that name, too: RFC 7672 8.1 */
        return false;
    SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    for (size_t i = 1; i < e->names_count; i++)
        if (!tls_name_copy(e->names[i], name) || SSL_add1_host(ssl, name) != 1)
            return false;
    return add_associations(ssl, e);
}
