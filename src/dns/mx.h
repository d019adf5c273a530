/* mx.h: which hosts take the mail of a domain, in the order to try them
 * (RFC 5321 5.1, RFC 7505).
 *
 * The rules are pure functions over answers (mx.c); dns_mx_lookup() asks the DNS for
 * them (mx_lookup.c). Hosts of one preference come in random order; a host that is
 * this server cuts off itself and all that are no better; addresses that mail must
 * not be sent to are dropped (HOSTILE 121).
 */
#ifndef GODWIT_DNS_MX_H
#define GODWIT_DNS_MX_H

#include "dns/dns.h"
#include "mail/outcome.h"

enum {
    DNS_HOSTS_MAX = 20,
    DNS_HOST_ADDRESSES_MAX = 8,
};

struct dns_address {
    bool is_v6;
    uint8_t bytes[16]; /* the first 4 of IPv4 */
};

struct dns_host {
    uint16_t preference;
    bool is_temporary;    /* a look-up of its addresses failed for now */
    bool is_refused;      /* an address of it was dropped */
    bool is_own;          /* an address of it is ours */
    bool secure;          /* addresses of it were validated, with all that led to them */
    uint8_t addresses_count;
    struct dns_name name; /* of an address literal: empty */
    struct dns_name canonical; /* what the name led to; mostly itself */
    struct dns_address addresses[DNS_HOST_ADDRESSES_MAX]; /* the families in turn */
};

struct dns_hosts {
    bool is_implicit;     /* the domain has no MX: it is its own host */
    bool secure;          /* the MX answer was validated; or the host was given by name */
    struct dns_name domain; /* what the domain led to; mostly itself. Empty: not known */
    uint32_t ttl_s;       /* the shortest of all answers */
    uint32_t count;
    struct dns_host hosts[DNS_HOSTS_MAX];
};

/* Borrowed, and not changed while look-ups go on. */
struct dns_mx_rules {
    struct slice own_name;                   /* as EHLO says it */
    const struct net_address *own_addresses; /* those that we listen on; no port */
    size_t own_addresses_count;
    bool allow_loopback;                     /* 127/8 and ::1 */
    bool allow_private;                      /* RFC 1918, RFC 4193, RFC 6598 */
};

/* Pure: the hosts that an answer to the question for MX names, without addresses.
 * False: *out_outcome says why there are none: 5.1.2 no such domain, 5.1.10 the domain
 * takes no mail, 5.4.6 it is ourselves, 5.4.4 nothing usable, 4.4.3 ask again later. */
bool dns_mx_read(const struct dns_answer *answer, struct slice domain,
                 const struct dns_mx_rules *rules, uint64_t random,
                 struct dns_hosts *out, struct outcome *out_outcome);

/* Pure: gives a host the addresses of two answers. */
void dns_host_take_addresses(struct dns_hosts *hosts, struct dns_host *host,
                             const struct dns_answer *v4, const struct dns_answer *v6,
                             const struct dns_mx_rules *rules);

/* Pure: drops hosts without an address and cuts at ourselves. False: none is left. */
bool dns_hosts_settle(struct dns_hosts *hosts, struct outcome *out_outcome);

/* Pure: whether mail may be sent to this address. */
bool dns_address_is_allowed(const struct dns_address *address,
                            const struct dns_mx_rules *rules);

/* Pure: a domain that is an address literal, "[192.0.2.1]" or "[IPv6:2001:db8::1]".
 * False when it is not one at all; else *out_outcome is OUTCOME_NONE when `out` was
 * filled. */
bool dns_literal_read(struct slice domain, const struct dns_mx_rules *rules,
                      struct dns_hosts *out, struct outcome *out_outcome);

void dns_address_to_net(const struct dns_address *address, uint16_t port,
                        struct net_address *out);

/* One search. Embedded in its owner, who keeps it until done(). */
struct dns_mx_lookup {
    struct home *home;               /* of the thread that asks */
    void (*done)(struct dns_mx_lookup *lookup);
    struct slice domain;             /* ASCII, or a literal; lives until done() */
    const struct dns_mx_rules *rules;
    bool is_host;                    /* the domain is the host itself: no MX is asked */
    uint64_t random;                 /* orders hosts of one preference */
    /* the answer: hosts, to be freed with free(), or NULL and an outcome, its text
     * static */
    struct dns_hosts *hosts;
    struct outcome outcome;
    /* For the search alone. */
    struct dns *dns;
    struct task task;
    struct dns_query mx;
    struct dns_mx_query *queries;    /* A and AAAA of each host */
    uint32_t waiting;
};

/* The thread of lookup->home. done() follows exactly once, never from inside this
 * call. At most 41 questions. */
void dns_mx_lookup(struct dns *dns, struct dns_mx_lookup *lookup);

#endif
