/* site.c: sites, their attempts, their turns, and their trouble.
 *
 * A site in trouble is tried again with back-off by one attempt at a time, until one
 * gets through; what waits for it is left where it is. Attempts that fail together are
 * one failure; one that fails while others of the site work is no trouble, but a
 * connection too many.
 */
#include "queue/queue_private.h"

#include "base/must.h"

#include <stdlib.h>

enum { JOB_TEXTS_MAX = 64 * 1024 };

static void on_retry(struct timer *timer)
{
    site_dispatch(container_of(timer, struct queue_site, retry));
}

/* [ name "/" ] key: domains with limits of their own have a site of their own. */
static struct slice text_of(const struct queue_shape *h, const struct site_key *key, char *out)
{
    size_t len = 0;
    if (h->name_len > 0) {
        memcpy(out, h->name, h->name_len);
        out[h->name_len] = '/';
        len = h->name_len + 1;
    }
    memcpy(out + len, key->text, key->len);
    return slice_make(out, len + key->len);
}

static struct queue_site *site_make(struct queue *q, struct queue_shape *h,
                                    const struct site_key *key)
{
    struct queue_site *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->queue = q;
    s->shape = h;
    s->connections_most = UINT32_MAX;
    s->key = *key;
    for (int u = 0; u < URGENCIES; u++)
        list_init(&s->domains[u]);
    list_init(&s->idle);
    list_init(&s->one_job);
    timer_init(&s->retry, q->loop, on_retry);
    if (!table_insert(&q->sites, &s->entry, text_of(h, key, s->text))) {
        free(s);
        return NULL;
    }
    h->references++;
    return s;
}

struct queue_site *site_of(struct queue *q, struct slice domain,
                           const struct attempt_resolve *answer)
{
    struct slice host = slice_make(answer->host.text, answer->host.len);
    const struct config_site *rule = config_site_for(q->config, domain, host);
    char text[SITE_KEY_MAX + 64];
    if (rule == &q->config->site) {
        struct table_entry *entry =
            table_find(&q->sites, slice_make(answer->site.text, answer->site.len));
        if (entry != NULL)
            return container_of(entry, struct queue_site, entry);
    }
    struct queue_shape *h = shape_of(q, rule);
    if (h == NULL)
        return NULL;
    struct table_entry *entry = table_find(&q->sites, text_of(h, &answer->site, text));
    struct queue_site *s = entry == NULL ? site_make(q, h, &answer->site)
                                         : container_of(entry, struct queue_site, entry);
    shape_release(h);
    return s;
}

struct config_queue site_plan(const struct queue *q, const struct queue_site *s)
{
    struct config_queue plan = q->config->queue;
    if (s == NULL)
        return plan;
    if (s->shape->rule->retry_first_ms != 0)
        plan.retry_first_ms = s->shape->rule->retry_first_ms;
    if (s->shape->rule->retry_max_ms != 0)
        plan.retry_max_ms = s->shape->rule->retry_max_ms;
    if (plan.retry_max_ms < plan.retry_first_ms)
        plan.retry_max_ms = plan.retry_first_ms;
    return plan;
}

void site_release(struct queue_site *s)
{
    s->references--;
}

void site_sweep(struct queue *q)
{
    struct table_entry *entry = table_next(&q->sites, NULL);
    while (entry != NULL) {
        struct table_entry *next = table_next(&q->sites, entry);
        struct queue_site *s = container_of(entry, struct queue_site, entry);
        pool_grow(s);
        if (q->closing)
            pool_forget(s);
        if (s->references == 0 && s->connections == 0 && s->busy == 0 &&
            (s->shape->name_len > 0 || !shape_is_worth_keeping(s->shape))) {
            timer_clear(&s->retry);
            reason_drop(&q->reasons, s->trouble);
            table_remove(&q->sites, &s->entry);
            list_remove(&s->turn_node);
            shape_release(s->shape);
            free(s);
        }
        entry = next;
    }
    shapes_sweep(q);
}

void site_recovered(struct queue_site *s)
{
    s->failures = 0;
    timer_clear(&s->retry);
    reason_drop(&s->queue->reasons, s->trouble);
    s->trouble = NULL;
}

void site_failed(struct queue_site *s, const struct outcome *outcome)
{
    struct queue *q = s->queue;
    reason_drop(&q->reasons, s->trouble);
    s->trouble = reason_hold(&q->reasons, outcome->text);
    s->trouble_code = outcome->code;
    s->trouble_status = outcome->status;
    queue_emit_text(q, MAIL_SITE_FAILED, (struct mail_id){ 0 }, s->entry.key, outcome);
    bool for_good = outcome->kind == OUTCOME_FAILED;
    if (!for_good && !timer_is_set(&s->retry)) {
        struct config_queue plan = site_plan(q, s);
        s->failures++;
        timer_set(&s->retry, plan_delay_ms(&plan, s->failures, queue_random(q)));
    }
    /* Each in its turn; what is settled may take others out of the list, or put some in. */
    struct list judged;
    struct list_node *node;
    list_init(&judged);
    for (int u = 0; u < URGENCIES; u++)
        while ((node = list_take(&s->domains[u])) != NULL)
            list_append(&judged, node);
    while ((node = list_take(&judged)) != NULL) {
        struct queue_domain *d = container_of(node, struct queue_domain, site_node);
        domain_enlist(d);
        domain_settle(q, d, outcome, !for_good);
    }
}

static void put_back(struct queue *q, struct queue_recipient *r, bool moved)
{
    struct queue_domain *d = r->domain;
    if (moved)
        d->resolved_until_ms = 0;
    recipient_place(q, r, PLACE_READY);
    list_prepend(&d->ready[recipient_message(r)->urgency], &r->wait.node);
    if (d->resolved_until_ms == 0) /* the site may be another one: do not wait for this */
        domain_resolve(q, d);
    else if (d->site != NULL && !d->resolving && (!list_is_linked(&d->site_node) ||
                                                   recipient_message(r)->urgency < d->listed_as))
        domain_enlist(d);
    wish_grant(q, r);
}

static bool was_taken(const struct outcome *o)
{
    return o->kind == OUTCOME_RELAYED || o->kind == OUTCOME_DELIVERED;
}

/* What the site said is heard before anything else is sent there. */
static void judge_job(struct queue_job *job)
{
    bool taken = false;
    for (size_t i = 0; i < job->run.recipients_count; i++) {
        struct outcome *o = &job->run.recipients[i].outcome;
        taken |= was_taken(o);
        shape_judge(job->site, job->begun_ms, o);
    }
    if (taken)
        shape_taken(job->site->shape, queue_now(job->queue).mono_ms - job->begun_ms);
    if (job->run.end == ATTEMPT_NO_SITE)
        shape_judge(job->site, job->begun_ms, &job->run.site_failure);
}

static void settle_job(struct queue_job *job)
{
    struct queue *q = job->queue;
    struct settlement *settlements =
        calloc(job->run.recipients_count, sizeof *settlements);
    size_t count = 0;
    for (size_t i = 0; i < job->run.recipients_count; i++) {
        const struct attempt_recipient *a = &job->run.recipients[i];
        struct queue_recipient *r = &job->message->recipients[a->index];
        if (a->outcome.kind == OUTCOME_NONE || settlements == NULL)
            put_back(q, r, job->run.end == ATTEMPT_MOVED);
        else
            settlements[count++] = (struct settlement){
                .recipient = r, .outcome = a->outcome, .address = a->address,
            };
    }
    settle(q, job->message, settlements, count);
    free(settlements);
}

static void on_done(struct attempt_run *run)
{
    struct queue_job *job = container_of(run, struct queue_job, run);
    struct queue_site *s = job->site;
    struct queue *q = job->queue;
    q->jobs--;
    s->busy--;
    pool_done(s, job->connection,
                    run->end == ATTEMPT_KEPT ? &run->connection : NULL);
    s->references++; /* stays while its recipients are settled */
    judge_job(job);
    settle_job(job);
    if (run->end == ATTEMPT_NO_SITE && s->established > 0 && s->failures == 0)
        pool_shrink(s);
    else if (run->end == ATTEMPT_NO_SITE && !q->draining) /* else it was called off */
        site_failed(s, &run->site_failure);
    else if (s->failures > 0 && run->end != ATTEMPT_MOVED && run->end != ATTEMPT_NO_SITE)
        site_recovered(s);
    site_dispatch(s);
    s->references--;
    buffer_free(&run->texts);
    free(job);
}

static uint32_t gather(struct queue_site *s, struct queue_message *m, uint32_t from,
                       struct attempt_recipient *into)
{
    uint32_t count = 0;
    uint32_t most = s->shape->rule->recipients_per_message;
    if (most > SPOOL_UPDATES_MAX)
        most = SPOOL_UPDATES_MAX; /* their outcomes are one batch */
    for (uint32_t i = from; i < m->recipients_count && count < most; i++) {
        struct queue_recipient *r = &m->recipients[i];
        if (r->place != PLACE_READY || r->domain->site != s ||
            r->forwarded != m->recipients[from].forwarded)
            continue;
        if (into != NULL) {
            into[count] = (struct attempt_recipient){ .index = i };
            recipient_unschedule(s->queue, r);
            recipient_place(s->queue, r, PLACE_FLIGHT);
        }
        count++;
    }
    return count;
}

static struct queue_job *job_make(struct queue_site *s, struct queue_domain *d,
                                  struct queue_recipient *first)
{
    struct queue *q = s->queue;
    struct queue_message *m = recipient_message(first);
    uint32_t count = m->recipients_count == 1 ? 1 : gather(s, m, first->index, NULL);
    struct queue_job *job =
        calloc(1, sizeof *job + count * sizeof(struct attempt_recipient));
    if (job == NULL)
        return NULL;
    job->queue = q;
    job->site = s;
    job->message = m;
    job->run.home = loop_home(q->loop);
    job->run.done = on_done;
    job->run.id = m->id;
    job->run.domain = d->entry.key;
    job->run.site = s->key;
    job->run.recipients_count = gather(s, m, first->index, job->run.recipients);
    buffer_init(&job->run.texts, JOB_TEXTS_MAX);
    return job;
}

/* The domain with the most urgent mail whose turn it is. */
static struct queue_domain *next_domain(struct queue_site *s)
{
    for (int u = 0; u < URGENCIES; u++) {
        struct list_node *node;
        while ((node = list_take(&s->domains[u])) != NULL) {
            struct queue_domain *d = container_of(node, struct queue_domain, site_node);
            bool is_known = d->resolved_until_ms > queue_now(s->queue).mono_ms;
            if (!is_known)
                domain_resolve(s->queue, d);
            else
                domain_enlist(d); /* at the end of the turn, or of that of less urgent ones */
            if (is_known && d->listed_as <= u)
                return d;
        }
    }
    return NULL;
}

enum queue_limit site_limit(struct queue_site *s)
{
    if (!s->queue->started || s->queue->draining)
        return QUEUE_LIMIT_STOPPED;
    enum queue_limit limit = shape_limit(s->shape, NULL);
    if (timer_is_set(&s->retry))
        return QUEUE_LIMIT_TROUBLE;
    if (s->failures > 0 && s->busy > 0)
        return QUEUE_LIMIT_PROBE;
    if (limit != QUEUE_LIMIT_NONE || pool_has_room(s))
        return limit;
    return pool_site_may_open(s) ? QUEUE_LIMIT_CONNECTIONS : QUEUE_LIMIT_REFUSED;
}

/* An attempt of the site, which may make one. False: there is nothing to send. */
static bool start_one(struct queue_site *s)
{
    struct queue *q = s->queue;
    struct queue_domain *d = next_domain(s);
    if (d == NULL)
        return false;
    struct queue_recipient *r = container_of(list_first(&d->ready[domain_urgency(d)]),
                                             struct queue_recipient, wait.node);
    if (message_is_overdue(q, recipient_message(r))) {
        recipient_late(q, r);
        return true;
    }
    struct queue_job *job = job_make(s, d, r);
    if (job == NULL) {
        timer_set(&s->retry, SECOND_MS);
        return true;
    }
    bool any;
    job->connection = pool_take(s, &any);
    must(any);
    if (job->connection != NULL)
        job->run.connection = job->connection->connection;
    job->begun_ms = queue_now(q).mono_ms;
    s->busy++;
    q->jobs++;
    shape_count(s->shape);
    q->attempt->ops->run(q->attempt, &job->run);
    return true;
}

/* Whether the turn is over, and what comes next in the shape may go on. */
static bool take_turn(struct queue_site *s)
{
    struct queue_shape *h = s->shape;
    switch (site_limit(s)) {
    case QUEUE_LIMIT_NONE:
        if (start_one(s))
            list_append(&h->turns, &s->turn_node);
        return true;
    case QUEUE_LIMIT_CONNECTIONS:
        if (s->ready == 0)
            return true;
        list_prepend(&h->turns, &s->turn_node);
        return pool_close_one(h);
    case QUEUE_LIMIT_SUSPENDED:
    case QUEUE_LIMIT_RATE:
    case QUEUE_LIMIT_PACE:
        if (s->ready == 0)
            return true;
        list_prepend(&h->turns, &s->turn_node);
        return false;
    case QUEUE_LIMIT_STOPPED:
    case QUEUE_LIMIT_TROUBLE:
    case QUEUE_LIMIT_PROBE:
    case QUEUE_LIMIT_REFUSED:
    case QUEUE_LIMIT_NO_MAIL:
        break;
    }
    return true; /* what ends that comes back here */
}

void shape_serve(struct queue_shape *h)
{
    struct list_node *node;
    bool goes_on = true;
    int64_t until_ms;
    if (h->is_serving)
        return;
    h->is_serving = true;
    while (goes_on && (node = list_take(&h->turns)) != NULL)
        goes_on = take_turn(container_of(node, struct queue_site, turn_node));
    h->is_serving = false;
    if (!list_is_empty(&h->turns) && shape_limit(h, &until_ms) != QUEUE_LIMIT_NONE &&
        until_ms != 0)
        timer_set_at(&h->timer, h->pace != 0 && h->pace_grows_ms < until_ms ? h->pace_grows_ms
                                                                          : until_ms);
}

void site_dispatch(struct queue_site *s)
{
    struct queue *q = s->queue;
    if (q->gathering > 0) {
        if (!list_is_linked(&s->woken_node))
            list_append(&q->woken, &s->woken_node);
        return;
    }
    /* A connection is used to its end before another site takes its place. */
    if (s->shape->connections >= s->shape->rule->connections && !list_is_empty(&s->idle)) {
        list_remove(&s->turn_node);
        list_prepend(&s->shape->turns, &s->turn_node);
    } else if (!list_is_linked(&s->turn_node)) {
        list_append(&s->shape->turns, &s->turn_node);
    }
    shape_serve(s->shape);
}
