/* dns.h: asking the DNS, without waiting on any thread but the resolver's own.
 *
 * One resolver thread with a cache and, where a trust anchor is given, DNSSEC
 * validation (RFC 4033 section 5: secure, insecure, bogus). A query belongs to the
 * resolver from dns_query() to its done(), which runs on query->home. CNAME chains
 * of at most 8 links are followed.
 */
#ifndef GODWIT_DNS_DNS_H
#define GODWIT_DNS_DNS_H

#include "base/err.h"
#include "base/list.h"
#include "base/task.h"
#include "event/timer.h"
#include "net/address.h"
#include "wire/dns/message.h"

#include <stdatomic.h>

struct dns;

struct dns_options {
    const struct net_address *upstreams; /* none: those of /etc/resolv.conf */
    size_t upstreams_count;
    const char *trust_anchor_file;       /* NULL: nothing is validated */
    uint32_t timeout_ms;                 /* for a whole question; 0: 20 s */
};

enum dns_kind {
    DNS_OK,        /* at least one record */
    DNS_NODATA,    /* the name exists, records of this type do not */
    DNS_NXDOMAIN,
    DNS_SERVFAIL,  /* SERVFAIL, REFUSED, a chain too long: ask again later */
    DNS_BOGUS,     /* it should be signed and does not check: as SERVFAIL */
    DNS_TIMEOUT,
    DNS_CANCELLED, /* dns_cancel() or dns_close() */
    DNS_INVALID,   /* not a name that can be asked for */
};

struct dns_answer {
    enum dns_kind kind;
    bool secure;               /* validated; also of NODATA and NXDOMAIN */
    uint32_t ttl_s;
    struct dns_name canonical; /* what the name led to; of DNS_OK and DNS_NODATA */
    const struct slice *records; /* the data of each record, names uncompressed */
    size_t records_count;
};

struct dns_query {
    struct home *home;
    void (*done)(struct dns_query *query);
    struct slice name;         /* as text; lives until done() */
    uint16_t type;             /* enum dns_type, or any other */
    struct dns_answer answer;  /* until dns_query_clear() */
    /* For the resolver alone. */
    struct task task;
    struct task cancelling;
    struct dns *dns;
    struct list_node node;
    struct timer timer;
    int id;
    atomic_int stage;
    void *memory;
};

/* True for the answers after which it is worth asking again later. */
static inline bool dns_is_temporary(enum dns_kind kind)
{
    return kind == DNS_SERVFAIL || kind == DNS_BOGUS || kind == DNS_TIMEOUT ||
           kind == DNS_CANCELLED;
}

/* ERR_ABSENT or ERR_INVALID: the trust anchor's file; ERR_IO: resolv.conf cannot be
 * read; ERR_MEMORY, ERR_DESCRIPTORS. */
enum err dns_open(const struct dns_options *options, struct dns **out);

/* The root's trust anchor that the machine has, or NULL. Static. */
const char *dns_machine_anchor(void);

/* Ends the thread; queries under way end as DNS_CANCELLED, their done() posted before
 * this returns. NULL inside is allowed. */
void dns_close(struct dns **dns);

/* Any thread. done() follows exactly once, never from inside this call. */
void dns_query(struct dns *dns, struct dns_query *query);

/* The thread that asked: done() comes soon, with DNS_CANCELLED or with an answer that
 * was on its way. */
void dns_cancel(struct dns_query *query);

/* Frees the answer; harmless on a zeroed query. */
void dns_query_clear(struct dns_query *query);

#endif
