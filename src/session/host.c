/* host.c: the sessions of one loop thread, its listeners, and their end.
 *
 * RFC 5321 3.8: a server that must go down says 421 where it can.
 */
#include "session/session_private.h"

#include "base/must.h"

#include <stdlib.h>

enum {
    OUT_MAX = 256 * 1024,
    TEXT_MAX = 128 * 1024,
    SCRATCH_MAX = 64 * 1024 * 1024,      /* a header, and what is added to it */
    PREFIX_MAX = 64 * 1024,              /* what an intake takes */
    EXPANDED_BYTES_MAX = 64 * 1024 * 1024,
};

static void on_drain_over(struct timer *timer);

enum err session_host_open(const struct session_host_options *options,
                           const struct config *config, struct session_host **out)
{
    struct session_host *h = calloc(1, sizeof *h);
    if (h == NULL)
        return ERR_MEMORY;
    h->options = *options;
    h->config = config_hold(config);
    h->options.tls = options->tls == NULL ? NULL : tls_server_hold(options->tls);
    list_init(&h->doors);
    list_init(&h->sessions);
    buffer_init(&h->out, OUT_MAX);
    buffer_init(&h->text, TEXT_MAX);
    buffer_init(&h->prefix, PREFIX_MAX);
    buffer_init(&h->scratch, SCRATCH_MAX);
    arena_init(&h->arena, EXPANDED_BYTES_MAX);
    timer_init(&h->drain, options->loop, on_drain_over);
    *out = h;
    return ERR_OK;
}

static void close_doors(struct session_host *h)
{
    struct list_node *node;
    while ((node = list_take(&h->doors)) != NULL) {
        struct door *door = container_of(node, struct door, node);
        listener_close(&door->listener);
        free(door);
    }
}

void session_host_close(struct session_host **host)
{
    struct session_host *h = *host;
    if (h == NULL)
        return;
    close_doors(h);
    struct list_node *node;
    while ((node = list_first(&h->sessions)) != NULL) {
        struct session *s = container_of(node, struct session, node);
        must(!s->committing && !s->asking);
        session_destroy(s);
    }
    timer_clear(&h->drain);
    config_drop(&h->config);
    tls_server_drop(&h->options.tls);
    buffer_free(&h->out);
    buffer_free(&h->text);
    buffer_free(&h->prefix);
    buffer_free(&h->scratch);
    arena_free(&h->arena);
    *host = NULL;
    free(h);
}

static void on_accepted(struct listener_owner *owner, int fd,
                        const struct net_address *client)
{
    struct door *door = container_of(owner, struct door, owner);
    struct session *s = session_make(door, fd, client);
    if (s != NULL)
        session_begin(s);
}

enum err session_host_listen(struct session_host *h, int fd, size_t index)
{
    struct door *door = calloc(1, sizeof *door);
    if (door == NULL)
        return ERR_MEMORY;
    door->host = h;
    door->index = index;
    door->owner.accepted = on_accepted;
    door->owner.refusal = SLICE("421 4.3.2 Too many connections, try later\r\n");
    enum err error = listener_open(h->options.loop, fd, &door->owner, &door->listener);
    if (error != ERR_OK) {
        free(door);
        return error;
    }
    list_append(&h->doors, &door->node);
    return ERR_OK;
}

void session_host_configure(struct session_host *h, const struct config *config,
                            struct tls_server *tls)
{
    config_drop(&h->config);
    h->config = config_hold(config);
    if (tls != NULL)
        tls_server_hold(tls);
    tls_server_drop(&h->options.tls);
    h->options.tls = tls;
}

static void tell_to_end(struct session *s, bool at_once)
{
    static const struct smtp_reply bye = {
        .code = 421, .status = { 4, 3, 2 }, .text = SLICE_INIT("Shutting down, try later"),
    };
    const unsigned quiet = SMTP_PHASE_START | SMTP_PHASE_READY;
    bool busy = s->committing || s->asking ||
                (s->engine != NULL && s->wait != WAIT_GATE &&
                 ((unsigned)smtp_server_phase(s->engine) & quiet) == 0);
    if (s->over || s->stream == NULL || s->committing || s->asking || (busy && !at_once))
        return;
    if (s->engine == NULL || s->wait == WAIT_TLS) {
        session_lost(s);
        return;
    }
    session_gates_cancel(s);
    sasl_end(&s->auth);
    smtp_server_end(s->engine, &bye);
    s->wait = WAIT_INPUT;
    session_go_on(s);
}

static void tell_all(struct session_host *h, bool at_once)
{
    struct list_node *node = list_first(&h->sessions);
    while (node != NULL) {
        struct list_node *next = list_next(&h->sessions, node);
        struct session *s = container_of(node, struct session, node);
        s->drain_told = true;
        tell_to_end(s, at_once);
        node = next;
    }
}

static void on_drain_over(struct timer *timer)
{
    tell_all(container_of(timer, struct session_host, drain), true);
}

void session_host_drain(struct session_host *h, int64_t grace_ms)
{
    if (h->draining)
        return;
    h->draining = true;
    close_doors(h);
    tell_all(h, false);
    timer_set(&h->drain, grace_ms);
}

size_t session_host_count(const struct session_host *h)
{
    return atomic_load(&h->sessions_count);
}
