/* mtasts.h: the policies of domains by MTA-STS (RFC 8461): asked for, fetched over HTTPS, and
 * kept.
 *
 * What is known is in memory, for a bounded number of domains, and is found by any thread
 * without waiting; what is not known is asked for on one loop, once for all who want it. A
 * policy is kept over a start by a keeper, and fetched anew before its time is over.
 */
#ifndef GODWIT_TRANSPORT_MTASTS_MTASTS_H
#define GODWIT_TRANSPORT_MTASTS_MTASTS_H

#include "dns/dns.h"
#include "event/loop.h"
#include "http/http.h"
#include "transport/mtasts/policy.h"

struct mtasts;

/* Both on the loop's thread. */
struct mtasts_keeper {
    /* To be found again after a start, by mtasts_recall(); empty: no more. */
    void (*keep)(struct mtasts_keeper *keeper, struct slice domain, struct slice text);
    /* A domain has a record, and its policy cannot be had (RFC 8461 3.3): why, and the same
     * as RFC 8460 4.3.2.2 says it. */
    void (*failed)(struct mtasts_keeper *keeper, struct slice domain, struct slice why,
                   struct slice result);
};

enum { MTASTS_DOMAINS_MAX = 10000 };

struct mtasts_options {
    struct loop *loop;
    struct dns *dns;
    struct http *http;
    struct mtasts_keeper *keeper; /* or NULL */
    size_t domains_max;           /* with a policy; and as many without one */
};

/* Everything pointed to outlives it, but for dns and http, which are closed before it. */
enum err mtasts_open(const struct mtasts_options *options, struct mtasts **out);
/* When the loop has ended and is not closed. NULL inside is allowed. */
void mtasts_close(struct mtasts **mtasts);

/* Any thread. True: *out is the policy that holds now, a reference, or NULL: there is none.
 * False: it has to be looked up. The domain is in its canonical form. */
bool mtasts_find(struct mtasts *mtasts, struct slice domain, struct moment now,
                 struct mtasts_policy **out);

struct mtasts_lookup {
    struct home *home;
    void (*done)(struct mtasts_lookup *lookup);
    struct slice domain;          /* lives until done() */
    /* the answer */
    struct mtasts_policy *policy; /* a reference, or NULL: none holds */
    struct mtasts_id id;          /* of the record that was seen, or empty */
    int64_t expires_wall_ms;      /* of the policy */
    char trouble[HTTP_TROUBLE_MAX]; /* why the policy could not be fetched, or empty */
    /* For mtasts.c alone. */
    struct mtasts *mtasts;
    struct task task;
    struct list_node node;
};

/* Any thread. done() follows exactly once, never from inside this call; it may take a
 * minute. */
void mtasts_look_up(struct mtasts *mtasts, struct mtasts_lookup *lookup);

/* Before the loop runs: what the keeper was given for a domain. False: it counts no more. */
bool mtasts_recall(struct mtasts *mtasts, struct slice domain, struct slice text,
                   struct moment now);

#endif
