/* watch.c: looks, all the time, for what must never be: mail that is older than its expiry
 * and not held, and mail that is ready, unserved, while its site has room.
 *
 * What is found is a bug of ours, or a clock that jumped; it is told once for each message,
 * and counted. A ready one is told of when it is found so twice, a minute apart.
 *
 * Mail that a limit (a rate, a suspension) holds back over its lifetime is found on the way,
 * and comes back.
 */
#include "queue/queue_private.h"

#include "log/log.h"

enum { EVERY_MS = 60 * 1000, SLICE_RECIPIENTS = 4000, PAUSE_MS = 5 };

/* The last attempt of a message's life may be due so long after its end, and take so long. */
static int64_t grace_ms(const struct queue *q)
{
    const struct config_queue *c = &q->config->queue;
    int64_t longest = c->retry_max_ms > c->retry_first_ms ? c->retry_max_ms : c->retry_first_ms;
    for (size_t i = 0; i <= q->config->sites_count; i++) {
        const struct config_site *s =
            i == q->config->sites_count ? &q->config->site : &q->config->sites[i];
        longest = s->retry_max_ms > longest ? s->retry_max_ms : longest;
        longest = s->retry_first_ms > longest ? s->retry_first_ms : longest;
    }
    return longest + longest * (int64_t)c->retry_jitter_percent / 100 +
           (int64_t)q->config->timeouts.attempt_total + 10 * MINUTE_MS;
}

static bool is_too_old(const struct queue *q, const struct queue_message *m)
{
    int64_t lifetime = m->is_report ? q->config->queue.report_lifetime_ms
                                    : q->config->queue.lifetime_ms;
    return queue_now(q).wall_ms - m->begun_wall_ms - lifetime > grace_ms(q);
}

/* Why a ready recipient is not served, where nothing is in its way; or NULL. */
static const char *unserved(struct queue *q, const struct queue_domain *d)
{
    if (d == NULL || d->sentence != NULL || d->resolving || d->lookup_waits ||
        timer_is_set(&d->retry))
        return NULL;
    if (d->site == NULL || d->resolved_until_ms <= queue_now(q).mono_ms) {
        bool is_listed = d->site != NULL && list_is_linked(&d->site_node);
        if (!is_listed)
            return "its domain is neither looked up nor listed";
    } else if (!list_is_linked(&d->site_node)) {
        return "its domain is not listed with its site";
    }
    return site_limit(d->site) == QUEUE_LIMIT_NONE ? "its site has room and does not serve it" : NULL;
}

static void alarm_of(struct queue *q, struct queue_message *m, const struct queue_recipient *r,
                     const char *text)
{
    struct log_line line;
    char id[MAIL_ID_CHARACTERS + 1];
    q->alarms++;
    m->is_alarmed = true;
    log_begin(&line, LOG_ERROR, "queue-alarm");
    log_string(&line, "id", mail_id_text(m->id, id));
    log_number(&line, "recipient", r->index);
    if (r->domain != NULL)
        log_text(&line, "domain", r->domain->entry.key);
    if (r->domain != NULL && r->domain->site != NULL)
        log_text(&line, "site", r->domain->site->entry.key);
    log_string(&line, "text", text);
    log_end(&line);
}

/* Nothing is tried behind a limit: nothing else would end its life. */
static void note_expired(struct queue_recipient *r)
{
    struct queue_domain *d = r->domain;
    int64_t until;
    if (d != NULL && d->site != NULL && d->sentence == NULL && !d->has_expired)
        d->has_expired = site_waits_for(d->site, &until).len > 0;
}

static void end_expired(struct queue *q)
{
    struct table_entry *entry = NULL;
    while ((entry = table_next(&q->domains, entry)) != NULL) {
        struct queue_domain *d = container_of(entry, struct queue_domain, entry);
        int64_t until;
        if (!d->has_expired)
            continue;
        d->has_expired = false;
        struct slice why = d->site == NULL || d->sentence != NULL
                               ? slice_make(NULL, 0) : site_waits_for(d->site, &until);
        if (why.len == 0)
            continue;
        struct outcome late = { .kind = OUTCOME_DEFERRED, .status = { 4, 4, 7 }, .text = why };
        domain_settle(q, d, &late, true);
    }
}

static void see(void *context, struct queue_message *m)
{
    struct queue *q = context;
    bool is_suspect = false;
    bool too_old = is_too_old(q, m);
    bool is_expired = message_is_expired(q, m);
    for (uint32_t i = 0; !m->is_alarmed && i < m->recipients_count; i++) {
        struct queue_recipient *r = &m->recipients[i];
        if (is_expired && r->place == PLACE_READY)
            note_expired(r);
        bool is_tried = r->place == PLACE_WAITING || r->place == PLACE_READY;
        const char *why = r->place == PLACE_READY ? unserved(q, r->domain) : NULL;
        if (is_tried && too_old)
            alarm_of(q, m, r, "it is older than its expiry, and still here");
        else if (why != NULL && m->is_suspect)
            alarm_of(q, m, r, why);
        is_suspect |= why != NULL;
    }
    m->is_suspect = is_suspect;
}

static void on_watch(struct timer *timer)
{
    struct queue *q = container_of(timer, struct queue, watch);
    bool more = !q->draining &&
                queue_walk(q, &q->watched, SLICE_RECIPIENTS, see, q);
    if (!more) {
        q->watched = (struct queue_walk){ 0 };
        if (!q->draining)
            end_expired(q);
    }
    timer_set(timer, more ? PAUSE_MS : EVERY_MS);
}

void watch_begin(struct queue *q)
{
    timer_init(&q->watch, q->loop, on_watch);
    timer_set(&q->watch, EVERY_MS);
}

void watch_end(struct queue *q)
{
    timer_clear(&q->watch);
}
