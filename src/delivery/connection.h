/* connection.h: one connection of a loop thread to a next hop, and the jobs on it.
 *
 * Floor-internal: for attempt_smtp.c and delivery.c. All functions are for the thread
 * that owns the connection; it frees itself at the end of a turn.
 */
#ifndef GODWIT_DELIVERY_CONNECTION_H
#define GODWIT_DELIVERY_CONNECTION_H

#include "delivery/security.h"

enum { REMOTE_MAX = 400 };

/* One message on its way; lives on a loop thread. */
struct smtp_job {
    struct task task;
    struct list_node node;           /* in its connection's waiting list */
    struct delivery_thread *thread;
    struct attempt_run *run;
    struct delivery_routes *routes;
    const struct delivery_route *route;
    struct hop_search *search;       /* NULL while it uses the connection it named */
    struct mtasts_lookup lookup;
    struct mtasts_policy *policy;    /* of the domain, or NULL */
    struct buffer domain;            /* what the DNS is asked for; in domain_bytes */
    char domain_bytes[300];
    struct message_view *view;       /* open while it is submitted */
    struct smtp_client_content content;
    struct seven_bit *seven_bit;     /* the content for a hop of 7 bits, or NULL */
    struct buffer seal;              /* the ARC set that goes before it all, or empty */
    struct work work;                /* which makes these two */
    enum err work_error;
    struct smtp_client_transaction transaction;
    const struct security *security; /* of the connection that it was given to */
    struct envelope envelope;        /* the message's, with the sender that is said */
    struct buffer sender;            /* written anew, or empty */
    int64_t deadline_mono_ms;
    int64_t begun_wall_s;            /* since 1970 */
    int64_t given_mono_ms;           /* when its transaction was given to the client */
    bool is_second;                  /* on its connection, or a later one */
    size_t addresses_at;             /* in run->texts */
    size_t remote_len;
    struct smtp_client_recipient recipients[];
};

struct connection {
    struct stream_owner owner;
    struct deferred end;
    struct delivery_thread *thread;
    struct table_entry entry;        /* by `id` */
    uint64_t id;
    struct stream *stream;
    struct smtp_client *client;      /* NULL until it is connected */
    struct list waiting;             /* jobs not yet submitted */
    uint32_t submitted;
    bool closing;                    /* takes no more jobs; QUIT when none is left */
    bool was_kept;                   /* the queue was told that it is idle */
    uint64_t steps;                  /* of the client, when last looked at */
    int64_t progress_mono_ms;        /* when it last made a step or wrote */
    int64_t job_deadline_mono_ms;    /* of the newest job */
    struct net_address address;
    struct security security;
    int64_t begun_mono_ms;
    int64_t shaking_mono_ms;         /* since when hands are shaken */
    struct outcome_times times;      /* of connecting */
    size_t remote_len;
    char remote[REMOTE_MAX];         /* "host[192.0.2.1]:25" */
};

/* Begins to connect for a job, which is then its first. Not ERR_OK: nothing happened,
 * the job is still the caller's. */
enum err connection_open(struct smtp_job *job, const struct security_peer *peer);

/* Does another job on it: at once, or behind those it has. */
void connection_take(struct connection *c, struct smtp_job *job);

/* The connection by its number, if it lives and takes jobs; else NULL. */
struct connection *connection_find(struct delivery_thread *t, uint64_t id);

/* Says QUIT once its jobs are done. */
void connection_quit(struct connection *c);

/* Ends the connections of the thread: all, or those on which no transaction is under
 * way, be it that nothing has been said yet. */
void connections_stop(struct delivery_thread *t, bool all);

/* attempt_smtp.c, called by search.c: the end of the job. */
void smtp_job_end(struct smtp_job *job);
/* No host could be spoken to: the site's failure, no recipient's. */
void smtp_job_end_no_site(struct smtp_job *job, const struct outcome *failure,
                          struct slice remote);
/* Nothing was tried: the domain belongs to another site by now. */
void smtp_job_end_moved(struct smtp_job *job);

/* attempt_smtp.c, called by connection.c */

/* Opens the message and fills the transaction. False: the job has ended. */
bool smtp_job_prepare(struct smtp_job *job, const struct connection *c);

/* The transaction came back: decided, or to be begun again elsewhere. `kept`: the
 * connection can serve another job. */
void smtp_job_done(struct smtp_job *job, const struct connection *c, bool kept);

/* Its connection failed before it was submitted, or before MAIL was answered. */
void smtp_job_failed(struct smtp_job *job, const struct outcome *failure,
                     const struct connection *c);

#endif
