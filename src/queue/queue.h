/* queue.h: the scheduler: which message goes out next, where to, and when again.
 *
 * It owns, on one thread (its loop's), what is known of each queued recipient; the
 * spool keeps the durable truth. A recipient belongs to a domain and each domain to a
 * site; a site has one pool of connections, one set of limits, one state of trouble.
 * Waiting for a time (a wheel) is apart from ready (lists of the site), so that a slow
 * or dead site never costs another its turn.
 */
#ifndef GODWIT_QUEUE_QUEUE_H
#define GODWIT_QUEUE_QUEUE_H

#include "config/config.h"
#include "event/loop.h"
#include "mail/attempt.h"
#include "mail/event.h"
#include "mail/intake.h"
#include "spool/spool.h"

struct queue;

struct queue_options {
    struct loop *loop;             /* its thread runs the queue; virtual in tests */
    struct event_sink *events;     /* or NULL */
    uint64_t random;               /* a seed */
};

/* Where the durable truth is kept, as the queue sees it: the spool, or in tests a fake
 * on the same thread. The contract of each part is that of spool.h. */
struct queue_store {
    enum err (*update)(struct queue_store *store, const struct spool_update *update);
    struct intake *intake;         /* takes the reports */
    struct message_source *source;
};

/* Makes an empty queue, so that its sink can be given to the spool. ERR_MEMORY. */
enum err queue_open(const struct queue_options *options, const struct config *config,
                    struct queue **out);

/* The spool's sink. */
struct spool_sink *queue_sink(struct queue *queue);

/* Begins to deliver: store and attempt work, and outlive the queue. */
void queue_start(struct queue *queue, struct queue_store *store, struct attempt *attempt);

/* No new attempts; queue_is_quiet() when none is under way, no report is being
 * written, and all that is known is durable. */
void queue_drain(struct queue *queue);
bool queue_is_quiet(const struct queue *queue);

/* The watcher to be given to whoever makes the attempts. */
struct attempt_watcher *queue_watcher(struct queue *queue);

/* Another configuration. Routes may lead elsewhere: everything that is ready, or waits
 * for a site or a look-up in trouble, is looked up again at once, and what is due later
 * when it is due. The queue takes a reference. */
void queue_configure(struct queue *queue, const struct config *config);

/* After drain and quiet. NULL inside is allowed. */
void queue_close(struct queue **queue);

/* ---- what an operator asks; on the queue's thread ---- */

struct queue_recipient_info {
    uint32_t index;
    enum recipient_state state;
    uint16_t attempts;
    uint16_t code;
    struct smtp_status status;
    int64_t next_due_wall_ms;      /* 0: now */
    bool in_flight;
    struct slice reason;
    struct slice domain;
    struct slice site;             /* or empty: not resolved yet */
};

struct queue_message_info {
    struct mail_id id;
    int64_t received_wall_ms;
    uint64_t content_size;
    struct slice sender;
    size_t recipients_count;
};

/* Which recipients are meant: those that fit all that is said. */
struct queue_filter {
    struct mail_id id;             /* of the message; 0: any */
    struct slice domain;           /* in canonical form; "*.x": all that lies under it; empty:
                                      any */
    struct slice site;             /* the name of its limits, or its key; empty: any */
    struct slice sender;           /* an address, or "@domain", without case; "<>": none; empty:
                                      any */
    struct slice reason;           /* a part of the last reply, without case; empty: any */
    int64_t older_ms;              /* received so long ago */
};

/* Calls `each` for every such recipient that is not ended, messages in the order of their
 * ids, beginning after `after`, until it returns false. */
void queue_each(struct queue *queue, const struct queue_filter *filter, struct mail_id after,
                bool (*each)(void *context, const struct queue_message_info *message,
                             const struct queue_recipient_info *recipient),
                void *context);

enum queue_action {
    QUEUE_RETRY,   /* due now; a site in trouble is tried at once */
    QUEUE_HOLD,
    QUEUE_RELEASE,
    QUEUE_DELETE,  /* no bounce; on the record */
};

struct queue_acted {
    size_t messages;       /* that changed */
    size_t in_flight;      /* recipients whose attempt is under way */
};

/* Applies it to the recipients that are meant. An attempt that is under way cannot
 * be called back: it ends as it ends. Only where that is neither a delivery nor a failure
 * its recipient is then held or deleted, as was asked last. What may not leave yet
 * (RFC 4865) is not among all that is retried, and waits on when it is released; one that is
 * named by its id is retried at once. */
struct queue_acted queue_act(struct queue *queue, const struct queue_filter *filter,
                             enum queue_action action);

/* Tries now what waits for a domain, in canonical form, and with `below` for those that lie
 * under it (ETRN); how many messages that is. What may not leave yet is not among them. */
size_t queue_kick(struct queue *queue, struct slice domain, bool below);

/* What keeps a site from sending. */
enum queue_limit {
    QUEUE_LIMIT_NONE,
    QUEUE_LIMIT_NO_MAIL,     /* nothing is ready */
    QUEUE_LIMIT_STOPPED,     /* the queue does not deliver (any more) */
    QUEUE_LIMIT_TROUBLE,     /* it could not be reached: not before the next try */
    QUEUE_LIMIT_PROBE,       /* one attempt tries whether it can be reached again */
    QUEUE_LIMIT_SUSPENDED,   /* by a reply or an operator */
    QUEUE_LIMIT_RATE,        /* the rate of the configuration */
    QUEUE_LIMIT_PACE,        /* the pace that its replies have asked for */
    QUEUE_LIMIT_CONNECTIONS, /* as many as it may have */
    QUEUE_LIMIT_REFUSED,     /* as many as it has taken */
};

/* The word for it: "rate"; static. */
const char *queue_limit_name(enum queue_limit limit);

struct queue_site_info {
    struct slice name;           /* of its limits: "gmail", "default" */
    struct slice site;           /* its key */
    uint32_t ready;              /* recipients */
    uint32_t connections;        /* open */
    uint32_t busy;               /* attempts under way */
    uint32_t shared_connections; /* of all sites under the name */
    uint32_t connections_max;    /* of these, now */
    struct config_rate rate;
    uint32_t pace;               /* messages an hour, found by trouble; 0: none */
    uint32_t taken;              /* messages in the last minute, about */
    uint32_t usual_ms;           /* that one takes; 0: not known */
    enum queue_limit limit;      /* which binds now */
    int64_t until_wall_ms;       /* when that ends; 0: not known */
    bool by_operator;            /* of QUEUE_LIMIT_SUSPENDED */
    struct slice reason;         /* of it, or of the trouble; raw */
    uint16_t code;
    struct smtp_status status;
};

/* Calls `each` for every site, of the name or key or domain unless that is empty, until it
 * returns false; returns how many there were. */
size_t queue_each_site(struct queue *queue, struct slice name,
                       bool (*each)(void *context, const struct queue_site_info *site),
                       void *context);

/* Nothing more is sent to the sites of that name, or to the site of that key or domain, for
 * so long; 0: until it is resumed. An end of the process ends it too. Returns how many sites
 * that are. Attempts that are under way end as they end. */
size_t queue_suspend(struct queue *queue, struct slice name, int64_t for_ms,
                     struct slice reason);

/* Ends a suspension, and forgets a pace that trouble has found. */
size_t queue_resume(struct queue *queue, struct slice name);

/* How many recipients, by where they go and how long they have been here: below 5, 10, 20,
 * 40, 80, 160, 320, 640 and 1280 minutes, and above. */
enum { QUEUE_CENSUS_BANDS = 10 };

struct queue_census_row {
    struct slice name;             /* empty: without a domain; its site is not known */
    uint64_t recipients;
    uint64_t held;
    uint64_t ready;
    uint64_t in_flight;
    uint64_t bands[QUEUE_CENSUS_BANDS];
};

struct queue_census {
    bool by_site;
    /* Once, on the queue's thread: the most first; borrowed; NULL without memory. Of the
     * queue that is closed first it is never called. */
    void (*done)(struct queue_census *shape, const struct queue_census_row *const *rows,
                 size_t count, const struct queue_census_row *all);
};

/* Counts in slices, between which the queue works on: what comes or goes meanwhile is
 * counted or not. False: it is being done just now for somebody else, or without memory. */
bool queue_census(struct queue *queue, struct queue_census *shape);

struct queue_stats {
    uint64_t messages;
    uint64_t recipients;
    uint64_t waiting;      /* for a time */
    uint64_t ready;
    uint64_t in_flight;
    uint64_t held;
    uint64_t sites;
    uint64_t connections_idle;
    uint64_t alarms;       /* what must never be, found since the start: see watch.c */
};
struct queue_stats queue_stats(const struct queue *queue);

#endif
