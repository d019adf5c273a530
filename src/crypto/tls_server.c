/* tls_server.c: contexts for the server's side, one for each set of names.
 *
 * RFC 6066 3 (the name that the client asks for chooses the certificate; one that is
 * not known gets the first, since senders of mail often name nothing of ours), RFC 9325
 * 3.1, 4.1 and 4.2 (versions and ciphers).
 */
#include "base/must.h"
#include "crypto/tls_private.h"

#include <openssl/err.h>
#include <stdlib.h>

/* RFC 9325 4.1 and 4.2: forward secrecy and AEAD only, and no finite fields. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

/* Of TLS 1.3 as well: in the large finite fields a client costs a thread a tenth of a
 * second with every handshake, and itself nothing. */
static const char groups[] = "X25519:P-256:X448:P-384:P-521";

/* Sessions of contexts with one identifier may be resumed by one another. */
static const unsigned char session_context[] = "godwit";

static int on_server_name(SSL *ssl, int *alert, void *argument)
{
    (void)alert;
    struct tls_server *server = argument;
    const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (asked == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    struct slice name = slice_from_string(asked);
    for (size_t i = 0; i < server->names_count; i++) {
        if (certificate_is_for(server->names[i].certificate, name)) {
            SSL_set_SSL_CTX(ssl, server->names[i].context);
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *make_context(struct tls_server *server,
                             const struct tls_server_options *options)
{
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    if (c == NULL)
        return NULL;
    bool good = SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1 &&
                SSL_CTX_set_cipher_list(c, ciphers) == 1 &&
                SSL_CTX_set1_groups_list(c, groups) == 1 &&
                SSL_CTX_set_session_id_context(c, session_context,
                                               sizeof session_context - 1) == 1 &&
                tls_tickets_serve(options->tickets, c) &&
                (options->client_trust == NULL || tls_ask_clients(c, options->client_trust));
    if (!good) {
        SSL_CTX_free(c);
        return NULL;
    }
    SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(c, 1); /* one call for a record, not two */
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF); /* tickets alone */
    SSL_CTX_set_num_tickets(c, 1);
    SSL_CTX_set_tlsext_servername_callback(c, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(c, server);
    return c;
}

static bool same_names(const struct certificate *a, const struct certificate *b)
{
    enum { NAMES_MAX = 64 * 1024 };
    struct buffer texts[8];
    for (size_t i = 0; i < 8; i++)
        buffer_init(&texts[i], NAMES_MAX);
    certificate_describe(a, &(struct certificate_facts){ &texts[0], &texts[1], &texts[2],
                                                         &texts[3] });
    certificate_describe(b, &(struct certificate_facts){ &texts[4], &texts[5], &texts[6],
                                                         &texts[7] });
    bool same = !texts[0].overflow && buffer_len(&texts[0]) > 0 &&
                slice_equal(buffer_slice(&texts[0]), buffer_slice(&texts[4]));
    for (size_t i = 0; i < 8; i++)
        buffer_free(&texts[i]);
    return same;
}

static bool has_kind(SSL_CTX *c, int kind)
{
    bool found = false;
    for (long more = SSL_CTX_set_current_cert(c, SSL_CERT_SET_FIRST); more == 1 && !found;
         more = SSL_CTX_set_current_cert(c, SSL_CERT_SET_NEXT))
        found = EVP_PKEY_get_base_id(SSL_CTX_get0_privatekey(c)) == kind;
    return found;
}

/* The context for the names of this certificate that has none of its kind of key yet;
 * a new one if need be. */
static struct tls_name *name_for(struct tls_server *server,
                                 const struct tls_server_options *options,
                                 struct certificate *certificate)
{
    for (size_t i = 0; i < server->names_count; i++) {
        struct tls_name *n = &server->names[i];
        if (!has_kind(n->context, EVP_PKEY_get_base_id(certificate->key)) &&
            same_names(n->certificate, certificate))
            return n;
    }
    struct tls_name *n = &server->names[server->names_count];
    n->context = make_context(server, options);
    if (n->context == NULL)
        return NULL;
    n->certificate = certificate_hold(certificate);
    server->names_count++;
    return n;
}

enum err tls_server_open(const struct tls_server_options *options,
                         struct tls_server **out, size_t *out_refused)
{
    size_t count = options->certificates_count;
    must(count > 0);
    struct tls_server *server = calloc(1, sizeof *server + count * sizeof(struct tls_name));
    if (server == NULL)
        return ERR_MEMORY;
    atomic_init(&server->references, 1);
    enum err error = ERR_OK;
    for (size_t i = 0; i < count && error == ERR_OK; i++) {
        struct certificate *certificate = options->certificates[i];
        struct tls_name *n = name_for(server, options, certificate);
        if (n == NULL) {
            error = ERR_MEMORY;
        } else if (SSL_CTX_use_cert_and_key(n->context, certificate->leaf,
                                            certificate->key, certificate->chain,
                                            1) != 1) {
            *out_refused = i;
            error = ERR_INVALID;
        }
    }
    ERR_clear_error();
    if (error != ERR_OK) {
        tls_server_drop(&server);
        return error;
    }
    *out = server;
    return ERR_OK;
}

struct tls_server *tls_server_hold(struct tls_server *server)
{
    atomic_fetch_add(&server->references, 1);
    return server;
}

void tls_server_drop(struct tls_server **place)
{
    struct tls_server *server = *place;
    *place = NULL;
    if (server == NULL || atomic_fetch_sub(&server->references, 1) > 1)
        return;
    for (size_t i = 0; i < server->names_count; i++) {
        SSL_CTX_free(server->names[i].context);
        certificate_drop(&server->names[i].certificate);
    }
    free(server);
}
