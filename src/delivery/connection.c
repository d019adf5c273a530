/* connection.c: moving bytes between a stream and the engine, and the time it may
 * take.
 *
 * connection_pump() is the only place that sends, submits and ends; every event leads
 * to it. The deadline is that of the awaited step, moved on by whole replies and by
 * bytes that left, never by pieces of a reply (HOSTILE 115), and never beyond that of
 * the job.
 */
#include "delivery/connection.h"

#include "base/must.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void on_event(struct stream_owner *owner, enum stream_event event);

static int64_t now_ms(const struct connection *c)
{
    return loop_now(c->thread->loop).mono_ms;
}

static void connection_free(struct deferred *deferred)
{
    struct connection *c = container_of(deferred, struct connection, end);
    smtp_client_close(&c->client);
    security_free(&c->security);
    free(c);
}

/* "host[192.0.2.1]:25"; of a Unix socket its path. */
static void set_remote(struct connection *c, struct slice host)
{
    struct buffer text;
    buffer_init(&text, REMOTE_MAX);
    buffer_append(&text, host);
    net_address_append(&text, &c->address);
    c->remote_len = text.overflow ? 0 : buffer_len(&text);
    if (c->remote_len > 0)
        memcpy(c->remote, buffer_slice(&text).data, c->remote_len);
    buffer_free(&text);
}

enum err connection_open(struct smtp_job *job, const struct security_peer *peer)
{
    struct delivery_thread *t = job->thread;
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL)
        return ERR_MEMORY;
    c->owner.event = on_event;
    c->end.run = connection_free;
    c->thread = t;
    c->id = ++t->last_id;
    c->address = *peer->address;
    c->begun_mono_ms = now_ms(c);
    c->job_deadline_mono_ms = job->deadline_mono_ms;
    list_init(&c->waiting);
    set_remote(c, peer->host);
    enum err error = stream_connect(t->loop, peer->address, NULL, &c->owner, &c->stream);
    if (error == ERR_OK && !table_insert(&t->connections, &c->entry,
                                         slice_make(&c->id, sizeof c->id))) {
        stream_close(&c->stream);
        error = ERR_MEMORY;
    }
    if (error != ERR_OK) {
        free(c);
        return error;
    }
    security_plan(&c->security, t, job->routes, job->route, peer);
    list_append(&c->waiting, &job->node);
    stream_deadline(c->stream, now_ms(c) + t->times.connect_ms);
    return ERR_OK;
}

struct connection *connection_find(struct delivery_thread *t, uint64_t id)
{
    struct table_entry *e = table_find(&t->connections, slice_make(&id, sizeof id));
    if (e == NULL)
        return NULL;
    struct connection *c = container_of(e, struct connection, entry);
    return c->closing ? NULL : c;
}

struct lost_note {
    struct task task;
    struct attempt_watcher *watcher;
    struct attempt_connection connection;
};

static void run_lost(struct task *task)
{
    struct lost_note *note = container_of(task, struct lost_note, task);
    note->watcher->lost(note->watcher, note->connection);
    free(note);
}

/* Tells the queue that an idle connection is gone. Without memory it is not told; it
 * will name a connection that is not there, which is allowed. */
static void tell_lost(struct connection *c)
{
    struct attempt_watcher *watcher = c->thread->delivery->options.watcher;
    struct lost_note *note = watcher == NULL ? NULL : malloc(sizeof *note);
    if (note == NULL)
        return;
    *note = (struct lost_note){
        .task.run = run_lost, .watcher = watcher,
        .connection = { .thread = c->thread->index, .id = c->id },
    };
    home_post(watcher->home, &note->task);
}

/* Takes it out of the world: jobs that had not begun go elsewhere. The memory goes at
 * the end of the turn. */
static void leave(struct connection *c, const struct outcome *failure, bool politely)
{
    security_tell(&c->security, &c->address, failure);
    if (c->was_kept && c->submitted == 0 && list_is_empty(&c->waiting))
        tell_lost(c);
    table_remove(&c->thread->connections, &c->entry);
    if (politely)
        stream_finish(&c->stream);
    else
        stream_close(&c->stream);
    loop_defer(c->thread->loop, &c->end);
    struct list_node *node;
    while ((node = list_take(&c->waiting)) != NULL)
        smtp_job_failed(container_of(node, struct smtp_job, node), failure, c);
}

static void fail_connect(struct connection *c, const char *why)
{
    struct outcome failure = outcome_local(OUTCOME_DEFERRED, 4, 1, why);
    dead_host_note(c->thread, &c->address);
    leave(c, &failure, false);
}

/* TLS from the first byte cannot be begun. */
static void fail_handshake(struct connection *c, const char *why)
{
    char text[200];
    snprintf(text, sizeof text, "TLS cannot be begun: %s", why);
    struct outcome failure = outcome_local(OUTCOME_DEFERRED, 7, 5, text);
    leave(c, &failure, false);
}

static const char *connect_error_text(int number)
{
    switch (number) {
    case ECONNREFUSED:
        return "the connection was refused";
    case EHOSTUNREACH:
        return "there is no route to the host";
    case ENETUNREACH:
        return "the network cannot be reached";
    case ETIMEDOUT:
        return "the connection timed out";
    case ENOENT:
        return "the socket does not exist";
    case EACCES:
        return "the socket may not be used";
    default:
        return "the connection failed";
    }
}

static void submit_waiting(struct connection *c)
{
    while (!list_is_empty(&c->waiting) && smtp_client_may_submit(c->client)) {
        struct smtp_job *job =
            container_of(list_take(&c->waiting), struct smtp_job, node);
        if (!smtp_job_prepare(job, c)) {
            c->was_kept = true; /* it said so to the queue */
            continue;
        }
        c->submitted++;
        job->given_mono_ms = now_ms(c);
        job->is_second = c->times.is_reused;
        c->times.is_reused = true;
        c->job_deadline_mono_ms = job->deadline_mono_ms;
        smtp_client_submit(c->client, &job->transaction);
    }
}

/* Writes what may be written; false when nothing left. */
static bool send_some(struct connection *c)
{
    struct buffer *out = &c->thread->out;
    bool sent = false;
    while (stream_queued(c->stream) == 0 && smtp_client_output(c->client, out)) {
        sent = true;
        enum err error = stream_write(c->stream, buffer_slice(out));
        buffer_clear(out);
        if (error != ERR_OK)
            break; /* STREAM_FAILED follows */
    }
    buffer_clear(out);
    if (sent)
        c->progress_mono_ms = now_ms(c);
    return sent;
}

/* Hands back what has ended; false when nothing had. */
static bool take_done(struct connection *c)
{
    struct smtp_client_transaction *t;
    bool any = false;
    while ((t = smtp_client_take_done(c->client)) != NULL) {
        struct smtp_job *job = container_of(t, struct smtp_job, transaction);
        bool kept = !c->closing && smtp_client_is_reusable(c->client);
        any = true;
        c->submitted--;
        c->closing = !kept;
        if (t->end == SMTP_CLIENT_DECIDED)
            c->was_kept = kept;
        smtp_job_done(job, c, kept);
    }
    return any;
}

/* Where STARTTLS was accepted the handshake begins; true when it could not. */
static bool begin_tls(struct connection *c)
{
    if (smtp_client_state(c->client) != SMTP_CLIENT_SECURING ||
        stream_tls(c->stream) != NULL)
        return false;
    const char *why = security_begin(&c->security, c->stream);
    c->shaking_mono_ms = now_ms(c);
    if (why != NULL)
        smtp_client_not_secured(c->client, slice_from_string(why));
    return why != NULL;
}

/* Past the greeting it is known what was had. */
static void judge(struct connection *c)
{
    enum smtp_client_state state = smtp_client_state(c->client);
    if (state == SMTP_CLIENT_READY || state == SMTP_CLIENT_BUSY)
        security_judge(&c->security);
}

static void set_deadline(struct connection *c)
{
    int64_t now = now_ms(c);
    uint64_t steps = smtp_client_steps(c->client);
    uint32_t timeout_ms = smtp_client_timeout_ms(c->client);
    if (steps != c->steps)
        c->progress_mono_ms = now;
    c->steps = steps;
    if (timeout_ms == 0) {
        stream_deadline(c->stream, now + c->thread->times.idle_ms);
        return;
    }
    int64_t due = c->progress_mono_ms + timeout_ms;
    stream_deadline(c->stream,
                    due < c->job_deadline_mono_ms ? due : c->job_deadline_mono_ms);
}

/* The last words of a connection without work; unless it is `politely`, nobody waits
 * for the other side's. */
static void say_quit(struct connection *c, bool politely)
{
    smtp_client_quit(c->client);
    send_some(c);
    leave(c, NULL, politely);
}

static void pump(struct connection *c)
{
    judge(c);
    do {
        submit_waiting(c);
    } while ((int)send_some(c) | (int)take_done(c) | (int)begin_tls(c));
    enum smtp_client_state state = smtp_client_state(c->client);
    if (state == SMTP_CLIENT_CLOSED) {
        struct outcome failure =
            outcome_local(OUTCOME_DEFERRED, 4, 2, "the connection was lost");
        leave(c, &failure, false);
    } else if (c->closing && c->submitted == 0) {
        /* Those that wait were given to a connection that takes no more. */
        struct outcome failure =
            outcome_local(OUTCOME_DEFERRED, 4, 2, "the connection takes no more");
        struct list_node *node;
        while ((node = list_take(&c->waiting)) != NULL)
            smtp_job_failed(container_of(node, struct smtp_job, node), &failure, c);
        say_quit(c, true);
    } else {
        set_deadline(c);
    }
}

void connection_take(struct connection *c, struct smtp_job *job)
{
    list_append(&c->waiting, &job->node);
    c->was_kept = false;
    if (c->client != NULL)
        pump(c);
}

void connection_quit(struct connection *c)
{
    c->closing = true;
    c->was_kept = false; /* it was the queue that said so */
    if (c->client != NULL)
        pump(c);
}

static void begin_session(struct connection *c)
{
    struct delivery *d = c->thread->delivery;
    struct smtp_job *job = container_of(list_first(&c->waiting), struct smtp_job, node);
    struct smtp_client_options options = { .helo = d->options.hostname };
    if (job->route->way == DELIVERY_LMTP)
        options.protocol = SMTP_CLIENT_LMTP;
    memcpy(options.waits_ms, c->thread->times.waits_ms, sizeof options.waits_ms);
    security_options(&c->security, &options);
    if (smtp_client_open(&options, &c->client) != ERR_OK) {
        fail_connect(c, "no memory for the connection");
        return;
    }
    c->progress_mono_ms = now_ms(c);
    stream_reading(c->stream, true);
    pump(c);
}

static void on_connected(struct connection *c)
{
    dead_host_forget(c->thread, &c->address);
    c->times.connect_ms = (uint32_t)(now_ms(c) - c->begun_mono_ms);
    if (!c->security.policy.is_implicit) {
        begin_session(c);
        return;
    }
    c->shaking_mono_ms = now_ms(c);
    const char *why = security_begin(&c->security, c->stream);
    if (why != NULL)
        fail_handshake(c, why);
}

static void on_secured(struct connection *c)
{
    security_done(&c->security, c->stream);
    c->times.handshake_ms = (uint32_t)(now_ms(c) - c->shaking_mono_ms);
    if (c->client == NULL) {
        begin_session(c);
    } else {
        smtp_client_secured(c->client);
        pump(c);
    }
}

/* What we say ourselves goes out together with content, and is not told. */
static void tell_lines(struct connection *c, struct slice bytes)
{
    struct line_sink *sink = c->thread->delivery->options.lines;
    while (line_sink_wants(sink) && bytes.len > 0) {
        struct slice text;
        slice_split(&bytes, '\n', &text);
        if (text.len > 0 && text.data[text.len - 1] == '\r')
            text.len--;
        if (slice_starts_with_nocase(text, SLICE("334 ")))
            text = SLICE("334 <hidden>");
        struct mail_line line = {
            .at = loop_now(c->thread->loop), .peer = slice_make(c->remote, c->remote_len),
            .is_outbound = true, .text = text,
        };
        sink->line(sink, &line);
    }
}

static void on_input(struct connection *c)
{
    size_t len;
    char *scratch = loop_scratch(c->thread->loop);
    switch (stream_read(c->stream, scratch, LOOP_SCRATCH_BYTES, &len)) {
    case STREAM_READ_SOME:
        tell_lines(c, slice_make(scratch, len));
        smtp_client_input(c->client, slice_make(scratch, len));
        break;
    case STREAM_READ_NOTHING:
        return;
    case STREAM_READ_END:
        smtp_client_lost(c->client, SMTP_CLIENT_LOST_CLOSED);
        break;
    case STREAM_READ_FAILED:
        smtp_client_lost(c->client, SMTP_CLIENT_LOST_RESET);
        break;
    }
    pump(c);
}

static bool is_shaking(const struct connection *c)
{
    return stream_tls(c->stream) != NULL &&
           (c->client == NULL || smtp_client_state(c->client) == SMTP_CLIENT_SECURING);
}

static void on_shake_failed(struct connection *c, const struct stream *stream)
{
    const char *why = security_failed(&c->security, stream);
    if (c->client == NULL) {
        fail_handshake(c, why);
        return;
    }
    smtp_client_not_secured(c->client, slice_from_string(why));
    pump(c);
}

static void on_timeout(struct connection *c)
{
    if (is_shaking(c)) {
        on_shake_failed(c, NULL);
    } else if (c->client == NULL) {
        fail_connect(c, connect_error_text(ETIMEDOUT));
    } else if (smtp_client_timeout_ms(c->client) == 0) {
        say_quit(c, true);
    } else {
        smtp_client_lost(c->client, SMTP_CLIENT_LOST_TIMEOUT);
        pump(c);
    }
}

static void on_failed(struct connection *c)
{
    if (is_shaking(c)) {
        on_shake_failed(c, c->stream);
        return;
    }
    if (c->client == NULL) {
        fail_connect(c, connect_error_text(stream_error(c->stream)));
        return;
    }
    smtp_client_lost(c->client, SMTP_CLIENT_LOST_RESET);
    pump(c);
}

static void on_event(struct stream_owner *owner, enum stream_event event)
{
    struct connection *c = container_of(owner, struct connection, owner);
    switch (event) {
    case STREAM_CONNECTED:
        on_connected(c);
        return;
    case STREAM_INPUT:
        on_input(c);
        return;
    case STREAM_DRAINED:
        c->progress_mono_ms = now_ms(c);
        pump(c);
        return;
    case STREAM_FAILED:
        on_failed(c);
        return;
    case STREAM_TIMEOUT:
        on_timeout(c);
        return;
    case STREAM_SECURED:
        on_secured(c);
        return;
    }
}

static void stop(struct connection *c)
{
    if (c->client == NULL) {
        struct outcome stopped =
            outcome_local(OUTCOME_DEFERRED, 3, 2, "delivery was stopped");
        leave(c, &stopped, false);
    } else if (c->submitted == 0 && list_is_empty(&c->waiting)) {
        say_quit(c, false);
    } else {
        smtp_client_lost(c->client, SMTP_CLIENT_LOST_STOPPED);
        pump(c);
    }
}

void connections_stop(struct delivery_thread *t, bool all)
{
    struct table_entry *e = table_next(&t->connections, NULL);
    while (e != NULL) {
        struct table_entry *next = table_next(&t->connections, e);
        struct connection *c = container_of(e, struct connection, entry);
        if (all || c->client == NULL || smtp_client_state(c->client) != SMTP_CLIENT_BUSY)
            stop(c);
        e = next;
    }
}
