/* tls_client.c: contexts and sessions of the client's side.
 *
 * RFC 5280 6 (the path to an issuer that is believed), RFC 6125 6.4 (names: those of
 * subjectAltName alone, "*" for one whole leftmost label), RFC 6066 3 (server name),
 * RFC 7435 3 (encryption without knowing to whom), RFC 9325 3.1 and 4.2.
 */
#include "base/must.h"
#include "crypto/tls_sessions_private.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

/* Who insists gets what servers of ours take; others anything that is not known to be
 * broken: the alternative is clear text. */
static const char strict_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aNULL";
static const char any_ciphers[] =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:HIGH:!aNULL:!eNULL:!PSK:!SRP:!RC4:!3DES";

enum { SESSION_S = 3600, KEY_MAX = 2048 };

struct tls_trust {
    atomic_uint references;
    X509_STORE *store;
};

struct tls_client {
    atomic_uint references;
    unsigned serial; /* of the process: no session passes from one to another */
    SSL_CTX *context;
};

static enum err trust_trouble(struct certificate_trouble *out, const char *text)
{
    snprintf(out->text, sizeof out->text, "%s", text);
    ERR_clear_error();
    return ERR_INVALID;
}

static enum err read_issuers(X509_STORE *store, BIO *bio, struct certificate_trouble *out)
{
    X509 *one;
    size_t count = 0;
    while ((one = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
        bool added = X509_STORE_add_cert(store, one) == 1;
        X509_free(one);
        if (!added) {
            ERR_clear_error();
            return ERR_MEMORY;
        }
        count++;
    }
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (count == 0)
        return trust_trouble(out, "there is no certificate in PEM form in it");
    return at_end ? ERR_OK : trust_trouble(out, "one of its certificates is damaged");
}

enum err tls_trust_read(struct slice pem, struct tls_trust **out,
                        struct certificate_trouble *out_trouble)
{
    struct tls_trust *t = calloc(1, sizeof *t);
    BIO *bio = pem.len > INT32_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.len);
    if (t == NULL || bio == NULL) {
        free(t);
        BIO_free(bio);
        return ERR_MEMORY;
    }
    atomic_init(&t->references, 1);
    t->store = X509_STORE_new();
    enum err error =
        t->store == NULL ? ERR_MEMORY : read_issuers(t->store, bio, out_trouble);
    BIO_free(bio);
    if (error != ERR_OK) {
        tls_trust_drop(&t);
        return error;
    }
    X509_STORE_set_flags(t->store, X509_V_FLAG_PARTIAL_CHAIN);
    *out = t;
    return ERR_OK;
}

X509_STORE *tls_trust_store(struct tls_trust *trust)
{
    return trust->store;
}

struct tls_trust *tls_trust_hold(struct tls_trust *trust)
{
    atomic_fetch_add(&trust->references, 1);
    return trust;
}

void tls_trust_drop(struct tls_trust **place)
{
    struct tls_trust *trust = *place;
    *place = NULL;
    if (trust == NULL || atomic_fetch_sub(&trust->references, 1) > 1)
        return;
    X509_STORE_free(trust->store);
    free(trust);
}

/* Comes with the first session of TLS 1.2, and with each ticket of 1.3. What is kept and
 * what is used are copies: OpenSSL spoils the session of a connection that ends without a
 * farewell, as many do. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_session *s = SSL_get_app_data(ssl);
    SSL_SESSION *copy = s->place.key == NULL ? NULL : SSL_SESSION_dup(session);
    if (copy != NULL && !tls_sessions_keep(s->place.sessions, s->place.key, copy))
        SSL_SESSION_free(copy);
    return 0;
}

static void use_session(struct tls_session *s)
{
    SSL_SESSION *kept = s->place.key == NULL
                            ? NULL : tls_sessions_find(s->place.sessions, s->place.key);
    SSL_SESSION *copy = kept == NULL ? NULL : SSL_SESSION_dup(kept);
    if (copy != NULL)
        SSL_set_session(s->ssl, copy);
    SSL_SESSION_free(copy);
}

static SSL_CTX *make_context(struct tls_trust *trust)
{
    SSL_CTX *c = SSL_CTX_new(TLS_client_method());
    if (c == NULL)
        return NULL;
    if (SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(c, strict_ciphers) != 1 || SSL_CTX_dane_enable(c) != 1) {
        SSL_CTX_free(c);
        return NULL;
    }
    if (trust != NULL)
        SSL_CTX_set1_cert_store(c, trust->store);
    SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(c, 1);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT |
                                          SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_timeout(c, SESSION_S);
    SSL_CTX_sess_set_new_cb(c, on_new_session);
    return c;
}

enum err tls_client_open(struct tls_trust *trust, struct certificate *certificate,
                         struct tls_client **out)
{
    static atomic_uint serials;
    struct tls_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return ERR_MEMORY;
    atomic_init(&c->references, 1);
    c->serial = atomic_fetch_add(&serials, 1);
    c->context = make_context(trust);
    enum err error = c->context == NULL ? ERR_MEMORY : ERR_OK;
    if (error == ERR_OK && certificate != NULL &&
        SSL_CTX_use_cert_and_key(c->context, certificate->leaf, certificate->key,
                                 certificate->chain, 1) != 1)
        error = ERR_INVALID;
    ERR_clear_error();
    if (error == ERR_OK)
        *out = c;
    else
        tls_client_drop(&c);
    return error;
}

struct tls_client *tls_client_hold(struct tls_client *client)
{
    atomic_fetch_add(&client->references, 1);
    return client;
}

void tls_client_drop(struct tls_client **place)
{
    struct tls_client *client = *place;
    *place = NULL;
    if (client == NULL || atomic_fetch_sub(&client->references, 1) > 1)
        return;
    SSL_CTX_free(client->context);
    free(client);
}

/* What a judgement of before may be believed for: the same trust, names and place. */
static char *key_of(const struct tls_client *client, const struct tls_expected *e)
{
    struct buffer text;
    buffer_init(&text, KEY_MAX);
    buffer_append_format(&text, "%u %d ", client->serial, e->insists);
    buffer_append(&text, e->place);
    buffer_append_byte(&text, ' ');
    buffer_append(&text, e->server_name);
    for (size_t i = 0; i < e->names_count; i++) {
        buffer_append_byte(&text, ' ');
        buffer_append(&text, e->names[i]);
    }
    char *key = text.overflow ? NULL : slice_to_string(buffer_slice(&text));
    buffer_free(&text);
    return key;
}

bool tls_name_copy(struct slice name, char into[NAME_MAX_BYTES + 1])
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES ||
        slice_find(name, '\0') != SLICE_NOT_FOUND)
        return false;
    memcpy(into, name.data, name.len);
    into[name.len] = '\0';
    return true;
}

static bool set_names(SSL *ssl, const struct tls_expected *e)
{
    char name[NAME_MAX_BYTES + 1];
    if (e->associations_count > 0)
        return tls_dane_set(ssl, e);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    for (size_t i = 0; i < e->names_count; i++)
        if (!tls_name_copy(e->names[i], name) || SSL_add1_host(ssl, name) != 1)
            return false;
    return e->server_name.len == 0 || (tls_name_copy(e->server_name, name) &&
                                       SSL_set_tlsext_host_name(ssl, name) == 1);
}

static bool set_strength(SSL *ssl, bool insists)
{
    if (insists) {
        SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
        return true;
    }
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    SSL_set_security_level(ssl, 0);
    return SSL_set_cipher_list(ssl, any_ciphers) == 1;
}

enum err tls_session_connect(struct tls_client *client, int descriptor,
                             const struct tls_expected *expected,
                             struct tls_session **out)
{
    struct tls_session *s;
    enum err error = tls_session_make(client->context, descriptor, &s);
    if (error != ERR_OK)
        return error;
    SSL_set_connect_state(s->ssl);
    SSL_set_app_data(s->ssl, s);
    s->place = (struct tls_place){
        .client = tls_client_hold(client), .sessions = expected->sessions,
        .insists = expected->insists, .is_named = expected->names_count > 0,
    };
    if (expected->sessions != NULL && expected->associations_count == 0)
        s->place.key = key_of(client, expected);
    if (!set_names(s->ssl, expected) || !set_strength(s->ssl, expected->insists))
        error = ERR_INVALID;
    use_session(s);
    ERR_clear_error();
    if (error == ERR_OK)
        *out = s;
    else
        tls_session_free(&s);
    return error;
}

const char *tls_peer_trouble(const struct tls_session *s)
{
    long result = SSL_get_verify_result(s->ssl);
    if (result != X509_V_OK)
        return X509_verify_cert_error_string(result);
    return s->place.is_named ? NULL : "no name is expected of it";
}

enum tls_fault tls_peer_fault(const struct tls_session *s)
{
    switch (SSL_get_verify_result(s->ssl)) {
    case X509_V_OK: /* so it is before there is one, too */
        if (SSL_get0_peer_certificate(s->ssl) == NULL)
            return TLS_FAULT_NOT_SEEN;
        return s->place.is_named ? TLS_FAULT_NONE : TLS_FAULT_NAME;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return TLS_FAULT_NAME;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return TLS_FAULT_DATE;
    default: /* OpenSSL's numbers, of which there are many */
        return TLS_FAULT_ISSUER;
    }
}

bool tls_place_is_good(struct tls_session *s)
{
    s->place.is_taken = !s->place.insists || tls_peer_trouble(s) == NULL;
    return s->place.is_taken;
}

/* What led to a handshake that failed is not tried again. */
void tls_place_free(struct tls_session *s)
{
    struct tls_place *place = &s->place;
    if (place->key != NULL && !place->is_taken)
        tls_sessions_forget(place->sessions, place->key);
    free(place->key);
    tls_client_drop(&place->client);
}

enum { RECORD_FIRST = 20, RECORD_LAST = 23 }; /* types of records: RFC 8446 5.1 */

bool tls_peer_speaks_other(const struct tls_session *s)
{
    return s->socket.has_heard &&
           (s->socket.first < RECORD_FIRST || s->socket.first > RECORD_LAST);
}
