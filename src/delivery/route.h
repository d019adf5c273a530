/* route.h: which way out the mail of a domain takes.
 *
 * A table is made once, from values, and never changes; who uses a route holds a
 * reference to its table. Any thread.
 */
#ifndef GODWIT_DELIVERY_ROUTE_H
#define GODWIT_DELIVERY_ROUTE_H

#include "base/err.h"
#include "base/slice.h"
#include "crypto/key.h"
#include "crypto/tls_client.h"
#include "mail/transport.h"

enum delivery_way {
    DELIVERY_MX,      /* the hosts that the DNS names for the domain */
    DELIVERY_SMTP,    /* one host, by SMTP */
    DELIVERY_LMTP,    /* one host or Unix socket, by LMTP */
    DELIVERY_MAILDIR,
    DELIVERY_DISCARD,
};

/* What is asked of the TLS of the hosts. */
struct delivery_security {
    enum transport_level level;
    bool is_implicit;        /* TLS from the first byte */
    struct tls_client *tls;  /* from TRANSPORT_OPPORTUNISTIC on; a reference is taken */
    struct slice name;       /* that the certificate must have; empty: the host's own */
    bool has_own_trust;      /* the operator has said who is believed: with
                                TRANSPORT_VERIFIED nobody else's word counts */
    uint32_t files;          /* two routes with other trust or certificates differ in it */
};

/* Who we are, to the hosts. */
struct delivery_auth {
    struct slice user;
    struct slice secret;     /* a password or a token; empty: we say nothing */
    uint32_t mechanisms;     /* SASL_* that may be used */
    enum transport_level over; /* the least level under which it is said */
};

struct delivery_route {
    struct slice match;      /* "example.com"; "*.example.com": what lies below it;
                                empty: everything. Canonical form (lower case). */
    enum delivery_way way;
    struct slice host;       /* SMTP, LMTP: a name, an address, or (LMTP) a path */
    uint16_t port;
    bool downgrade;          /* MX, SMTP, LMTP: 8-bit content is converted for a hop that
                                does not offer 8BITMIME; else it fails */
    bool downgrade_signed;   /* ... also what is signed, whose signature that breaks */
    struct delivery_security security; /* MX, SMTP, LMTP */
    struct delivery_auth auth;         /* likewise */
    struct slice path;       /* Maildir: absolute, may hold {user} and {domain}; what
                                stands before the first of them, or the parent, must
                                exist */
    uint64_t quota_bytes;    /* 0: none */
    uint64_t quota_messages;
};

/* Who seals what came from strangers and goes on by SMTP (RFC 8617). */
struct delivery_sealing {
    struct private_key *key; /* a reference is taken; NULL: nobody */
    struct slice domain;
    struct slice selector;
};

/* How the senders of what is forwarded are written (mail/srs.h). */
struct delivery_forwarding {
    struct slice domain;     /* empty: they are left alone */
    struct slice secret;     /* that signs */
};

struct delivery_routes;

/* Copies all of it, and wipes the secrets in the end; the caller gets the first reference.
 * `sealing` and `forwarding` may be NULL. ERR_INVALID: a route that cannot be used; ERR_MEMORY. */
enum err delivery_routes_make(const struct delivery_route *routes, size_t count,
                              const struct delivery_sealing *sealing,
                              const struct delivery_forwarding *forwarding,
                              struct delivery_routes **out);

/* NULL: nobody seals. Lives as long as the table. */
const struct delivery_sealing *delivery_routes_sealing(const struct delivery_routes *routes);

/* Likewise; NULL: senders are left alone. */
const struct delivery_forwarding *delivery_routes_forwarding(
    const struct delivery_routes *routes);

struct delivery_routes *delivery_routes_hold(struct delivery_routes *routes);

/* Gives a reference back; NULL inside is allowed. */
void delivery_routes_drop(struct delivery_routes **routes);

/* The first route that matches; where none does, a route by MX. Lives as long as the
 * table. */
const struct delivery_route *delivery_routes_find(const struct delivery_routes *routes,
                                                  struct slice domain);

#endif
