/* daemon_private.h: what supervisor and engine share. */
#ifndef GODWIT_DAEMON_DAEMON_PRIVATE_H
#define GODWIT_DAEMON_DAEMON_PRIVATE_H

#include "daemon/sandbox.h"
#include "daemon/secrets.h"
#include "daemon/serve.h"
#include "mail/event.h"

/* Sockets bound by the supervisor: for each listener one a loop thread. */
struct sockets {
    size_t listeners;
    uint32_t threads;
    int *fds;                    /* [listener * threads + thread] */
};

static inline int sockets_fd(const struct sockets *s, size_t listener, uint32_t thread)
{
    return s->fds[listener * s->threads + thread];
}

/* supervisor.c's parts */
uint32_t daemon_threads(const struct config *config);
int sockets_bind(const struct config *config, struct sockets *out);
void sockets_close(struct sockets *sockets);

/* privileges.c: makes the data folder, for the user who runs the engine. Exit codes. */
int data_prepare(const struct config *config);
/* In the engine's process: becomes that user. */
int privileges_drop(const struct config *config);

/* same_start.c: whether the second may take the first one's place without a start. If
 * not, `why` says which key is in the way and what to do. */
bool daemon_same_start(const struct config *a, const struct config *b,
                       char *why, size_t why_size);

/* What the engine has from the supervisor. */
struct inheritance {
    const struct config *config;
    const struct sockets *sockets;
    struct secrets *secrets;     /* closed when they have been read */
    int supervisor;              /* a socket: secrets.h */
    int reader;                  /* likewise: reader.h */
    const struct sandbox_places *places; /* what it is held to; NULL: to nothing */
    const struct sandbox_result *sandbox;
};

/* engine.c: the engine's process, from fork to exit. */
int engine_run(const struct daemon_options *options, const struct inheritance *from);

/* event_log.c: events as log lines. */
struct event_log {
    struct event_sink sink;
    bool tells_console;          /* quick start: one line a captured message */
};
void event_log_init(struct event_log *log, bool tells_console);

#endif
