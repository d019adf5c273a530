/* deadline.c: messages with a time to be delivered in: a timer each, for there are few.
 *
 * RFC 2852 4.1.3. It reaches what waits for its next attempt and what stands behind a site in
 * trouble; an attempt that is under way ends first, and settle() sees to it.
 */
#include "queue/queue_private.h"

#include <stdlib.h>

struct deadline {
    struct timer timer;
    struct list_node node;       /* in the queue's list */
    struct queue *queue;
    struct mail_id id;
};

static void deadline_free(struct deadline *d)
{
    timer_clear(&d->timer);
    list_remove(&d->node);
    free(d);
}

bool message_is_overdue(const struct queue *q, const struct queue_message *m)
{
    return m->deliver_by_wall_ms != 0 && m->by_returns &&
           queue_now(q).wall_ms >= m->deliver_by_wall_ms;
}

void recipient_late(struct queue *q, struct queue_recipient *r)
{
    struct queue_message *m = recipient_message(r);
    struct settlement s = { .recipient = r };
    s.outcome = (struct outcome){
        .kind = OUTCOME_DEFERRED, .status = { 4, 4, 7 },
        .text = SLICE("The time to deliver it in, as the sender has set it, is over"),
    };
    recipient_unschedule(q, r);
    recipient_place(q, r, PLACE_FLIGHT);
    settle(q, m, &s, 1);
}

static void on_time(struct timer *timer)
{
    struct deadline *d = container_of(timer, struct deadline, timer);
    struct queue *q = d->queue;
    struct queue_message *m = message_find(q, d->id);
    if (m != NULL && !q->started) {
        timer_set(&d->timer, SECOND_MS);
        return;
    }
    deadline_free(d);
    if (m == NULL || q->draining)
        return;
    m->open++; /* stays while its recipients go */
    gather_begin(q);
    for (uint32_t i = 0; i < m->recipients_count; i++) {
        enum place place = m->recipients[i].place;
        if (place == PLACE_READY || place == PLACE_WAITING)
            recipient_late(q, &m->recipients[i]);
    }
    gather_end(q);
    m->open--;
    message_release(q, m);
}

void deadline_set(struct queue *q, const struct queue_message *m)
{
    int64_t by = m->deliver_by_wall_ms;
    bool is_over = !m->by_returns && by <= queue_now(q).wall_ms; /* it was, when it came */
    struct deadline *d = by == 0 || is_over ? NULL : calloc(1, sizeof *d);
    if (d == NULL)
        return; /* without memory it is seen at the next attempt */
    d->queue = q;
    d->id = m->id;
    list_append(&q->deadlines, &d->node);
    timer_init(&d->timer, q->loop, on_time);
    timer_set_at(&d->timer, moment_mono_of(queue_now(q), m->deliver_by_wall_ms));
}

void deadlines_forget(struct queue *q)
{
    struct list_node *node;
    while ((node = list_first(&q->deadlines)) != NULL)
        deadline_free(container_of(node, struct deadline, node));
}
