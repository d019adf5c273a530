/* delivery_private.h: what the files of the delivery share.
 *
 * A job is started on the caller's thread (routing only), and then lives on one loop
 * thread, or for Maildirs on a worker.
 */
#ifndef GODWIT_DELIVERY_DELIVERY_PRIVATE_H
#define GODWIT_DELIVERY_DELIVERY_PRIVATE_H

#include "base/table.h"
#include "delivery/delivery.h"
#include "delivery/shown.h"
#include "net/stream.h"

#include <pthread.h>
#include <stdatomic.h>

enum { DEAD_HOSTS_MAX = 32 };

/* An address that could not be reached lately. */
struct dead_host {
    struct net_address address;
    int64_t until_mono_ms;
};

struct delivery_thread {
    struct delivery *delivery;
    struct loop *loop;
    uint32_t index;
    uint64_t last_id;
    struct delivery_times times;
    struct table connections;      /* by id */
    struct buffer out;             /* what is about to be written, of any connection */
    struct tls_sessions *sessions;
    struct dead_host dead[DEAD_HOSTS_MAX];
    uint32_t dead_next;
    bool stopped;              /* nothing is begun any more */
    struct task drain;
    struct task stop;
};

struct delivery {
    struct attempt attempt;
    struct delivery_options options;  /* but routes and times: as at the start */
    pthread_mutex_t lock;          /* of `routes` */
    struct delivery_routes *routes;
    atomic_uint turn;              /* spreads new connections over the threads */
    atomic_bool stopped;
    struct dns_mx_rules any_host;  /* for hosts that the operator named */
    struct shown_listener forgotten;
    struct shown *shown;
    atomic_bool heeds_shown;       /* struct delivery_heed */
    atomic_bool heeds_dane;
    atomic_bool heeds_mtasts;
    struct delivery_thread threads[];
};

/* delivery.c */
struct delivery_thread *delivery_next_thread(struct delivery *d);

/* Hands the job back; it must have its answer. Any thread. */
void run_finish(struct attempt_run *run);

/* Gives every recipient this outcome, text and all. */
void run_decide_all(struct attempt_run *run, const struct outcome *outcome);

/* Appends to the job's texts what fits; the place is a number until all is there. */
size_t run_keep_text(struct attempt_run *run, struct slice text);

/* Puts the recipients' addresses into the texts; then, when no text will be added any
 * more, points to them. Both need the view; without room there are none. */
size_t run_keep_addresses(struct attempt_run *run, const struct message_view *view);
void run_point_addresses(struct attempt_run *run, const struct message_view *view,
                         size_t at);

/* A reason of our own; the text is static. */
struct outcome outcome_local(enum outcome_kind kind, uint16_t subject, uint16_t detail,
                             const char *text);

/* What it means that a message cannot be opened. */
struct outcome outcome_unreadable(enum err error);

/* site.c: keys. */
void site_of_route(const struct delivery_route *route, struct slice domain,
                   struct site_key *out);
/* The policy is that of the domain, or NULL. */
void site_of_hosts(const struct delivery_route *route, const struct dns_hosts *hosts,
                   const struct mtasts_policy *policy, struct slice domain,
                   struct site_key *out);

/* Whether a site by MX was made for a domain with this policy, and for mail hosts of which
 * the DNS vouches or not. */
bool site_has_policy(const struct site_key *site, const struct mtasts_policy *policy);
bool site_is_secure(const struct site_key *site);

/* Whether the route leads the job's domain to the site that it was made for. */
bool site_fits_route(const struct site_key *site, const struct delivery_route *route,
                     struct slice domain);

/* resolve.c */
void resolve_start(struct delivery *d, struct attempt_resolve *job,
                   struct delivery_routes *routes, const struct delivery_route *route);

/* The ways out; each takes the job and the reference to the routes. */
void attempt_smtp_start(struct delivery *d, struct attempt_run *run,
                        struct delivery_routes *routes,
                        const struct delivery_route *route);
void attempt_maildir_start(struct delivery *d, struct attempt_run *run,
                           struct delivery_routes *routes,
                           const struct delivery_route *route);
void attempt_discard_start(struct delivery *d, struct attempt_run *run,
                           struct delivery_routes *routes);

/* dead.c: addresses to be tried last. */
bool dead_host_is_known(struct delivery_thread *t, const struct net_address *address);
void dead_host_note(struct delivery_thread *t, const struct net_address *address);
void dead_host_forget(struct delivery_thread *t, const struct net_address *address);

#endif
