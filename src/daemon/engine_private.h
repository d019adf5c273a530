/* engine_private.h: the engine's threads and parts. */
#ifndef GODWIT_DAEMON_ENGINE_PRIVATE_H
#define GODWIT_DAEMON_ENGINE_PRIVATE_H

#include "control/server.h"
#include "daemon/daemon_private.h"
#include "daemon/pickup.h"
#include "delivery/delivery.h"
#include "dns/dns.h"
#include "event/mailbox.h"
#include "event/timer.h"
#include "event/workers.h"
#include "policy/limiter.h"
#include "policy/quota_gate.h"
#include "policy/relay_gate.h"
#include "queue/queue.h"
#include "session/host.h"
#include "spool/spool.h"

#include <pthread.h>

struct engine;

/* A loop thread: its sessions, and the connections of the delivery. */
struct engine_loop {
    struct engine *engine;
    uint32_t index;
    struct loop *loop;
    struct session_host *host;
    pthread_t thread;
    bool started;
    struct task drain;
    struct task configure;
    struct task stop;
    struct timer poll;           /* looks whether the sessions are gone */
    struct task drained;         /* told to the main thread */
};

struct engine {
    const struct daemon_options *options;
    const struct config *config;
    const struct sockets *sockets;
    struct mailbox main;         /* tasks for the main thread */
    struct event_log events;
    struct spool_watcher spool_watcher;
    struct spool_fs *spool_fs;
    struct spool *spool;
    struct queue_store store;    /* the spool, as the queue sees it */
    struct dns *dns;
    struct net_address *own_addresses;
    size_t own_addresses_count;
    struct workers *workers;
    struct limiter *limiter;
    struct gate *relay_gate;
    struct gate *quota_gate;
    struct gate *gates[2];       /* in the order in which they are asked */
    struct delivery_routes *routes;
    struct delivery *delivery;
    struct queue *queue;
    struct control_server *control;
    struct pickup *pickup;       /* on the queue's thread */
    struct engine_loop queue_loop;
    struct engine_loop *loops;
    uint32_t loops_count;
    unsigned draining;           /* threads that have not said `drained` */
    const struct config *next;   /* being handed round by a reload */
    unsigned configuring;
    char error[400];             /* of the last reload */
};

/* engine_open.c: every part, in order; an exit code. */
int engine_open(struct engine *e);
void engine_close(struct engine *e);

/* own_addresses.c: false when memory is out. */
bool engine_find_own_addresses(struct engine *e);

/* engine_threads.c */
int engine_start(struct engine *e);
void engine_drain(struct engine *e);
void engine_stop(struct engine *e);

/* engine_reload.c: false with e->error set. */
bool engine_reload(struct engine *e);
struct delivery_routes *engine_routes(const struct config *config);

/* operator.c: the control socket's commands, on the queue's thread. */
void operator_handle(void *context, struct control_call *call, const json_t *request);

#endif
