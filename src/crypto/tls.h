/* tls.h: TLS for one connection, over a descriptor that does not block.
 *
 * TLS 1.2 and 1.3 only, with forward secrecy and authenticated ciphers, without
 * compression, renegotiation or early data. RFC 8446, RFC 5246, RFC 9325 3 and 4,
 * RFC 8996 (nothing older).
 *
 * A server context is immutable and counted: a reload makes a new one, connections
 * keep theirs. Contexts and tickets may be used by any thread, a session by its own.
 */
#ifndef GODWIT_CRYPTO_TLS_H
#define GODWIT_CRYPTO_TLS_H

#include "base/buffer.h"
#include "base/err.h"
#include "crypto/certificate.h"

struct tls_tickets;
struct tls_trust;
struct tls_server;
struct tls_session;

/* Keys for session tickets, shared by contexts old and new, so that a reload loses no
 * session (RFC 5077, RFC 8446 4.6.1). The newest makes tickets; the two before it are
 * still read. */
enum err tls_tickets_open(struct tls_tickets **out);
/* When no context uses them any more. NULL inside is allowed. */
void tls_tickets_close(struct tls_tickets **tickets);
/* A new key; the oldest is forgotten. Any thread. ERR_IO: no randomness; the keys are
 * as they were. */
enum err tls_tickets_rotate(struct tls_tickets *tickets);

struct tls_server_options {
    struct certificate *const *certificates; /* the first is for clients that name no
                                                host, or one that is not known */
    size_t certificates_count;               /* at least 1 */
    struct tls_tickets *tickets;
    struct tls_trust *client_trust;          /* clients are asked for a certificate of these
                                                issuers; NULL: they are not */
};

/* ERR_INVALID: OpenSSL refuses a certificate (a key too weak, say): *out_refused is its
 * number. ERR_MEMORY. One reference. */
enum err tls_server_open(const struct tls_server_options *options,
                         struct tls_server **out, size_t *out_refused);
struct tls_server *tls_server_hold(struct tls_server *server);
/* NULL inside is allowed. */
void tls_server_drop(struct tls_server **server);

enum { TLS_RECORD_MAX = 16 * 1024 };

enum tls_result {
    TLS_DONE,
    TLS_WANT_READ,  /* again when the descriptor has input */
    TLS_WANT_WRITE, /* again when it takes output */
    TLS_END,        /* the peer said in good order that it sends no more */
    TLS_FAILED,     /* nothing more can be done with it: tls_failure() says why */
};

/* The server's side of a connection; the descriptor stays the caller's. Holds the
 * context. ERR_MEMORY. */
enum err tls_session_accept(struct tls_server *server, int descriptor,
                            struct tls_session **out);
/* NULL inside is allowed. Says nothing to the peer. */
void tls_session_free(struct tls_session **session);

enum tls_result tls_handshake(struct tls_session *session);

/* What has come, in whole records, as long as there is room for one more, and not without
 * end: the descriptor may have more. TLS_DONE with at least one byte. `max` is at least
 * TLS_RECORD_MAX. The end of the connection without the peer's close_notify is TLS_FAILED:
 * somebody may have cut off what was still to come (RFC 8446 6.1). */
enum tls_result tls_read(struct tls_session *session, char *into, size_t max,
                         size_t *out_len);

/* Whether tls_read() may have something that the descriptor will not tell of: what there
 * was no room for, or the end that stood behind what it gave. */
bool tls_has_input(const struct tls_session *session);

/* TLS_DONE: *out_len of it is on its way. After TLS_WANT_WRITE the same bytes must come
 * first again, at any address. */
enum tls_result tls_write(struct tls_session *session, struct slice bytes,
                          size_t *out_len);

/* Says close_notify, if that can be said without waiting. */
void tls_finish(struct tls_session *session);

/* What went wrong, in OpenSSL's words, for logs; empty before a failure. */
struct slice tls_failure(const struct tls_session *session);

struct tls_facts {
    const char *version;     /* "TLSv1.3"; static storage */
    const char *cipher;      /* "TLS_AES_256_GCM_SHA384"; static storage */
    unsigned bits;           /* of the cipher's key */
    bool resumed;
    struct slice server_name;/* that the client asked for, or empty; as long as the
                                session */
};
/* The addresses (rfc822Name) in the certificate that the client showed, each ended by LF,
 * appended to `out`. False: it showed none, or none that an issuer of client_trust vouches
 * for. After the handshake, on a server's side. */
bool tls_client_addresses(const struct tls_session *session, struct buffer *out);

enum { TLS_BINDING_BYTES = 32 };
/* What both ends, and nobody between them, know of this session: tls-exporter (RFC 9266).
 * After the handshake. False where it binds nothing: TLS 1.2 without the extended master
 * secret (RFC 9266 4.2). */
bool tls_binding(const struct tls_session *session, char out[TLS_BINDING_BYTES]);

/* After the handshake. */
void tls_describe(const struct tls_session *session, struct tls_facts *out);

#endif
