/* session.c: the life of a session object.
 *
 * It is freed at the end of a turn, when its connection is gone or closed and no
 * commit of its is under way: a commit outlives the connection that asked for it.
 */
#include "session/session_private.h"

#include "base/must.h"

#include <stdlib.h>

enum { INPUT_MAX = 256 * 1024, PREFIX_MAX = 48 * 1024 };

static void profile_drop(struct profile *p)
{
    if (--p->references > 0)
        return;
    config_drop(&p->config);
    tls_server_drop(&p->tls);
    free(p);
}

static struct profile *profile_make(struct session_host *h, size_t index)
{
    struct profile *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    const struct config *c = config_hold(h->config);
    p->references = 1;
    p->config = c;
    p->listener = &c->listeners[index < c->listeners_count ? index : 0];
    enum config_tls level = p->listener->tls;
    if (h->options.tls != NULL && level != CONFIG_TLS_NONE)
        p->tls = tls_server_hold(h->options.tls);
    p->engine = (struct smtp_server_options){
        .offers_tls = p->tls != NULL,
        .requires_tls = level == CONFIG_TLS_REQUIRED,
        .hostname = c->hostname,
        .bare_line_end = p->listener->bare_line_end,
        .message_bytes_max = c->limits.message_bytes,
        .line_bytes_max = c->limits.line_bytes,
        .header_bytes_max = c->limits.header_bytes,
        .header_fields_max = c->limits.header_fields,
        .hops_max = c->limits.hops,
        .recipients_max = c->limits.recipients,
        .command_bytes_max = c->limits.command_bytes,
        .errors_max = c->limits.errors,
        .junk_max = c->limits.junk_commands,
        .auth_failures_max = c->login.failures,
    };
    return p;
}

struct moment session_now(const struct session *s)
{
    return loop_now(s->host->options.loop);
}

static void session_free(struct deferred *deferred)
{
    struct session *s = container_of(deferred, struct session, end);
    must(s->stream == NULL && !s->committing && !s->asking && s->writer == NULL);
    if (s->counted)
        limiter_leave(s->host->options.limiter, &s->client);
    if (s->counted_in_all)
        limiter_leave_all(s->host->options.limiter);
    session_look_for_stress(s->host);
    session_emit(s, MAIL_SESSION_CLOSED, (struct mail_id){ 0 }, NULL);
    list_remove(&s->node);
    s->host->sessions_count--;
    smtp_server_free(&s->engine);
    buffer_free(&s->account);
    buffer_free(&s->input);
    buffer_free(&s->prefix);
    buffer_free(&s->header);
    buffer_free(&s->body);
    profile_drop(s->profile);
    free(s);
}

struct session *session_make(struct door *door, int fd, const struct net_address *peer)
{
    struct session_host *h = door->host;
    struct session *s = calloc(1, sizeof *s);
    struct profile *profile = s == NULL ? NULL : profile_make(h, door->index);
    if (profile == NULL ||
        stream_adopt(h->options.loop, fd, &s->owner, &s->stream) != ERR_OK) {
        if (profile != NULL)
            profile_drop(profile);
        free(s);
        return NULL;
    }
    s->owner.event = session_event;
    s->end.run = session_free;
    s->host = h;
    s->profile = profile;
    s->peer = s->client = *peer;
    s->id = (uint64_t)h->options.thread << 48 | ++h->sessions_made;
    s->opened_mono_ms = session_now(s).mono_ms;
    buffer_init(&s->input, INPUT_MAX);
    buffer_init(&s->prefix, PREFIX_MAX);
    buffer_init(&s->header, session_config(s)->limits.header_bytes + INPUT_MAX);
    buffer_init(&s->body, INPUT_MAX);
    list_append(&h->sessions, &s->node);
    h->sessions_count++;
    return s;
}

void session_over(struct session *s)
{
    s->over = true;
    session_gates_cancel(s);
    session_gates_forget(s);
    session_gates_part(s);
    sasl_end(&s->auth);
    intake_abort(&s->writer);
    if (s->stream == NULL && !s->committing && !s->asking)
        loop_defer(s->host->options.loop, &s->end);
}

void session_destroy(struct session *s)
{
    session_lost(s);
    list_remove(&s->end.node);
    session_free(&s->end);
}

void session_lost(struct session *s)
{
    stream_close(&s->stream);
    session_over(s);
}
