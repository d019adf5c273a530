/* tls_private.h: what contexts, tickets and sessions share. */
#ifndef GODWIT_CRYPTO_TLS_PRIVATE_H
#define GODWIT_CRYPTO_TLS_PRIVATE_H

#include "crypto/certificate_private.h"
#include "crypto/tls.h"

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
};

struct tls_session {
    SSL *ssl;
    struct tls_server *server;
    struct tls_socket socket;
    bool end_is_owed; /* it was met behind bytes that were given out */
    char failure[160];
};

/* NULL without memory. The socket outlives it. */
BIO *tls_bio(struct tls_socket *socket);

/* Has the context make and read tickets with these keys. */
bool tls_tickets_serve(struct tls_tickets *tickets, SSL_CTX *context);

#endif
