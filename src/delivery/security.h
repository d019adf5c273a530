/* security.h: the TLS and the authentication of one connection to a next hop: what is
 * asked of it, and what came of it.
 *
 * Floor-internal, for connection.c; embedded in a connection and of its thread. RFC 3207,
 * RFC 7435, RFC 8314 3; HOSTILE 114 and 124.
 */
#ifndef GODWIT_DELIVERY_SECURITY_H
#define GODWIT_DELIVERY_SECURITY_H

#include "delivery/delivery_private.h"
#include "delivery/promise.h"
#include "mail/transport.h"
#include "net/stream.h"

struct sasl_client;

enum { HOST_NAME_MAX_BYTES = 255 };

/* With whom, as the search for a host knows it. */
struct security_peer {
    struct slice host;         /* a name of the DNS, or empty: an address was given */
    struct slice domain;       /* of the recipients, in A-labels; of MX alone */
    const struct dns_hosts *hosts; /* that the host is one of, or NULL */
    struct dane *dane;         /* of the host, or NULL */
    struct mtasts_policy *policy; /* of the domain, or NULL */
    struct promise promise;    /* that may be kept */
    const struct net_address *address;
    const char *clear_because; /* TLS with it failed just now; NULL: it did not */
};

struct security {
    struct smtp_client_auth auth;     /* first of those that point back here */
    struct delivery_thread *thread;
    struct delivery_routes *routes;   /* held: what the route names is used late */
    const struct delivery_route *route;
    struct transport_policy policy;
    struct promise promise;
    struct dane *dane;                /* held, or NULL; the names may point into it */
    struct mtasts_policy *sts;        /* held, or NULL */
    bool is_vouched;                  /* nobody on the way could have chosen the host */
    bool told;                        /* to the watcher */
    struct dns_name expanded;         /* what the domain led to, or empty */
    struct transport_facts facts;
    const char *failure;              /* of the handshake; static */
    bool may_fall_back;
    bool judged;
    struct sasl_client *sasl;
    size_t place_len;
    size_t domain_len;
    size_t host_len;
    char domain[HOST_NAME_MAX_BYTES + 2]; /* with a dot in front */
    char host[HOST_NAME_MAX_BYTES + 1];   /* name to ask for; else the address */
    char place[HOST_NAME_MAX_BYTES + 8];  /* "mx.example.com:25" */
};

/* Takes a reference to the routes; security_free() in any case. */
void security_plan(struct security *security, struct delivery_thread *thread,
                   struct delivery_routes *routes, const struct delivery_route *route,
                   const struct security_peer *peer);
void security_free(struct security *security);

/* Whether the connection is good enough for a domain with this policy, or NULL. */
bool security_keeps(const struct security *security, const struct mtasts_policy *policy);

/* No TLS could be begun: it was not offered, or refused. */
void security_missed(struct security *security);

/* What the engine is to ask for. */
void security_options(struct security *security, struct smtp_client_options *out);

/* Begins the handshake; NULL, or why it cannot be begun. */
const char *security_begin(struct security *security, struct stream *stream);
/* The handshake is done. */
void security_done(struct security *security, const struct stream *stream);
/* It failed, or, with a NULL stream, took too long; why, in static words. */
const char *security_failed(struct security *security, const struct stream *stream);

/* The engine is past the greeting: what was had is final. */
void security_judge(struct security *security);

/* The connection is over, for the reason given, or NULL: the watcher is told, once. */
void security_tell(struct security *security, const struct net_address *address,
                   const struct outcome *failure);

/* The same of a host that nobody connects to. */
void security_tell_refusal(struct delivery_thread *thread, const struct security_peer *peer,
                           const struct transport_facts *facts);

/* What it lacks for mail that asks for REQUIRETLS, once hands are shaken: a host that nobody
 * on the way has chosen, and its certificate (RFC 8689 4.2.1). In static words; NULL: nothing.
 */
const char *security_lacks(const struct security *security);

/* The connection has failed: why another one may be made in clear, or NULL. */
const char *security_fall_back(const struct security *security,
                               const struct smtp_client *client);

#endif
