/* shape.c: how much goes to a site, or to all sites of a name: rates, paces, suspensions.
 *
 * A rate is of the configuration; messages are spread evenly over its time (the generic cell
 * rate algorithm, with a few milliseconds of leeway). A pace is found: a reply that asks for
 * less halves what the site has taken in the last minute, or the pace before; it grows by a
 * quarter while nothing is said, and is forgotten at sixteen times its beginning. The same
 * reply halves the connections, which grow by one for each round of messages that is taken.
 * Attempts that began before the last such reply are the same trouble.
 */
#include "queue/queue_private.h"

#include <stdlib.h>

enum {
    LEEWAY_US = 10000,
    PACE_MIN = 60,     /* an hour */
    PACE_GROWTH = 16,
    PACE_STEPS = 5,    /* in the time that a rule says */
};

static int64_t now_ms(const struct queue_shape *h)
{
    return queue_now(h->queue).mono_ms;
}

static void on_timer(struct timer *timer)
{
    shape_serve(container_of(timer, struct queue_shape, timer));
}

struct queue_shape *shape_of(struct queue *q, const struct config_site *rule)
{
    bool has_name = rule != &q->config->site;
    size_t len = has_name ? rule->name.len : 0;
    struct table_entry *entry = has_name ? table_find(&q->shapes, rule->name) : NULL;
    if (entry != NULL) {
        struct queue_shape *found = container_of(entry, struct queue_shape, entry);
        found->references++;
        return found;
    }
    struct queue_shape *h = calloc(1, sizeof *h + len + 1);
    if (h == NULL)
        return NULL;
    h->minute_ms = queue_now(q).mono_ms;
    h->queue = q;
    h->rule = rule;
    h->references = 1;
    h->connections_most = UINT32_MAX;
    h->name_len = len;
    if (len > 0)
        memcpy(h->name, rule->name.data, len);
    list_init(&h->idle);
    list_init(&h->turns);
    timer_init(&h->timer, q->loop, on_timer);
    if (has_name && !table_insert(&q->shapes, &h->entry, slice_make(h->name, len))) {
        free(h);
        return NULL;
    }
    return h;
}

bool shape_is_worth_keeping(struct queue_shape *h)
{
    shape_limit(h, NULL); /* what has ended by itself is forgotten */
    return !h->queue->closing &&
           (h->is_suspended || h->pace != 0 || h->next_us > now_ms(h) * 1000);
}

static void shape_free(struct queue_shape *h)
{
    timer_clear(&h->timer);
    reason_drop(&h->queue->reasons, h->why);
    if (h->name_len > 0)
        table_remove(&h->queue->shapes, &h->entry);
    free(h);
}

void shape_release(struct queue_shape *h)
{
    if (--h->references == 0 && h->name_len == 0)
        shape_free(h);
}

void shapes_sweep(struct queue *q)
{
    struct table_entry *entry = table_next(&q->shapes, NULL);
    while (entry != NULL) {
        struct table_entry *next = table_next(&q->shapes, entry);
        struct queue_shape *h = container_of(entry, struct queue_shape, entry);
        if (h->references == 0 && !shape_is_worth_keeping(h))
            shape_free(h);
        entry = next;
    }
}

void shapes_configure(struct queue *q)
{
    struct table_entry *entry = NULL;
    while ((entry = table_next(&q->sites, entry)) != NULL)
        container_of(entry, struct queue_site, entry)->shape->rule = &q->config->site;
    entry = NULL;
    while ((entry = table_next(&q->shapes, entry)) != NULL) {
        struct queue_shape *h = container_of(entry, struct queue_shape, entry);
        const struct config_site *rule = config_site_named(q->config, entry->key);
        h->rule = rule == NULL ? &q->config->site : rule;
    }
}

/* ---- what is said about it ---- */

static void set_why(struct queue_shape *h, const struct outcome *o)
{
    struct reasons *reasons = &h->queue->reasons;
    reason_drop(reasons, h->why);
    h->why = reason_hold(reasons, o->text);
    h->why_code = o->code;
    h->why_status = o->status;
}

static void tell(struct queue_site *s, enum mail_event_kind kind, const struct outcome *o)
{
    struct queue_shape *h = s->shape;
    queue_emit_text(h->queue, kind, (struct mail_id){ 0 },
                    h->name_len > 0 ? h->entry.key : s->entry.key, o);
}

/* ---- the pace ---- */

static void forget_pace(struct queue_shape *h)
{
    h->pace = 0;
    if (h->is_suspended)
        return;
    reason_drop(&h->queue->reasons, h->why);
    h->why = NULL;
}

static uint64_t an_hour(const struct config_rate *rate)
{
    return (uint64_t)rate->count * HOUR_MS / rate->per_ms;
}

static void grow_pace(struct queue_shape *h)
{
    const struct config_rate *rate = &h->rule->rate;
    while (h->pace != 0 && h->pace_grows_ms <= now_ms(h)) {
        h->pace += h->pace / 4;
        h->pace_grows_ms += h->pace_step_ms;
        if (h->pace >= h->pace_end || (rate->count != 0 && h->pace >= an_hour(rate)))
            forget_pace(h);
    }
}

static void count_minute(struct queue_shape *h)
{
    int64_t passed = now_ms(h) - h->minute_ms;
    if (passed < MINUTE_MS)
        return;
    h->minute_before = passed < 2 * MINUTE_MS ? h->minute_taken : 0;
    h->minute_taken = 0;
    h->minute_ms = now_ms(h);
}

/* Messages in the last minute: those of this one, and the part of the one before that is not
 * over for so long. */
uint32_t shape_minute(struct queue_shape *h)
{
    count_minute(h);
    int64_t left = MINUTE_MS - (now_ms(h) - h->minute_ms);
    return h->minute_taken + (uint32_t)((int64_t)h->minute_before * left / MINUTE_MS);
}

static void slow(struct queue_site *s, int64_t begun_ms, int64_t for_ms,
                 const struct outcome *o)
{
    struct queue_shape *h = s->shape;
    uint64_t before = h->pace != 0 ? h->pace : (uint64_t)shape_minute(h) * 60;
    if (begun_ms < h->slowed_ms)
        return;
    h->slowed_ms = now_ms(h) + 1;
    if (before > UINT32_MAX / PACE_GROWTH)
        before = UINT32_MAX / PACE_GROWTH;
    h->pace = (uint32_t)before / 2 < PACE_MIN ? PACE_MIN : (uint32_t)before / 2;
    if (h->pace_end < h->pace * PACE_GROWTH || h->why == NULL)
        h->pace_end = h->pace * PACE_GROWTH;
    h->pace_step_ms = for_ms / PACE_STEPS;
    h->pace_grows_ms = now_ms(h) + h->pace_step_ms;
    if (h->connections_most > h->connections)
        h->connections_most = h->connections;
    h->connections_most = h->connections_most < 2 ? 1 : h->connections_most / 2;
    h->taken = 0;
    /* The next message waits for its turn at this pace: it has just been too fast. */
    if (h->next_us < now_ms(h) * 1000)
        h->next_us = now_ms(h) * 1000 + HOUR_MS * 1000 / h->pace;
    set_why(h, o);
    tell(s, MAIL_SITE_SLOWED, o);
}

void shape_taken(struct queue_shape *h, int64_t took_ms)
{
    uint32_t took = took_ms > UINT32_MAX / 8 ? UINT32_MAX / 8 : (uint32_t)took_ms;
    count_minute(h);
    h->minute_taken++;
    h->usual_ms = h->usual_ms == 0 ? took : (h->usual_ms * 7 + took) / 8;
    if (h->connections_most >= h->rule->connections || ++h->taken < h->connections_most)
        return;
    h->taken = 0;
    h->connections_most++;
}

/* ---- suspensions ---- */

static void suspend(struct queue_site *s, int64_t for_ms, bool by_operator,
                    const struct outcome *o)
{
    struct queue_shape *h = s->shape;
    int64_t until = for_ms == 0 ? 0 : now_ms(h) + for_ms;
    bool is_longer = !h->is_suspended ||
                     (h->suspended_until_ms != 0 && (until == 0 || until > h->suspended_until_ms));
    if (!is_longer && !by_operator)
        return;
    bool is_new = !h->is_suspended ||
                  (by_operator && !(h->by_operator && h->suspended_until_ms == until));
    h->is_suspended = true;
    h->by_operator = by_operator;
    h->suspended_until_ms = until;
    set_why(h, o);
    if (is_new)
        tell(s, MAIL_SITE_SUSPENDED, o);
    if (!list_is_empty(&h->turns) && until != 0)
        timer_set_at(&h->timer, until); /* it may be sooner than before */
}

void shape_suspend(struct queue_site *s, int64_t for_ms, struct slice reason)
{
    struct outcome o = { .kind = OUTCOME_DEFERRED, .status = { 4, 3, 2 }, .text = reason };
    suspend(s, for_ms, true, &o);
}

static void end_suspension(struct queue_shape *h)
{
    h->is_suspended = false;
    h->by_operator = false;
    if (h->pace != 0)
        return;
    reason_drop(&h->queue->reasons, h->why);
    h->why = NULL;
}

void shape_resume(struct queue_site *s)
{
    struct queue_shape *h = s->shape;
    bool was_bound = h->is_suspended || h->pace != 0;
    end_suspension(h);
    forget_pace(h);
    h->connections_most = UINT32_MAX;
    h->next_us = 0;
    if (was_bound)
        tell(s, MAIL_SITE_RESUMED, NULL);
}

/* ---- what binds ---- */

static int64_t interval_us(struct queue_shape *h, enum queue_limit *out_limit)
{
    const struct config_rate *rate = &h->rule->rate;
    int64_t by_rate = rate->count == 0 ? 0 : (int64_t)rate->per_ms * 1000 / rate->count;
    int64_t by_pace;
    grow_pace(h);
    by_pace = h->pace == 0 ? 0 : HOUR_MS * 1000 / h->pace;
    *out_limit = by_pace > by_rate ? QUEUE_LIMIT_PACE : QUEUE_LIMIT_RATE;
    return by_pace > by_rate ? by_pace : by_rate;
}

enum queue_limit shape_limit(struct queue_shape *h, int64_t *out_until_ms)
{
    enum queue_limit limit;
    int64_t now = now_ms(h);
    int64_t until = 0;
    if (h->is_suspended && h->suspended_until_ms != 0 && h->suspended_until_ms <= now)
        end_suspension(h);
    int64_t interval = interval_us(h, &limit);
    if (h->is_suspended) {
        limit = QUEUE_LIMIT_SUSPENDED;
        until = h->suspended_until_ms;
    } else if (interval != 0 && h->next_us > now * 1000 + LEEWAY_US) {
        /* A limit that was lowered or lifted counts from now on. */
        int64_t latest = now * 1000 + LEEWAY_US + interval;
        if (h->next_us > latest)
            h->next_us = latest;
        until = (h->next_us - LEEWAY_US + 999) / 1000;
    } else {
        limit = QUEUE_LIMIT_NONE;
    }
    if (out_until_ms != NULL)
        *out_until_ms = until;
    return limit;
}

void shape_count(struct queue_shape *h)
{
    enum queue_limit limit;
    int64_t now_us = now_ms(h) * 1000;
    int64_t interval = interval_us(h, &limit);
    if (interval == 0)
        return;
    if (h->next_us < now_us)
        h->next_us = now_us;
    h->next_us += interval;
}

/* ---- what the replies mean ---- */

static void change(struct outcome *o, enum outcome_kind kind, uint8_t class)
{
    o->kind = kind;
    o->status.class = class;
}

void shape_judge(struct queue_site *s, int64_t begun_ms, struct outcome *o)
{
    const struct config_reply *reply;
    if (!o->reply_is_remote || o->code == 0 ||
        (o->kind != OUTCOME_DEFERRED && o->kind != OUTCOME_FAILED))
        return;
    reply = config_site_reply(s->queue->config, s->shape->rule, o->code, o->status, o->text);
    if (reply == NULL)
        return;
    switch (reply->then) {
    case CONFIG_REPLY_SLOW:
        slow(s, begun_ms, reply->for_ms, o);
        return;
    case CONFIG_REPLY_SUSPEND:
        suspend(s, reply->for_ms, false, o);
        return;
    case CONFIG_REPLY_DEFER:
        change(o, OUTCOME_DEFERRED, 4);
        return;
    case CONFIG_REPLY_BOUNCE:
        change(o, OUTCOME_FAILED, 5);
        return;
    }
}
