/* dane_probe.c: judges a chain of certificates by TLSA records, for tests over published
 * vectors: probe_crypto_dane NAME reads lines "usage selector matching hex", an empty line
 * and the chain in PEM form; it prints "unusable", or the result and the depth that matched.
 */
#include "base/ascii.h"
#include "base/must.h"
#include "crypto/tls_private.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

enum { RECORDS_MAX = 20, LINE_MAX_BYTES = 16 * 1024 };

struct records {
    struct tls_association usable[RECORDS_MAX];
    size_t count;
};

static char *from_hex(const char *text, size_t *out_len)
{
    size_t len = strspn(text, "0123456789abcdefABCDEF") / 2;
    char *bytes = malloc(len + 1);
    must(bytes != NULL);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(ascii_hex_value(text[2 * i]) << 4 | ascii_hex_value(text[2 * i + 1]));
    *out_len = len;
    return bytes;
}

static void read_records(struct records *out)
{
    static char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof line, stdin) != NULL && line[0] != '\n') {
        unsigned u, s, m;
        int at = 0;
        size_t len;
        must(sscanf(line, "%u %u %u %n", &u, &s, &m, &at) == 3 && out->count < RECORDS_MAX);
        char *bytes = from_hex(line + at, &len);
        struct tls_association a = { (uint8_t)u, (uint8_t)s, (uint8_t)m,
                                     slice_make(bytes, len) };
        if (tls_association_is_usable(&a))
            out->usable[out->count++] = a;
        else
            free(bytes);
    }
}

static void judge(SSL *ssl, STACK_OF(X509) *chain)
{
    X509_STORE_CTX *c = X509_STORE_CTX_new();
    must(X509_STORE_CTX_init(c, SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)),
                             sk_X509_value(chain, 0), chain) == 1);
    X509_STORE_CTX_set_default(c, "ssl_server");
    X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(c), SSL_get0_param(ssl));
    X509_STORE_CTX_set0_dane(c, SSL_get0_dane(ssl));
    must(X509_verify_cert(c) >= 0);
    SSL_set_verify_result(ssl, X509_STORE_CTX_get_error(c));
    printf("%d %d\n", X509_STORE_CTX_get_error(c), SSL_get0_dane_authority(ssl, NULL, NULL));
    X509_STORE_CTX_free(c);
}

int main(int argc, char **argv)
{
    struct records records = { .count = 0 };
    struct tls_client *client;
    struct tls_session *session;
    STACK_OF(X509) *chain = sk_X509_new_null();
    X509 *one;
    if (argc != 2)
        return 2;
    read_records(&records);
    while ((one = PEM_read_X509(stdin, NULL, NULL, NULL)) != NULL)
        sk_X509_push(chain, one);
    if (records.count == 0) {
        puts("unusable");
        return 0;
    }
    struct slice name = slice_from_string(argv[1]);
    struct tls_expected expected = { .names = &name, .names_count = 1, .insists = true,
                                     .associations = records.usable,
                                     .associations_count = records.count };
    must(tls_client_open(NULL, NULL, &client) == ERR_OK);
    must(tls_session_connect(client, 0, &expected, &session) == ERR_OK);
    judge(session->ssl, chain);
    tls_session_free(&session);
    tls_client_drop(&client);
    sk_X509_pop_free(chain, X509_free);
    return 0;
}
