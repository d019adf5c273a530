/* tls_client.h: TLS on the way out: whom we believe, who we are, whom we expect.
 *
 * The certificate that is shown is always judged (RFC 5280 6, RFC 6125 6.4), but only
 * who insists fails over it: others encrypt to whoever it is (RFC 7435), and are told
 * what was wrong. Nothing older than TLS 1.2 is spoken (RFC 8996); without insisting a
 * weak key or cipher of 1.2 is taken, since in clear it would be weaker still.
 *
 * Where the DNS has vouched for certificates or keys (DANE, RFC 7671), these alone make a
 * certificate good, and no issuer of the machine's.
 *
 * Trust and contexts are immutable and counted, for any thread; a cache of sessions
 * belongs to one thread.
 */
#ifndef GODWIT_CRYPTO_TLS_CLIENT_H
#define GODWIT_CRYPTO_TLS_CLIENT_H

#include "crypto/tls.h"

struct tls_trust;
struct tls_client;
struct tls_sessions;

/* The issuers in PEM text that somebody else has read; a certificate that stands there
 * itself is believed too, whoever issued it. ERR_INVALID: *out_trouble says why;
 * ERR_MEMORY. One reference. */
enum err tls_trust_read(struct slice pem, struct tls_trust **out,
                        struct certificate_trouble *out_trouble);
struct tls_trust *tls_trust_hold(struct tls_trust *trust);
/* NULL inside is allowed. */
void tls_trust_drop(struct tls_trust **trust);

/* NULL: nobody is believed; nothing is shown of us. ERR_INVALID: OpenSSL refuses the
 * certificate (a key too weak, say). ERR_MEMORY. One reference; holds what it needs. */
enum err tls_client_open(struct tls_trust *trust, struct certificate *certificate,
                         struct tls_client **out);
struct tls_client *tls_client_hold(struct tls_client *client);
/* NULL inside is allowed. */
void tls_client_drop(struct tls_client **client);

/* Remembers the newest session of each place, of at most `max` places: the one that was
 * used longest ago is forgotten. ERR_MEMORY. */
enum err tls_sessions_open(size_t max, struct tls_sessions **out);
/* When no session of TLS uses it any more. NULL inside is allowed. */
void tls_sessions_close(struct tls_sessions **sessions);

/* What a TLSA record says of a certificate (RFC 6698 2.1). */
struct tls_association {
    uint8_t usage;        /* 2: an issuer's, 3: the host's own */
    uint8_t selector;     /* 0: of the whole certificate, 1: of its key */
    uint8_t matching;     /* 0: all of it, 1: its SHA-256, 2: its SHA-512 */
    struct slice data;
};

enum { TLS_USAGE_ISSUER = 2, TLS_USAGE_HOST = 3 };

/* Whether a host can be known by it: usages 0 and 1 are of no use to mail (RFC 7672 3.1.3),
 * nor is what is of no known form, or damaged (RFC 6698 4.1). */
bool tls_association_is_usable(const struct tls_association *association);

struct tls_expected {
    struct slice server_name;      /* the host that is asked for, in A-labels; empty:
                                      none (RFC 6066 3: never an address) */
    const struct slice *names;     /* any of which the certificate may have: a host,
                                      an address, or ".example.com": what lies below */
    size_t names_count;            /* 0: no certificate is good */
    bool insists;                  /* without a good certificate the handshake fails */
    const struct tls_association *associations; /* usable ones, one of which must hold; the
                                      names, the first of them the base domain, are for those
                                      of usage 2 (RFC 7672 3.2). No session is resumed. */
    size_t associations_count;     /* 0: issuers and names decide */
    struct tls_sessions *sessions; /* or NULL */
    struct slice place;            /* with whom they are: host and port */
};

/* The client's side of a connection; the descriptor stays the caller's. Holds the
 * context; the cache outlives it. ERR_INVALID: a name that cannot be one; ERR_MEMORY. */
enum err tls_session_connect(struct tls_client *client, int descriptor,
                             const struct tls_expected *expected,
                             struct tls_session **out);

/* After the handshake: NULL when the certificate is good and has an expected name;
 * else why not. Static storage. */
const char *tls_peer_trouble(const struct tls_session *session);

enum tls_fault {
    TLS_FAULT_NONE,      /* the certificate is good */
    TLS_FAULT_NAME,      /* it has none of the names */
    TLS_FAULT_DATE,      /* its time is over, or has not begun */
    TLS_FAULT_ISSUER,    /* nobody vouches for it, or not so */
    TLS_FAULT_NOT_SEEN,  /* it was not judged */
};
/* The kind of tls_peer_trouble(), also of a handshake that failed. */
enum tls_fault tls_peer_fault(const struct tls_session *session);

/* Whether the first that the other side sent was no TLS at all, but text, say. */
bool tls_peer_speaks_other(const struct tls_session *session);

/* As tls_failure(), in static storage and perhaps in fewer words; NULL before one. */
const char *tls_failure_kind(const struct tls_session *session);

#endif
