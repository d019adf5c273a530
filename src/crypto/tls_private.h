/* tls_private.h: what contexts, tickets and sessions share. */
#ifndef GODWIT_CRYPTO_TLS_PRIVATE_H
#define GODWIT_CRYPTO_TLS_PRIVATE_H

#include "crypto/certificate_private.h"
#include "crypto/tls_client.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

/* The certificates of one set of names: one for each kind of key. */
struct tls_name {
    SSL_CTX *context;
    struct certificate *certificate; /* the first of them: for its names */
};

struct tls_server {
    atomic_uint references;
    size_t names_count;
    struct tls_name names[];
};

/* A descriptor, and what one call may still read from it: a peer that sends without end
 * what OpenSSL answers by itself (KeyUpdate, say) must not keep the thread. */
struct tls_socket {
    int descriptor;
    size_t may_read;
    bool has_heard;
    unsigned char first; /* byte of all that was heard */
};

/* What a client's session needs beyond the handshake. */
struct tls_place {
    struct tls_client *client; /* NULL: this is the server's side */
    struct tls_sessions *sessions;
    char *key;                 /* of the sessions; NULL: none are kept */
    bool insists;
    bool is_named;             /* some name was expected */
    bool is_taken;             /* the handshake was good */
};

struct tls_session {
    SSL *ssl;
    struct tls_server *server; /* NULL: this is the client's side */
    struct tls_place place;
    struct tls_socket socket;
    bool end_is_owed; /* it was met behind bytes that were given out */
    const char *failure_kind;
    char failure[160];
};

/* One end of a connection over the descriptor, of this context. ERR_MEMORY. */
enum err tls_session_make(SSL_CTX *context, int descriptor, struct tls_session **out);

/* tls_client.c: the handshake is done: false when it must not count. */
bool tls_place_is_good(struct tls_session *session);
void tls_place_free(struct tls_session *session);

/* The context asks its clients for a certificate, and takes any. */
bool tls_ask_clients(SSL_CTX *context, struct tls_trust *trust);
X509_STORE *tls_trust_store(struct tls_trust *trust);

/* A C string of a name, which has no place for NUL. */
enum { NAME_MAX_BYTES = 255 };
bool tls_name_copy(struct slice name, char into[NAME_MAX_BYTES + 1]);

/* tls_dane.c: what is expected of the certificate, by associations. False: one of them or a
 * name cannot be used, or memory is out. */
bool tls_dane_set(SSL *ssl, const struct tls_expected *expected);

/* NULL without memory. The socket outlives it. */
BIO *tls_bio(struct tls_socket *socket);

/* Has the context make and read tickets with these keys. */
bool tls_tickets_serve(struct tls_tickets *tickets, SSL_CTX *context);

#endif
