/* tls_sessions_private.h: the cache of sessions, as tls_client.c uses it. */
#ifndef GODWIT_CRYPTO_TLS_SESSIONS_PRIVATE_H
#define GODWIT_CRYPTO_TLS_SESSIONS_PRIVATE_H

#include "crypto/tls_private.h"

/* The cache's own, as long as nothing else is kept or forgotten; or NULL. */
SSL_SESSION *tls_sessions_find(struct tls_sessions *sessions, const char *key);
/* Takes the reference where it returns true; false without memory. */
bool tls_sessions_keep(struct tls_sessions *sessions, const char *key, SSL_SESSION *session);
void tls_sessions_forget(struct tls_sessions *sessions, const char *key);

#endif
