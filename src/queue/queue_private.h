/* queue_private.h: messages, recipients, domains and sites in memory.
 *
 * recipient -> domain -> site. A queued recipient is in exactly one place: the wheel
 * (waiting for a time), its domain's ready list, a job (in flight), or held.
 */
#ifndef GODWIT_QUEUE_QUEUE_PRIVATE_H
#define GODWIT_QUEUE_QUEUE_PRIVATE_H

#include "event/timer.h"
#include "queue/plan.h"
#include "queue/queue.h"
#include "queue/reason.h"
#include "queue/wheel.h"

#include <assert.h>
#include <stdatomic.h>

struct queue_domain;
struct queue_site;

enum wish {
    WISH_NONE,
    WISH_HOLD,
    WISH_DELETE,
};

enum place {
    PLACE_NONE,
    PLACE_WAITING,
    PLACE_READY,
    PLACE_FLIGHT,
    PLACE_HELD,
    PLACE_ENDED,
};

struct queue_recipient {
    struct wheel_entry wait;     /* its node also links the ready list */
    uint16_t attempts;
    uint16_t code;
    uint32_t index;              /* in the message */
    struct queue_domain *domain;
    struct reason *reason;
    int64_t due_wall_ms;
    struct smtp_status status;
    enum place place : 4;
    enum wish wish : 4;          /* of the operator, for the end of the attempt */
    uint8_t notify : 6;
    bool forwarded : 1;          /* its transaction has another sender */
    bool told : 1;               /* the sender knows that it is delayed */
};

static_assert(sizeof(struct queue_recipient) == 64, "memory is for recipients, not gaps");

/* MT-PRIORITY in three levels (RFC 6710 5 lets others be rounded up to them): those of its
 * first and usual policy, MIXER, at 4, 0 and -4. */
enum urgency { URGENT, NORMAL, BULK, URGENCIES };

struct queue_message {
    struct queue_message *next;  /* in its bucket */
    struct mail_id id;
    int64_t received_wall_ms;
    int64_t deliver_by_wall_ms;  /* or 0 */
    int64_t begun_wall_ms;       /* when it might be delivered first: its lifetime begins */
    uint64_t content_size;
    uint32_t recipients_count;
    uint32_t open;               /* recipients that have not ended */
    bool is_report;
    uint8_t urgency;             /* enum urgency */
    bool by_returns;             /* what is in the envelope */
    bool by_traces;
    bool is_suspect;             /* of what watch.c looks for */
    bool is_alarmed;             /* ... and was told of */
    uint16_t sender_len;
    char *sender;
    struct queue_recipient recipients[];
};

struct queue_domain {
    struct table_entry entry;
    struct queue_site *site;     /* NULL: not known */
    struct list_node site_node;  /* among the site's domains with ready recipients, or
                                    among those whose look-up has to wait */
    struct list ready[URGENCIES];
    uint8_t listed_as;           /* the urgency under which it stands with its site */
    uint32_t recipients;         /* that refer to it, in any place */
    uint32_t ready_count;
    bool has_expired;            /* mail that a limit holds back over its lifetime: watch.c */
    bool resolving;
    bool lookup_waits;
    int64_t resolved_until_ms;   /* monotonic */
    uint32_t failures;           /* look-ups in a row that failed */
    struct timer retry;          /* look it up again */
    struct queue *queue;
    struct sentence *sentence;   /* being carried out, or NULL */
    struct reason *trouble;      /* why the last look-up failed */
    struct smtp_status trouble_status;
    char name[];
};

/* A connection whose name is known: idle, or with at most two jobs, the second of which
 * is done right behind the first (RFC 2920). */
struct idle_connection {
    struct list_node node;       /* of its site's `idle` or `one_job` */
    struct list_node shape_node; /* of its shape's, while idle */
    struct attempt_connection connection;
    struct queue_site *site;
    struct table_entry entry;    /* by connection, for the watcher, while idle */
    char key[12];
    uint32_t messages;
    uint8_t jobs;
    bool is_dead;
};

/* What bounds one site, or all sites of one name (config's `sites`) together: how many
 * connections, how fast, and for how long nothing at all. */
struct queue_shape {
    struct table_entry entry;    /* by name, where it has one */
    struct queue *queue;
    const struct config_site *rule; /* of the configuration of now; never NULL */
    uint32_t references;         /* sites */
    uint32_t connections;        /* open, of all of them */
    uint32_t connections_most;   /* after trouble; grows with what is taken */
    uint32_t taken;              /* messages, since it grew last */
    struct list idle;            /* connections, the longest idle first */
    struct list turns;           /* sites that may have something to send, in turn */
    bool is_serving;
    struct timer timer;          /* when time alone lets them go on */
    int64_t next_us;             /* when the next message is due by the rate; monotonic */
    uint32_t pace;               /* messages an hour, found by trouble; 0: none */
    uint32_t pace_end;           /* it has grown so far that it is forgotten */
    int64_t pace_grows_ms;       /* when it grows next; monotonic */
    int64_t pace_step_ms;
    int64_t slowed_ms;           /* attempts that began before that are the same trouble */
    int64_t minute_ms;           /* when the minute began whose messages are counted */
    uint32_t minute_taken;       /* in it */
    uint32_t minute_before;      /* in the one before */
    uint32_t usual_ms;           /* how long a message takes, on average; 0: not known */
    bool is_suspended;
    bool by_operator;
    int64_t suspended_until_ms;  /* monotonic; 0: until it is resumed */
    struct reason *why;          /* of the suspension, or of the pace */
    uint16_t why_code;
    struct smtp_status why_status;
    size_t name_len;
    char name[];
};

struct queue_site {
    struct table_entry entry;    /* [ name "/" ] key */
    struct queue *queue;
    struct queue_shape *shape;
    struct list_node turn_node;  /* of its shape */
    struct site_key key;
    char text[SITE_KEY_MAX + 64];
    struct list domains[URGENCIES]; /* by the most urgent of their ready recipients, in turn */
    struct list idle;
    struct list one_job;         /* may be given another */
    uint32_t references;         /* domains that point here */
    struct list_node woken_node; /* to be dispatched when the gathering ends */
    uint32_t connections;        /* open, busy or idle */
    uint32_t established;        /* of them: those whose name is known */
    uint32_t connections_most;   /* as many as it took; grows again by the minute */
    uint32_t ready;              /* recipients */
    uint32_t busy;
    uint32_t failures;           /* in a row */
    struct timer retry;          /* set: in trouble until then */
    struct reason *trouble;
    struct smtp_status trouble_status;
    uint16_t trouble_code;
};

/* One attempt under way. */
struct queue_job {
    struct queue *queue;
    struct queue_site *site;
    struct queue_message *message;
    struct idle_connection *connection; /* the record of the one it uses, or NULL */
    int64_t begun_ms;            /* monotonic */
    struct attempt_run run;      /* ends in the recipients */
};

struct queue_lookup {
    struct queue *queue;
    struct queue_domain *domain;
    uint32_t generation;         /* of the configuration that it asks for */
    struct attempt_resolve resolve;
};

enum { MESSAGE_BUCKETS_FIRST = 1024 };

/* walk.c: see there. Zeroed to begin with. */
struct queue_walk {
    size_t at;
};

struct queue {
    struct spool_sink sink;
    struct attempt_watcher watcher;
    struct queue_options options;
    const struct config *config;
    uint32_t generation;         /* of the configuration */
    _Atomic uint64_t recipients_max;
    struct loop *loop;
    struct queue_store *store;
    struct attempt *attempt;
    bool started;
    bool draining;
    bool closing;
    struct timer sweep;          /* forgets domains and sites that nobody needs */
    struct queue_message **buckets;
    size_t buckets_count;
    size_t messages_count;
    struct table domains;
    struct table sites;
    struct table shapes;         /* those with a name */
    struct table idle;
    struct reasons reasons;
    struct wheel wheel;
    struct timer wheel_timer;
    _Atomic uint64_t reserved;   /* recipients, counted by the intake's threads */
    uint64_t random;
    uint64_t counts[PLACE_ENDED + 1];
    uint64_t jobs;
    uint32_t lookups;            /* under way */
    struct list lookups_waiting; /* domains */
    uint32_t gathering;          /* how deep */
    struct list woken;
    uint64_t reports;            /* being written */
    struct list deadlines;       /* of messages */
    struct list sentences;       /* of domains */
    struct list records;         /* changes that are not durable yet, in order */
    size_t records_count;
    struct timer record_retry;
    struct queue_counting *counting; /* under way, or NULL */
    struct timer watch;
    struct queue_walk watched;
    uint64_t alarms;
};

/* message.c */
struct queue_message *message_add(struct queue *q, const struct spool_arrival *arrival);
struct queue_message *message_find(struct queue *q, struct mail_id id);
void message_release(struct queue *q, struct queue_message *m);
void recipient_place(struct queue *q, struct queue_recipient *r, enum place place);
void recipient_set_reason(struct queue *q, struct queue_recipient *r, uint16_t code,
                          struct smtp_status status, struct slice text);
struct queue_message *recipient_message(struct queue_recipient *r);
uint32_t queue_random(struct queue *q);
struct moment queue_now(const struct queue *q);

/* schedule.c */
void recipient_wait(struct queue *q, struct queue_recipient *r, int64_t due_wall_ms);
void recipient_ready(struct queue *q, struct queue_recipient *r);
enum urgency domain_urgency(const struct queue_domain *d); /* URGENCIES: nothing is ready */
static inline bool domain_has_ready(const struct queue_domain *d)
{
    return domain_urgency(d) != URGENCIES;
}
/* Whether no attempt may be made any more (BY= with R, RFC 2852 4.1.3). */
bool message_is_overdue(const struct queue *q, const struct queue_message *m);
/* Its time is over: it fails, or its sender is told, and it waits on. */
void recipient_late(struct queue *q, struct queue_recipient *r);
/* deadline.c: does so when that time comes, of a message that has one. */
void deadline_set(struct queue *q, const struct queue_message *m);
void deadlines_forget(struct queue *q);
/* Among its site's domains, where what it has ready belongs; it was there or not. */
void domain_enlist(struct queue_domain *d);
void recipient_unschedule(struct queue *q, struct queue_recipient *r);
/* Between the two no site starts an attempt, so that what becomes ready together goes
 * together: one message to many at a site is one transaction (RFC 5321 4.5.4.1). */
void gather_begin(struct queue *q);
void gather_end(struct queue *q);
void wheel_arm(struct queue *q);
void on_wheel(struct timer *timer);
bool message_is_expired(const struct queue *q, const struct queue_message *m);

/* domain.c */
struct queue_domain *domain_of(struct queue *q, struct slice address);
void domain_resolve(struct queue *q, struct queue_domain *d);
void domain_release(struct queue *q, struct queue_domain *d);
void domain_free(struct queue *q, struct queue_domain *d);
void domain_sweep(struct queue *q);
/* One of its recipients more, or less, is ready. */
void domain_count_ready(struct queue_domain *d, int change);

/* walk.c: goes on until it has seen so many recipients, and the rest of their bucket; false
 * at the end of all. `see` changes nothing. */
typedef void walk_function(void *context, struct queue_message *m);
bool queue_walk(struct queue *q, struct queue_walk *walk, size_t most, walk_function *see,
                void *context);

/* census.c: at the end; nobody is told. */
void census_forget(struct queue *q);

/* watch.c */
void watch_begin(struct queue *q);
void watch_end(struct queue *q);

/* sentence.c */
/* Gives the outcome to the ready recipients: all, or those of expired messages; as many
 * at once as reports may be under way, the others when these are done. */
void domain_settle(struct queue *q, struct queue_domain *d, const struct outcome *outcome,
                   bool expired_only);
/* When reports or records are done. */
void sentences_go_on(struct queue *q);
/* What was not carried out yet never will be. */
void sentences_forget(struct queue *q);

/* site.c */
/* The site of a domain, made where there is none; NULL without memory. */
struct queue_site *site_of(struct queue *q, struct slice domain,
                           const struct attempt_resolve *answer);
void site_release(struct queue_site *s);
void site_sweep(struct queue *q);
/* Something changed: it may have something to send, or may send it. */
void site_dispatch(struct queue_site *s);
/* What keeps it from sending now. */
enum queue_limit site_limit(struct queue_site *s);
/* That of its limits: "default" where it has none of its own. */
struct slice site_name(const struct queue_site *s);
/* The queue's retry plan, with what the site's limits say in its place. */
struct config_queue site_plan(const struct queue *q, const struct queue_site *s);
void site_failed(struct queue_site *s, const struct outcome *outcome);
void site_recovered(struct queue_site *s);

/* shape.c */
struct queue_shape *shape_of(struct queue *q, const struct config_site *rule);
void shape_release(struct queue_shape *h);
/* Whether something holds it back that shall not be forgotten with its sites. */
bool shape_is_worth_keeping(struct queue_shape *h);
void shapes_configure(struct queue *q);
void shapes_sweep(struct queue *q);
/* QUEUE_LIMIT_NONE, _SUSPENDED, _RATE or _PACE; *out_until_ms, which may be NULL: when that
 * ends, monotonic, or 0. */
enum queue_limit shape_limit(struct queue_shape *h, int64_t *out_until_ms);
/* A message goes out. */
void shape_count(struct queue_shape *h);
/* One was taken, after so long. */
void shape_taken(struct queue_shape *h, int64_t took_ms);
/* What the replies of its site mean: may change what becomes of a recipient. */
void shape_judge(struct queue_site *s, int64_t begun_ms, struct outcome *outcome);
/* By an operator; 0: until it is resumed. */
void shape_suspend(struct queue_site *s, int64_t for_ms, struct slice reason);
void shape_resume(struct queue_site *s);
/* Messages taken in the last minute. */
uint32_t shape_minute(struct queue_shape *h);
/* site.c: those who wait for their turn, as far as it goes. */
void shape_serve(struct queue_shape *h);

/* pool.c */
/* A connection for the next job: an idle one, or NULL for a new one, or, when the site
 * has all it may have, one to queue behind. *out_any is false when there is none. */
struct idle_connection *pool_take(struct queue_site *s, bool *out_any);
bool pool_has_room(const struct queue_site *s);
/* Whether another may be opened, as far as the site goes. */
bool pool_site_may_open(const struct queue_site *s);
/* Closes the connection that has been idle longest, of any site of the shape; false: none is. */
bool pool_close_one(struct queue_shape *h);
/* A new connection was refused while others work: it was one too many. */
void pool_shrink(struct queue_site *s);
/* After a while more may be taken. */
void pool_grow(struct queue_site *s);
/* A job on it is done; `kept` is NULL when it was closed. `record` may be NULL. */
void pool_done(struct queue_site *s, struct idle_connection *record,
                     const struct attempt_connection *kept);
void pool_forget(struct queue_site *s); /* at the end: the delivery has closed them */
void on_connection_lost(struct attempt_watcher *watcher,
                        struct attempt_connection connection);

/* settle.c: what the outcomes of one message's recipients change. */
struct settlement {
    struct queue_recipient *recipient;
    struct outcome outcome;
    struct slice address;        /* or empty: not known here */
    bool tells_delay;            /* the sender is told that it still waits */
};
void settle(struct queue *q, struct queue_message *m, struct settlement *s,
            size_t count);

/* report.c: a settlement that owes its sender a report. Takes copies of all it needs;
 * calls settle_tell() and settle_apply() when the report is durable together with the updates. False:
 * none can be written now. */
bool report_is_owed(const struct queue *q, const struct queue_message *m,
                    const struct settlement *s);
/* Whether a recipient that has been put off has waited so long that the sender is told. */
bool report_tells_delay(const struct queue *q, const struct queue_message *m,
                        const struct settlement *s);
bool report_send(struct queue *q, struct queue_message *m, const struct settlement *s,
                 size_t count);
void settle_update(struct queue *q, struct queue_message *m, const struct settlement *s,
                   struct recipient_update *out);
/* The report could not be written: a failure is attempted again in a minute, so that
 * it is not lost in silence; what was delivered stays delivered, without its receipt; of a
 * delay the next attempt tells. */
void settle_unreported(struct queue *q, struct queue_message *m,
                       const struct settlement *s, size_t count);
/* The event of it, and what the recipient remembers; then what it changes. */
void settle_tell(struct queue *q, struct queue_message *m, const struct settlement *s);
void settle_apply(struct queue *q, const struct settlement *s);

/* operate.c: what ready mail of the site waits for where nothing is wrong with it or the way
 * there, and when that ends (monotonic; 0: not known); empty: nothing of that kind. */
struct slice site_waits_for(struct queue_site *s, int64_t *out_until_mono_ms);

/* operate.c: what the operator asked for while an attempt was under way, now that it
 * has ended without an end for the recipient. The message stays: see message_release(). */
void wish_grant(struct queue *q, struct queue_recipient *r);

/* record.c: makes changes durable, however long it takes; copies them. Of two changes
 * of one recipient the later one is what stays. */
void record_init(struct queue *q);
void record_write(struct queue *q, const struct recipient_update *updates, size_t count);
void record_free(struct queue *q);

/* emit.c */
void queue_emit(struct queue *q, enum mail_event_kind kind, struct queue_message *m,
                const struct settlement *s);
void queue_emit_text(struct queue *q, enum mail_event_kind kind, struct mail_id id,
                     struct slice text, const struct outcome *outcome);

#endif
