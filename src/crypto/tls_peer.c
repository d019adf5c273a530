/* tls_peer.c: who the client is, by the certificate that it showed to a server that asks
 * for one. RFC 4422 A (EXTERNAL), RFC 5280 4.2.1.6 (rfc822Name), RFC 8398 is not read. */
#include "crypto/tls_private.h"

#include <openssl/x509v3.h>

/* Every certificate is let through, also none; what is wrong with it stays noted, and it
 * counts for nothing then. */
static int let_through(int good, X509_STORE_CTX *context)
{
    (void)good;
    (void)context;
    return 1;
}

static bool name_issuers(SSL_CTX *c, X509_STORE *store)
{
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
    bool good = names != NULL;
    for (int i = 0; good && i < sk_X509_OBJECT_num(objects); i++) {
        X509 *issuer = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        X509_NAME *name = issuer == NULL ? NULL : X509_NAME_dup(X509_get_subject_name(issuer));
        good = issuer == NULL || (name != NULL && sk_X509_NAME_push(names, name) > 0);
    }
    if (good)
        SSL_CTX_set0_CA_list(c, names);
    else
        sk_X509_NAME_pop_free(names, X509_NAME_free);
    return good;
}

bool tls_ask_clients(SSL_CTX *c, struct tls_trust *trust)
{
    X509_STORE *store = tls_trust_store(trust);
    if (SSL_CTX_set1_verify_cert_store(c, store) != 1 || !name_issuers(c, store))
        return false;
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, let_through);
    return true;
}

static void append_addresses(X509 *certificate, struct buffer *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_EMAIL)
            continue;
        struct slice text = slice_make(ASN1_STRING_get0_data(name->d.rfc822Name),
                                       (size_t)ASN1_STRING_length(name->d.rfc822Name));
        if (slice_find(text, '\n') != SLICE_NOT_FOUND || slice_find(text, '\0') != SLICE_NOT_FOUND)
            continue;
        buffer_append(out, text);
        buffer_append_byte(out, '\n');
    }
    GENERAL_NAMES_free(names);
}

bool tls_client_addresses(const struct tls_session *s, struct buffer *out)
{
    X509 *certificate = SSL_get0_peer_certificate(s->ssl);
    bool vouched = certificate != NULL && SSL_get_verify_mode(s->ssl) != SSL_VERIFY_NONE &&
                   SSL_get_verify_result(s->ssl) == X509_V_OK;
    if (vouched)
        append_addresses(certificate, out);
    return vouched;
}
