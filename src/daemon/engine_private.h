/* engine_private.h: the engine's threads and parts. */
#ifndef GODWIT_DAEMON_ENGINE_PRIVATE_H
#define GODWIT_DAEMON_ENGINE_PRIVATE_H

#include "auth/dkim/sign.h"
#include "control/server.h"
#include "daemon/daemon_private.h"
#include "daemon/pickup.h"
#include "delivery/delivery.h"
#include "dns/dns.h"
#include "event/mailbox.h"
#include "event/timer.h"
#include "event/watch.h"
#include "event/workers.h"
#include "history/history.h"
#include "policy/greylist_gate.h"
#include "policy/suppression.h"
#include "policy/limiter.h"
#include "policy/quota_gate.h"
#include "policy/rate_gate.h"
#include "policy/account_gate.h"
#include "policy/relay_gate.h"
#include "policy/rules_gate.h"
#include "policy/sender_gate.h"
#include "policy/submission_gate.h"
#include "verify/compliance_gate.h"
#include "verify/gate.h"
#include "verify/submitted_gate.h"
#include "milter/gate.h"
#include "queue/queue.h"
#include "reports/reports.h"
#include "seal/seal.h"
#include "session/host.h"
#include "spool/spool.h"

#include <pthread.h>

struct engine;

/* A loop thread: its sessions, and the connections of the delivery. */
struct engine_loop {
    struct engine *engine;
    uint32_t index;
    struct loop *loop;
    struct seal *seal;           /* around the spool's intake */
    struct gate *milter_gate;
    struct gate *gates[13];      /* in the order in which they are asked */
    struct session_host *host;
    pthread_t thread;
    bool started;
    struct task drain;
    struct task configure;
    struct task stop;
    struct timer poll;           /* looks whether the sessions are gone */
    struct task configured;      /* told to the main thread */
    struct task drained;         /* likewise */
};

/* What an operator waits for, and of which the queue's thread and the main thread tell
 * each other: it belongs to whoever was posted the task. */
struct engine_asked {
    struct task task;
    struct control_call *call;   /* NULL: nobody waits */
    char error[400];             /* the answer; empty: it is done */
};

/* Who we are, to those who encrypt. */
struct engine_tls {
    struct tls_server *server;
    struct certificate *certificates[SECRETS_CERTIFICATES_MAX];
    size_t count;
};

/* What the operator may see of it: the queue's thread's own. */
struct engine_shown {
    const struct config *config;
    struct certificate *certificates[SECRETS_CERTIFICATES_MAX];
    size_t count;
};

/* Listens to what becomes of mail. */
struct engine_suppression {
    struct event_sink sink;
    struct event_sink *next;
    struct suppression *list;
    atomic_bool is_on;           /* set on the queue's thread, read on any */
    _Atomic int64_t keep_ms;
};

struct engine {
    const struct daemon_options *options;
    const struct config *config; /* the main thread's, once the others run */
    const struct config *start;  /* what was opened by it points into it */
    const struct sockets *sockets;
    int log_fd;
    int supervisor;              /* a socket: secrets.h */
    const struct sandbox_places *places; /* beyond which nothing is; NULL: there is no such */
    struct tls_tickets *tickets;
    struct engine_tls tls;       /* the main thread's, once the others run */
    struct engine_shown shown;
    struct timer rotate;         /* on the queue's thread */
    struct mailbox main;         /* tasks for the main thread */
    struct event_log log_of_events;
    struct event_sink events;    /* tells the log and the history */
    struct engine_trace *trace;  /* or NULL: no memory */
    const char *acting;          /* who has something done; on the queue's thread */
    struct store *store_of_history; /* or NULL: there is none */
    struct history *history;     /* on the queue's thread; or NULL likewise */
    struct spool_watcher spool_watcher;
    struct spool_fs *spool_fs;
    struct spool *spool;
    struct queue_store store;    /* the spool, as the queue sees it */
    struct dns *dns;
    struct net_address *own_addresses;
    size_t own_addresses_count;
    struct workers *workers;
    struct limiter *limiter;
    struct sasl *sasl;
    struct throttle *throttle;
    struct gate *rules_gate;
    struct gate *verify_gate;
    struct gate *submitted_gate;
    struct gate *rate_gate;
    struct gate *relay_gate;
    struct gate *sender_gate;
    struct gate *account_gate;
    struct gate *submission_gate;
    struct gate *quota_gate;
    struct gate *greylist_gate;
    struct gate *compliance_gate;
    struct engine_suppression suppression;
    struct seal_keys *keys;
    struct delivery_routes *routes;
    struct delivery_keeper shown_keeper;
    struct mtasts_keeper policy_keeper;
    struct store_watcher store_watcher;
    struct store *store_of_tables; /* or NULL: it could not be opened */
    struct engine_reader *reader;
    struct reports *reports;     /* on the queue's thread; or NULL likewise */
    struct http *http;
    struct mtasts *mtasts;       /* on the queue's thread */
    struct delivery *delivery;
    struct queue *queue;
    struct etrn etrn;            /* asks the queue on its thread */
    struct control_server *control;
    struct pickup *pickup;       /* on the queue's thread */
    struct engine_loop queue_loop;
    struct engine_loop *loops;
    uint32_t loops_count;
    unsigned draining;           /* threads that have not said `drained` */
    const struct config *next;   /* being handed round by a reload */
    struct engine_tls next_tls;
    struct seal_keys *next_keys;
    unsigned configuring;
    bool again;                  /* a reload was asked for during one */
    bool is_asked;               /* an operator waits for the end of the reload */
    struct engine_asked asked;
};

/* engine_open.c: every part, in order; an exit code. */
int engine_open(struct engine *e, const struct secrets *secrets, int reader);
void engine_close(struct engine *e);

/* engine_tls.c: reads what the configuration names, from the descriptors; `why` names the
 * key. Blocks on files. */
bool engine_tls_make(const struct config *config, const struct secrets *secrets,
                     struct tls_tickets *tickets, struct engine_tls *out, char *why,
                     size_t why_size);
void engine_tls_free(struct engine_tls *tls);
/* On the queue's thread, or before it runs: shows these from now on; NULL: none. */
void engine_tls_show(struct engine *e, const struct config *config,
                     const struct engine_tls *tls);
/* Reads a file or a pair of them from its start; wipe what has gone through the buffer,
 * which takes ENGINE_FILE_MAX. */
enum { ENGINE_FILE_MAX = 1024 * 1024 };
bool engine_read_file(int fd, struct buffer *out);
bool engine_read_pair(int cert, int key, struct certificate **out,
                      struct certificate_trouble *out_trouble);
void engine_wipe(struct buffer *buffer);
/* engine_secret.c: what the data folder keeps for SASL (sasl_open), made at the first start.
 * ERR_OK, also where it cannot be kept; ERR_IO: no randomness. */
enum err engine_sasl_secret(const struct config *config, uint8_t out[SASL_SECRET_BYTES]);
/* At the start; an exit code. */
int engine_tls_open(struct engine *e, const struct secrets *secrets);

/* own_addresses.c: false when memory is out. */
bool engine_find_own_addresses(struct engine *e);

/* engine_threads.c */
int engine_start(struct engine *e);
void engine_drain(struct engine *e);
void engine_stop(struct engine *e);

/* engine_log.c: the log is written to e->log_fd. An exit code. */
int engine_log_open(struct engine *e);
/* The file of its name anew, for who has moved the old one away. */
void engine_log_reopen(struct engine *e);

/* engine_reload.c, on the main thread: reads the configuration again. What came of it
 * is logged, and told to an operator who waits. */
void engine_reload(struct engine *e);
/* On the queue's thread: the same, and the call is answered at its end. */
void engine_reload_for(struct engine *e, struct control_call *call);
struct delivery_times engine_times(const struct config *config);
struct delivery_heed engine_heed(const struct config *config);

/* engine_hops.c: the routes, with what they need of trust, certificates and passwords; NULL,
 * and `why` set, when a file cannot be used. Blocks on files. */
struct delivery_routes *engine_routes(const struct config *config,
                                      const struct secrets *secrets, char *why,
                                      size_t why_size);
/* engine_seal.c: a key that signs, one reference; false, and `why` set, when it cannot be
 * used. Who signs with what, as engine_routes(). */
struct engine_why {
    char *text;
    size_t size;
};
bool engine_read_key(const struct config *config, const struct secrets *secrets,
                     const struct config_dkim *from, const struct engine_why *why,
                     struct private_key **out);
/* engine_hops.c: our secret at the server that tokens are asked about at, to the SASL. */
bool engine_take_token_secret(const struct config *config, const struct secrets *secrets,
                              struct sasl *sasl, const struct engine_why *why);
struct seal_keys *engine_seal_keys(const struct config *config,
                                   const struct secrets *secrets, char *why,
                                   size_t why_size);
/* engine_notes.c: keeps what others have shown and promised of their TLS among the spool's
 * notes. The second when the delivery is open. */
void engine_notes_open(struct engine *e);
void engine_notes_recall(struct engine *e);

/* engine_etrn.c */
void engine_etrn_init(struct engine *e);

/* engine_reports.c: the store and the reports; an exit code. What an operator asks of them. */
int engine_reports_open(struct engine *e);
void engine_reports_asked(struct engine *e, struct control_call *call, const json_t *request);

/* engine_history.c: what becomes of each event. The history, and what is asked of it. */
void engine_events_init(struct engine *e);
void engine_history_open(struct engine *e);
void engine_history_asked(struct engine *e, struct control_call *call, const json_t *request);
/* operator.c: the recipients of a message that is still in the queue, as an array. */
json_t *operator_recipients(struct engine *e, struct mail_id id);

/* engine_trace.c: events and dialogues to who looks on. Closed before the control socket,
 * freed when all threads are. */
struct engine_trace;
void engine_trace_open(struct engine *e);
void engine_trace_event(struct engine_trace *trace, const struct mail_event *event);
struct line_sink *engine_trace_lines(struct engine *e);
void engine_trace_asked(struct engine *e, struct control_call *call, const json_t *request);
void engine_trace_close(struct engine *e);
void engine_trace_free(struct engine *e);
/* operator.c: JSON strings are UTF-8: what is not is escaped, as in logs. */
json_t *operator_text(struct slice text);

/* operator_shape.c: the queue by destination and age. */
void engine_shape_asked(struct engine *e, struct control_call *call, const json_t *request);

/* engine_reader.c: reads what arrives for reports.receive, and passes every arrival on to
 * `next`; the sink, or NULL without memory. */
struct spool_sink *engine_reader_open(struct engine *e, int socket, struct spool_sink *next);
void engine_reader_configure(struct engine_reader *reader, const struct config *config);
void engine_reader_close(struct engine_reader **reader);

/* operator.c: the control socket's commands, on the queue's thread. */
void operator_handle(void *context, struct control_call *call, const json_t *request);
/* A text of mail as JSON, escaped where it is not UTF-8; new. */
json_t *operator_text(struct slice text);
/* A text of the request, or an empty one; lives as long as it. */
struct slice operator_string(const json_t *request, const char *key);

/* engine_suppression.c */
void engine_suppression_init(struct engine *e);
/* On the queue's thread, or before it runs. */
void engine_suppression_configure(struct engine *e, const struct config *config);
void operator_suppression(struct engine *e, struct control_call *call, const json_t *request);

/* operator_site.c */
void operator_site(struct engine *e, struct control_call *call, const json_t *request);

#endif
