/* queue.c: the beginning and the end, and what comes from the spool. */
#include "queue/queue_private.h"

#include "log/log.h"

#include <stdlib.h>

enum { SWEEP_MS = 60 * 1000 };

static bool sink_reserve(struct spool_sink *sink, size_t recipients)
{
    struct queue *q = container_of(sink, struct queue, sink);
    uint64_t before = atomic_fetch_add(&q->reserved, recipients);
    if (before + recipients <= atomic_load(&q->recipients_max))
        return true;
    atomic_fetch_sub(&q->reserved, recipients);
    return false;
}

static void sink_release(struct spool_sink *sink, size_t recipients)
{
    struct queue *q = container_of(sink, struct queue, sink);
    atomic_fetch_sub(&q->reserved, recipients);
}

static void admit(struct queue *q, struct queue_recipient *r,
                  const struct spool_recipient *from)
{
    r->domain = domain_of(q, from->address);
    if (r->domain == NULL) {
        /* Without memory for the domain the recipient sleeps in the spool: it comes
         * back with the next start. */
        recipient_place(q, r, PLACE_HELD);
        log_fault("queue-memory", "domain", ERR_MEMORY);
        return;
    }
    r->domain->recipients++;
    if (from->state == RECIPIENT_HELD) {
        recipient_place(q, r, PLACE_HELD);
    } else if (from->next_due_wall_ms > queue_now(q).wall_ms) {
        recipient_wait(q, r, from->next_due_wall_ms);
    } else {
        recipient_ready(q, r);
    }
}

static void sink_arrived(struct spool_sink *sink, struct spool_arrival *arrival)
{
    struct queue *q = container_of(sink, struct queue, sink);
    struct queue_message *m = message_add(q, arrival);
    if (m == NULL)
        log_fault("queue-memory", "message", ERR_MEMORY);
    else
        deadline_set(q, m);
    gather_begin(q);
    for (uint32_t i = 0; m != NULL && i < m->recipients_count; i++) {
        if (!q->started)
            atomic_fetch_add(&q->reserved, m->recipients[i].place == PLACE_NONE);
        if (m->recipients[i].place == PLACE_NONE)
            admit(q, &m->recipients[i], &arrival->recipients[i]);
    }
    gather_end(q);
    spool_arrival_free(arrival);
}

static void on_sweep(struct timer *timer)
{
    struct queue *q = container_of(timer, struct queue, sweep);
    domain_sweep(q);
    site_sweep(q);
    timer_set(timer, SWEEP_MS);
}

enum err queue_open(const struct queue_options *options, const struct config *config,
                    struct queue **out)
{
    struct queue *q = calloc(1, sizeof *q);
    if (q == NULL)
        return ERR_MEMORY;
    q->options = *options;
    q->loop = options->loop;
    q->config = config_hold(config);
    atomic_init(&q->recipients_max, config->queue.recipients_max);
    q->random = options->random == 0 ? 1 : options->random;
    q->sink = (struct spool_sink){
        .home = loop_home(q->loop), .arrived = sink_arrived,
        .reserve = sink_reserve, .release = sink_release,
    };
    q->watcher = (struct attempt_watcher){
        .home = loop_home(q->loop), .lost = on_connection_lost,
    };
    table_init(&q->domains);
    table_init(&q->sites);
    table_init(&q->shapes);
    table_init(&q->idle);
    table_init(&q->reasons.table);
    list_init(&q->woken);
    wheel_init(&q->wheel, queue_now(q).mono_ms);
    list_init(&q->lookups_waiting);
    list_init(&q->sentences);
    list_init(&q->deadlines);
    record_init(q);
    timer_init(&q->wheel_timer, q->loop, on_wheel);
    timer_init(&q->sweep, q->loop, on_sweep);
    *out = q;
    return ERR_OK;
}

struct spool_sink *queue_sink(struct queue *q)
{
    return &q->sink;
}

struct attempt_watcher *queue_watcher(struct queue *q)
{
    return &q->watcher;
}

/* Looks up where everything goes that could go now. */
static void resolve_ready(struct queue *q)
{
    struct table_entry *entry = NULL;
    while ((entry = table_next(&q->domains, entry)) != NULL) {
        struct queue_domain *d = container_of(entry, struct queue_domain, entry);
        if (domain_has_ready(d))
            domain_resolve(q, d);
    }
}

void queue_start(struct queue *q, struct queue_store *store, struct attempt *attempt)
{
    q->store = store;
    q->attempt = attempt;
    q->started = true;
    timer_set(&q->sweep, SWEEP_MS);
    watch_begin(q);
    resolve_ready(q);
    wheel_arm(q);
}

void queue_configure(struct queue *q, const struct config *config)
{
    config_drop(&q->config);
    q->config = config_hold(config);
    shapes_configure(q);
    q->generation++; /* answers that are under way hold no more */
    sentences_forget(q);
    atomic_store(&q->recipients_max, config->queue.recipients_max);
    struct table_entry *entry = NULL;
    while ((entry = table_next(&q->domains, entry)) != NULL) {
        struct queue_domain *d = container_of(entry, struct queue_domain, entry);
        d->resolved_until_ms = 0;
        timer_clear(&d->retry);
    }
    if (q->started)
        resolve_ready(q);
}

void queue_drain(struct queue *q)
{
    q->draining = true;
}

bool queue_is_quiet(const struct queue *q)
{
    return q->jobs == 0 && q->reports == 0 && list_is_empty(&q->records);
}

static void free_messages(struct queue *q)
{
    for (size_t i = 0; i < q->buckets_count; i++) {
        while (q->buckets[i] != NULL) {
            struct queue_message *m = q->buckets[i];
            q->buckets[i] = m->next;
            for (uint32_t n = 0; n < m->recipients_count; n++)
                reason_drop(&q->reasons, m->recipients[n].reason);
            free(m);
        }
    }
    free(q->buckets);
}

void queue_close(struct queue **queue)
{
    struct queue *q = *queue;
    if (q == NULL)
        return;
    q->closing = true;
    sentences_forget(q);
    struct table_entry *entry = NULL;
    while ((entry = table_next(&q->domains, entry)) != NULL) {
        struct queue_domain *d = container_of(entry, struct queue_domain, entry);
        d->recipients = 0;
        for (int u = 0; u < URGENCIES; u++)
            list_init(&d->ready[u]);
    }
    deadlines_forget(q);
    free_messages(q);
    if (q->started) {
        domain_sweep(q);
        site_sweep(q);
    }
    record_free(q);
    timer_clear(&q->wheel_timer);
    timer_clear(&q->sweep);
    census_forget(q);
    watch_end(q);
    table_free(&q->domains);
    table_free(&q->sites);
    table_free(&q->shapes);
    table_free(&q->idle);
    table_free(&q->reasons.table);
    config_drop(&q->config);
    free(q);
    *queue = NULL;
}
