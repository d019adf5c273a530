/* delivery.h: the ways out: SMTP to mail hosts, SMTP or LMTP to a fixed hop, Maildir,
 * and throwing away. Implements struct attempt (mail/attempt.h).
 *
 * Connections belong to the loop threads that were given; an idle one is kept until
 * its time is over, the other side closes it, or the queue says so. A job may name a
 * connection that is still busy: it is then done behind the other one, and where the
 * server offers PIPELINING its envelope leaves behind the other's final dot. A job
 * whose named connection is gone, or goes before MAIL was answered, gets a new one.
 */
#ifndef GODWIT_DELIVERY_DELIVERY_H
#define GODWIT_DELIVERY_DELIVERY_H

#include "delivery/route.h"
#include "dns/mx.h"
#include "event/loop.h"
#include "event/workers.h"
#include "mail/attempt.h"
#include "mail/event.h"
#include "smtp/client/client.h"
#include "transport/mtasts/mtasts.h"

struct delivery;

/* Where is kept, over a start, what level of TLS hosts have shown: a short text for each;
 * an empty one: no more. Any thread. */
struct delivery_keeper {
    void (*keep)(struct delivery_keeper *keeper, struct slice host, struct slice text);
};

/* What came of the TLS of one connection, or of a host that was not connected to for what it
 * promises (RFC 8460 4). Borrowed for the call. */
struct delivery_tls_session {
    struct slice domain;              /* of the recipients, in A-labels; never empty */
    struct slice host;                /* a name, or empty */
    const struct net_address *address; /* or NULL */
    const struct transport_facts *facts;
    struct slice policy;              /* the text of the domain's MTA-STS policy, or empty */
    const struct dane *dane;          /* or NULL */
    int64_t wall_ms;
};

/* Told on the thread of the connection; must not block. */
struct delivery_tls_watcher {
    void (*session)(struct delivery_tls_watcher *watcher,
                    const struct delivery_tls_session *session);
};

/* Milliseconds; 0: the default. */
struct delivery_times {
    uint32_t connect_ms; /* 30 s, for each address */
    uint32_t idle_ms;    /* 10 s: how long a connection is kept without work */
    uint32_t total_ms;   /* 1 h: one job, from its start */
    uint32_t waits_ms[SMTP_CLIENT_WAITS];
};

/* What is heeded beside the routes. */
struct delivery_heed {
    bool shown;  /* hosts that give less TLS than they have shown before get nothing; else
                    it is only told */
    bool dane;   /* what the DNS says of certificates: RFC 7672 */
    bool mtasts; /* what domains say of their hosts: RFC 8461 */
};

/* Everything pointed to outlives the delivery, but the routes, of which it takes a
 * reference. */
struct delivery_options {
    struct loop *const *loops;        /* the threads that own connections */
    uint32_t loops_count;             /* at least 1 */
    struct dns *dns;
    struct workers *workers;          /* for Maildirs */
    struct message_source *source;
    struct attempt_watcher *watcher;  /* told of idle connections that died; or NULL */
    struct delivery_routes *routes;
    struct slice hostname;            /* what EHLO says */
    struct dns_mx_rules rules;        /* for hosts that come from the DNS */
    uint16_t smtp_port;               /* of mail hosts; 0: 25 */
    struct delivery_times times;
    struct delivery_keeper *keeper;   /* or NULL */
    struct delivery_tls_watcher *tls_watcher; /* of sites by MX; or NULL */
    struct mtasts *mtasts;            /* the policies of domains, or NULL */
    struct delivery_heed heed;
    struct line_sink *lines;          /* of what servers reply; or NULL */
};

/* ERR_MEMORY; ERR_INVALID: a hostname that cannot be sent. */
enum err delivery_open(const struct delivery_options *options, struct delivery **out);

struct attempt *delivery_attempt(struct delivery *delivery);

/* What may change while it runs. */
struct delivery_change {
    struct delivery_routes *routes;   /* a reference is taken */
    struct delivery_times times;
    struct delivery_heed heed;
};

/* Before the first job: what the keeper was given for a host. False: it counts no more. */
bool delivery_recall(struct delivery *delivery, struct slice host, struct slice text,
                     int64_t now_wall_ms);

/* One thread at a time: jobs from now on use these routes, waits that begin
 * from now on these times. False, with nothing changed, when memory is out. */
bool delivery_configure(struct delivery *delivery, const struct delivery_change *change);

/* Any thread, at most once: nothing is begun any more; jobs that have not got to a
 * transaction end, without an outcome for their recipients. The others go on. */
void delivery_drain(struct delivery *delivery);

/* Any thread: ends what is under way (deferred) and all connections; later jobs end at
 * once, deferred. Every job still gets its done(). */
void delivery_stop(struct delivery *delivery);

/* After delivery_stop(), when every job is done and the loops have ended. NULL inside
 * is allowed. */
void delivery_close(struct delivery **delivery);

#endif
