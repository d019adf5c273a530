/* delivery.c: opening, and handing each job to its way out. */
#include "delivery/delivery.h"

#include "base/ascii.h"
#include "base/must.h"
#include "delivery/connection.h"
#include "delivery/delivery_private.h"

#include <stdlib.h>

struct outcome outcome_local(enum outcome_kind kind, uint16_t subject, uint16_t detail,
                             const char *text)
{
    return (struct outcome){
        .kind = kind,
        .status = { kind == OUTCOME_FAILED ? 5 : 4, subject, detail },
        .text = slice_from_string(text),
    };
}

struct outcome outcome_unreadable(enum err error)
{
    if (error == ERR_ABSENT || error == ERR_CORRUPT)
        return outcome_local(OUTCOME_FAILED, 3, 0, "the message is damaged or gone here");
    return outcome_local(OUTCOME_DEFERRED, 3, 0, "the message cannot be read now");
}

static void run_done(struct task *task)
{
    struct attempt_run *run = container_of(task, struct attempt_run, task);
    run->done(run);
}

void run_finish(struct attempt_run *run)
{
    run->task.run = run_done;
    home_post(run->home, &run->task);
}

size_t run_keep_text(struct attempt_run *run, struct slice text)
{
    size_t at = buffer_len(&run->texts);
    if (!run->texts.overflow && text.len <= run->texts.max - at)
        buffer_append(&run->texts, text);
    return at;
}

static struct slice address_of(const struct attempt_run *run,
                               const struct message_view *view, size_t i)
{
    uint32_t index = run->recipients[i].index;
    must(index < view->envelope.recipients_count);
    return view->envelope.recipients[index].address;
}

size_t run_keep_addresses(struct attempt_run *run, const struct message_view *view)
{
    size_t total = 0;
    size_t at = buffer_len(&run->texts);
    for (size_t i = 0; i < run->recipients_count; i++)
        total += address_of(run, view, i).len;
    if (run->texts.overflow || total > (run->texts.max - at) / 2)
        return SIZE_MAX;
    for (size_t i = 0; i < run->recipients_count; i++)
        buffer_append(&run->texts, address_of(run, view, i));
    return at;
}

void run_point_addresses(struct attempt_run *run, const struct message_view *view,
                         size_t at)
{
    for (size_t i = 0; at != SIZE_MAX && i < run->recipients_count; i++) {
        size_t len = address_of(run, view, i).len;
        run->recipients[i].address = slice_part(buffer_slice(&run->texts), at, len);
        at += len;
    }
}

void run_decide_all(struct attempt_run *run, const struct outcome *outcome)
{
    size_t at = run_keep_text(run, outcome->text);
    for (size_t i = 0; i < run->recipients_count; i++) {
        run->recipients[i].outcome = *outcome;
        run->recipients[i].outcome.text =
            slice_part(buffer_slice(&run->texts), at, outcome->text.len);
    }
}

struct delivery_thread *delivery_next_thread(struct delivery *d)
{
    return &d->threads[atomic_fetch_add(&d->turn, 1) % d->options.loops_count];
}

static struct delivery_routes *hold_routes(struct delivery *d)
{
    pthread_mutex_lock(&d->lock);
    struct delivery_routes *routes = delivery_routes_hold(d->routes);
    pthread_mutex_unlock(&d->lock);
    return routes;
}

static void set_default(uint32_t *time_ms, uint32_t usual_ms)
{
    if (*time_ms == 0)
        *time_ms = usual_ms;
}

static struct delivery_times with_defaults(struct delivery_times times)
{
    set_default(&times.connect_ms, 30 * SECOND_MS);
    set_default(&times.idle_ms, 10 * SECOND_MS);
    set_default(&times.total_ms, HOUR_MS);
    return times;
}

/* New times on their way to a thread. */
struct retiming {
    struct task task;
    struct delivery_thread *thread;
    struct delivery_times times;
    struct retiming *next;       /* while they are made */
};

static void run_retiming(struct task *task)
{
    struct retiming *r = container_of(task, struct retiming, task);
    r->thread->times = r->times;
    free(r);
}

static bool retime(struct delivery *d, const struct delivery_times *times)
{
    struct retiming *made = NULL;
    uint32_t count = 0;
    for (; count < d->options.loops_count; count++) {
        struct retiming *r = malloc(sizeof *r);
        if (r == NULL)
            break;
        *r = (struct retiming){ .task.run = run_retiming, .thread = &d->threads[count],
                                .times = with_defaults(*times), .next = made };
        made = r;
    }
    bool all = count == d->options.loops_count;
    while (made != NULL) {
        struct retiming *r = made;
        made = r->next;
        if (all)
            home_post(loop_home(r->thread->loop), &r->task);
        else
            free(r);
    }
    return all;
}

static void set_heed(struct delivery *d, const struct delivery_heed *heed)
{
    atomic_store(&d->heeds_shown, heed->shown);
    atomic_store(&d->heeds_dane, heed->dane);
    atomic_store(&d->heeds_mtasts, heed->mtasts);
}

bool delivery_configure(struct delivery *d, const struct delivery_change *change)
{
    if (!retime(d, &change->times))
        return false;
    delivery_routes_hold(change->routes);
    pthread_mutex_lock(&d->lock);
    struct delivery_routes *old = d->routes;
    d->routes = change->routes;
    pthread_mutex_unlock(&d->lock);
    delivery_routes_drop(&old);
    set_heed(d, &change->heed);
    return true;
}

static void delivery_resolve(struct attempt *attempt, struct attempt_resolve *job)
{
    struct delivery *d = container_of(attempt, struct delivery, attempt);
    struct delivery_routes *routes = hold_routes(d);
    resolve_start(d, job, routes, delivery_routes_find(routes, job->domain));
}

static void delivery_run(struct attempt *attempt, struct attempt_run *run)
{
    struct delivery *d = container_of(attempt, struct delivery, attempt);
    struct delivery_routes *routes = hold_routes(d);
    const struct delivery_route *route = delivery_routes_find(routes, run->domain);
    run->end = ATTEMPT_CLOSED;
    run->site_failure = (struct outcome){ .kind = OUTCOME_NONE };
    for (size_t i = 0; i < run->recipients_count; i++) {
        run->recipients[i].outcome = (struct outcome){ .kind = OUTCOME_NONE };
        run->recipients[i].address = slice_make(NULL, 0);
    }
    if (atomic_load(&d->stopped)) {
        struct outcome stopped =
            outcome_local(OUTCOME_DEFERRED, 3, 2, "delivery was stopped");
        run_decide_all(run, &stopped);
        delivery_routes_drop(&routes);
        run_finish(run);
        return;
    }
    /* Its connection, were one to be kept, would serve others of that site. */
    if (!site_fits_route(&run->site, route, run->domain)) {
        run->end = ATTEMPT_MOVED;
        delivery_routes_drop(&routes);
        run_finish(run);
        return;
    }
    switch (route->way) {
    case DELIVERY_MX:
    case DELIVERY_SMTP:
    case DELIVERY_LMTP:
        attempt_smtp_start(d, run, routes, route);
        return;
    case DELIVERY_MAILDIR:
        attempt_maildir_start(d, run, routes, route);
        return;
    case DELIVERY_DISCARD:
        attempt_discard_start(d, run, routes);
        return;
    }
}

struct closing {
    struct task task;
    struct delivery_thread *thread;
    uint64_t id;
};

static void run_close(struct task *task)
{
    struct closing *closing = container_of(task, struct closing, task);
    struct connection *c = connection_find(closing->thread, closing->id);
    if (c != NULL)
        connection_quit(c);
    free(closing);
}

/* Without memory the connection is left to its idle time. */
static void delivery_close_connection(struct attempt *attempt,
                                      struct attempt_connection connection)
{
    struct delivery *d = container_of(attempt, struct delivery, attempt);
    struct closing *closing = malloc(sizeof *closing);
    if (closing == NULL || connection.thread >= d->options.loops_count) {
        free(closing);
        return;
    }
    *closing = (struct closing){ .task.run = run_close,
                                 .thread = &d->threads[connection.thread],
                                 .id = connection.id };
    home_post(loop_home(closing->thread->loop), &closing->task);
}

static const struct attempt_ops ops = {
    .resolve = delivery_resolve,
    .run = delivery_run,
    .close = delivery_close_connection,
};

static void run_stop(struct task *task)
{
    struct delivery_thread *t = container_of(task, struct delivery_thread, stop);
    t->stopped = true;
    connections_stop(t, true);
}

static void run_drain(struct task *task)
{
    struct delivery_thread *t = container_of(task, struct delivery_thread, drain);
    t->stopped = true;
    connections_stop(t, false);
}

static bool hostname_is_sendable(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (ascii_is_control(name.data[i]) || name.data[i] == ' ')
            return false;
    return name.len > 0 && name.len <= 255;
}

static void on_forgotten(struct shown_listener *listener, struct slice host)
{
    struct delivery *d = container_of(listener, struct delivery, forgotten);
    if (d->options.keeper != NULL)
        d->options.keeper->keep(d->options.keeper, host, slice_make(NULL, 0));
}

enum { SESSIONS_MAX = 256 };

static enum err open_memories(struct delivery *d)
{
    d->forgotten.forgotten = on_forgotten;
    enum err error = shown_open(SHOWN_HOSTS_MAX, &d->forgotten, &d->shown);
    for (uint32_t i = 0; error == ERR_OK && i < d->options.loops_count; i++)
        error = tls_sessions_open(SESSIONS_MAX, &d->threads[i].sessions);
    return error;
}

enum err delivery_open(const struct delivery_options *options, struct delivery **out)
{
    must(options->loops_count > 0);
    if (!hostname_is_sendable(options->hostname))
        return ERR_INVALID;
    struct delivery *d =
        calloc(1, sizeof *d + options->loops_count * sizeof d->threads[0]);
    if (d == NULL)
        return ERR_MEMORY;
    d->attempt.ops = &ops;
    d->options = *options;
    if (d->options.smtp_port == 0)
        d->options.smtp_port = 25;
    d->any_host = (struct dns_mx_rules){ .allow_loopback = true, .allow_private = true };
    d->routes = delivery_routes_hold(options->routes);
    pthread_mutex_init(&d->lock, NULL);
    for (uint32_t i = 0; i < options->loops_count; i++) {
        struct delivery_thread *t = &d->threads[i];
        t->delivery = d;
        t->loop = options->loops[i];
        t->index = i;
        t->times = with_defaults(options->times);
        t->stop.run = run_stop;
        t->drain.run = run_drain;
        buffer_init(&t->out, SMTP_CLIENT_OUTPUT_MAX);
    }
    set_heed(d, &options->heed);
    enum err error = open_memories(d);
    if (error != ERR_OK)
        delivery_close(&d);
    else
        *out = d;
    return error;
}

bool delivery_recall(struct delivery *d, struct slice host, struct slice text,
                     int64_t now_wall_ms)
{
    return shown_recall(d->shown, host, text, now_wall_ms);
}

struct attempt *delivery_attempt(struct delivery *d)
{
    return &d->attempt;
}

void delivery_drain(struct delivery *d)
{
    for (uint32_t i = 0; i < d->options.loops_count; i++)
        home_post(loop_home(d->threads[i].loop), &d->threads[i].drain);
}

void delivery_stop(struct delivery *d)
{
    if (atomic_exchange(&d->stopped, true))
        return;
    for (uint32_t i = 0; i < d->options.loops_count; i++)
        home_post(loop_home(d->threads[i].loop), &d->threads[i].stop);
}

void delivery_close(struct delivery **delivery)
{
    struct delivery *d = *delivery;
    if (d == NULL)
        return;
    for (uint32_t i = 0; i < d->options.loops_count; i++) {
        must(d->threads[i].connections.count == 0);
        table_free(&d->threads[i].connections);
        buffer_free(&d->threads[i].out);
        tls_sessions_close(&d->threads[i].sessions);
    }
    shown_close(&d->shown);
    delivery_routes_drop(&d->routes);
    pthread_mutex_destroy(&d->lock);
    free(d);
    *delivery = NULL;
}
