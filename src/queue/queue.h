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

/* Calls `each` for every recipient that is not ended of every message (of `id` alone
 * unless that is 0), messages in the order of their ids, beginning after `after`, until
 * it returns false. */
void queue_each(struct queue *queue, struct mail_id id, struct mail_id after,
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

/* Applies it to one message, or to all when id is 0. An attempt that is under way cannot
 * be called back: it ends as it ends. Only where that is neither a delivery nor a failure
 * its recipient is then held or deleted, as was asked last. What may not leave yet
 * (RFC 4865) is not among all that is retried, and waits on when it is released; one that is
 * named is retried at once. */
struct queue_acted queue_act(struct queue *queue, struct mail_id id,
                             enum queue_action action);

/* Tries now what waits for a domain, in canonical form, and with `below` for those that lie
 * under it (ETRN); how many messages that is. What may not leave yet is not among them. */
size_t queue_kick(struct queue *queue, struct slice domain, bool below);

/* How many recipients, by where they go and how long they have been here: below 5, 10, 20,
 * 40, 80, 160, 320, 640 and 1280 minutes, and above. */
enum { QUEUE_SHAPE_BANDS = 10 };

struct queue_shape_row {
    struct slice name;             /* empty: without a domain; its site is not known */
    uint64_t recipients;
    uint64_t held;
    uint64_t ready;
    uint64_t in_flight;
    uint64_t bands[QUEUE_SHAPE_BANDS];
};

struct queue_shape {
    bool by_site;
    /* Once, on the queue's thread: the most first; borrowed; NULL without memory. Of the
     * queue that is closed first it is never called. */
    void (*done)(struct queue_shape *shape, const struct queue_shape_row *const *rows,
                 size_t count, const struct queue_shape_row *all);
};

/* Counts in slices, between which the queue works on: what comes or goes meanwhile is
 * counted or not. False: it is being done just now for somebody else, or without memory. */
bool queue_shape(struct queue *queue, struct queue_shape *shape);

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
