/* operate.c: what an operator asks of the queue. */
#include "queue/queue_private.h"

#include <stdlib.h>

static void fill_info(const struct queue_recipient *r, struct queue_recipient_info *out)
{
    const struct queue_domain *d = r->domain;
    *out = (struct queue_recipient_info){
        .index = r->index,
        .state = r->place == PLACE_HELD ? RECIPIENT_HELD : RECIPIENT_QUEUED,
        .attempts = r->attempts, .code = r->code, .status = r->status,
        .next_due_wall_ms = r->place == PLACE_WAITING ? r->due_wall_ms : 0,
        .in_flight = r->place == PLACE_FLIGHT,
        .reason = reason_text(r->reason),
    };
    if (d == NULL)
        return;
    out->domain = d->entry.key;
    const struct queue_site *s = d->site;
    if (s != NULL)
        out->site = s->entry.key;
    if (r->place != PLACE_READY)
        return;
    if (d->trouble != NULL) {
        out->reason = reason_text(d->trouble);
        out->status = d->trouble_status;
        if (timer_is_set(&d->retry))
            out->next_due_wall_ms =
                moment_wall_of(loop_now(d->queue->loop), d->retry.due_mono_ms);
    } else if (s != NULL && s->trouble != NULL) {
        out->reason = reason_text(s->trouble);
        out->code = s->trouble_code;
        out->status = s->trouble_status;
        if (timer_is_set(&s->retry))
            out->next_due_wall_ms =
                moment_wall_of(loop_now(d->queue->loop), s->retry.due_mono_ms);
    }
}

typedef bool each_function(void *context, const struct queue_message_info *message,
                           const struct queue_recipient_info *recipient);

static bool show(const struct queue_message *m, each_function *each, void *context)
{
    struct queue_message_info message = {
        .id = m->id, .received_wall_ms = m->received_wall_ms,
        .content_size = m->content_size,
        .sender = slice_make(m->sender, m->sender_len),
        .recipients_count = m->recipients_count,
    };
    for (uint32_t i = 0; i < m->recipients_count; i++) {
        struct queue_recipient_info recipient;
        if (m->recipients[i].place == PLACE_ENDED)
            continue;
        fill_info(&m->recipients[i], &recipient);
        if (!each(context, &message, &recipient))
            return false;
    }
    return true;
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = (*(struct queue_message *const *)a)->id.value;
    uint64_t y = (*(struct queue_message *const *)b)->id.value;
    return x < y ? -1 : x > y;
}

/* The messages after `after`, in order; the caller frees. NULL without any. */
static struct queue_message **in_order(struct queue *q, struct mail_id after,
                                       size_t *out_count)
{
    struct queue_message **all = calloc(q->messages_count + 1, sizeof *all);
    size_t count = 0;
    if (all == NULL)
        return NULL;
    for (size_t i = 0; i < q->buckets_count; i++)
        for (struct queue_message *m = q->buckets[i]; m != NULL; m = m->next)
            if (m->id.value > after.value)
                all[count++] = m;
    qsort(all, count, sizeof(struct queue_message *), by_id);
    *out_count = count;
    return all;
}

void queue_each(struct queue *q, struct mail_id id, struct mail_id after,
                each_function *each, void *context)
{
    if (id.value != 0) {
        struct queue_message *m = message_find(q, id);
        if (m != NULL)
            show(m, each, context);
        return;
    }
    size_t count = 0;
    struct queue_message **all = in_order(q, after, &count);
    for (size_t i = 0; i < count; i++)
        if (!show(all[i], each, context))
            break;
    free(all);
}

static void clear_trouble(struct queue *q, struct queue_recipient *r)
{
    struct queue_domain *d = r->domain;
    if (d == NULL)
        return;
    if (d->site != NULL)
        timer_clear(&d->site->retry);
    if (timer_is_set(&d->retry)) {
        timer_clear(&d->retry);
        domain_resolve(q, d);
    }
    if (d->site != NULL)
        site_dispatch(d->site);
}

static bool act_applies(enum queue_action action, const struct queue_recipient *r)
{
    if (r->place == PLACE_ENDED || r->place == PLACE_FLIGHT)
        return false;
    switch (action) {
    case QUEUE_RETRY:
    case QUEUE_HOLD:
        return r->place != PLACE_HELD;
    case QUEUE_RELEASE:
        return r->place == PLACE_HELD;
    case QUEUE_DELETE:
        return true;
    }
    return false;
}

static void record(struct queue *q, struct queue_recipient *r, enum recipient_state state)
{
    struct recipient_update update = {
        .id = recipient_message(r)->id, .recipient = r->index, .state = state,
        .attempts = r->attempts, .code = r->code, .status = r->status,
        .reason = reason_text(r->reason),
    };
    record_write(q, &update, 1);
}

static void act(struct queue *q, struct queue_recipient *r, enum queue_action action)
{
    bool was_ready = r->place == PLACE_READY;
    if (!(action == QUEUE_RETRY && was_ready))
        recipient_unschedule(q, r);
    switch (action) {
    case QUEUE_RETRY:
        if (!was_ready)
            recipient_ready(q, r);
        clear_trouble(q, r);
        return;
    case QUEUE_HOLD:
        record(q, r, RECIPIENT_HELD);
        recipient_place(q, r, PLACE_HELD);
        return;
    case QUEUE_RELEASE:
        record(q, r, RECIPIENT_QUEUED);
        if (r->domain == NULL)
            return; /* without memory when it came: the next start takes it up */
        recipient_ready(q, r);
        return;
    case QUEUE_DELETE:
        record(q, r, RECIPIENT_DELETED);
        recipient_place(q, r, PLACE_ENDED);
        return;
    }
}

static bool act_on(struct queue *q, struct queue_message *m, enum queue_action action)
{
    static const enum mail_event_kind kinds[] = {
        [QUEUE_HOLD] = MAIL_HELD, [QUEUE_RELEASE] = MAIL_RELEASED,
        [QUEUE_DELETE] = MAIL_DELETED,
    };
    bool changed = false;
    m->open++; /* stays while its recipients go */
    gather_begin(q);
    for (uint32_t i = 0; i < m->recipients_count; i++) {
        if (!act_applies(action, &m->recipients[i]))
            continue;
        changed = true;
        act(q, &m->recipients[i], action);
    }
    gather_end(q);
    if (changed && action != QUEUE_RETRY)
        queue_emit(q, kinds[action], m, NULL);
    m->open--;
    message_release(q, m);
    return changed;
}

size_t queue_act(struct queue *q, struct mail_id id, enum queue_action action)
{
    if (id.value != 0) {
        struct queue_message *m = message_find(q, id);
        return m != NULL && act_on(q, m, action) ? 1 : 0;
    }
    size_t count = 0;
    size_t changed = 0;
    struct queue_message **all = in_order(q, id, &count);
    for (size_t i = 0; i < count; i++)
        changed += act_on(q, all[i], action);
    free(all);
    return changed;
}

struct queue_stats queue_stats(const struct queue *q)
{
    return (struct queue_stats){
        .messages = q->messages_count,
        .recipients = q->counts[PLACE_WAITING] + q->counts[PLACE_READY] +
                      q->counts[PLACE_FLIGHT] + q->counts[PLACE_HELD],
        .waiting = q->counts[PLACE_WAITING],
        .ready = q->counts[PLACE_READY],
        .in_flight = q->counts[PLACE_FLIGHT],
        .held = q->counts[PLACE_HELD],
        .sites = q->sites.count,
        .connections_idle = q->idle.count,
    };
}
