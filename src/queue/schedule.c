/* schedule.c: recipients between the wheel and the ready lists. */
#include "queue/queue_private.h"

#include "base/must.h"

bool message_is_expired(const struct queue *q, const struct queue_message *m)
{
    int64_t lifetime = m->is_report ? q->config->queue.report_lifetime_ms
                                    : q->config->queue.lifetime_ms;
    return queue_now(q).wall_ms - m->begun_wall_ms >= lifetime;
}

void wheel_arm(struct queue *q)
{
    int64_t next = wheel_next_ms(&q->wheel);
    if (next < 0)
        timer_clear(&q->wheel_timer);
    else if (!timer_is_set(&q->wheel_timer) || next < q->wheel_timer.due_mono_ms)
        timer_set_at(&q->wheel_timer, next);
}

void recipient_wait(struct queue *q, struct queue_recipient *r, int64_t due_wall_ms)
{
    r->due_wall_ms = due_wall_ms;
    recipient_place(q, r, PLACE_WAITING);
    wheel_add(&q->wheel, &r->wait, moment_mono_of(queue_now(q), due_wall_ms));
    wheel_arm(q);
}

static bool is_resolved(const struct queue *q, const struct queue_domain *d)
{
    return d->site != NULL && d->resolved_until_ms > queue_now(q).mono_ms;
}

enum urgency domain_urgency(const struct queue_domain *d)
{
    int u = 0;
    while (u < URGENCIES && list_is_empty(&d->ready[u]))
        u++;
    return (enum urgency)u;
}

void domain_enlist(struct queue_domain *d)
{
    enum urgency urgency = domain_urgency(d);
    if (list_is_linked(&d->site_node))
        list_remove(&d->site_node);
    must(urgency != URGENCIES);
    d->listed_as = (uint8_t)urgency;
    list_append(&d->site->domains[urgency], &d->site_node);
}

void recipient_ready(struct queue *q, struct queue_recipient *r)
{
    struct queue_domain *d = r->domain;
    recipient_place(q, r, PLACE_READY);
    list_append(&d->ready[recipient_message(r)->urgency], &r->wait.node);
    if (!q->started || d->resolving || timer_is_set(&d->retry))
        return;
    if (!is_resolved(q, d)) {
        domain_resolve(q, d);
        return;
    }
    if (!list_is_linked(&d->site_node) || recipient_message(r)->urgency < d->listed_as)
        domain_enlist(d);
    site_dispatch(d->site);
}

void gather_begin(struct queue *q)
{
    q->gathering++;
}

void gather_end(struct queue *q)
{
    struct list_node *node;
    if (--q->gathering > 0)
        return;
    while ((node = list_take(&q->woken)) != NULL)
        site_dispatch(container_of(node, struct queue_site, woken_node));
}

void recipient_unschedule(struct queue *q, struct queue_recipient *r)
{
    if (r->place == PLACE_WAITING)
        wheel_remove(&q->wheel, &r->wait);
    else if (r->place == PLACE_READY)
        list_remove(&r->wait.node);
    if (r->domain != NULL && !domain_has_ready(r->domain)) {
        list_remove(&r->domain->site_node);
        r->domain->lookup_waits = false;
    }
}

void on_wheel(struct timer *timer)
{
    struct queue *q = container_of(timer, struct queue, wheel_timer);
    struct list due;
    struct list_node *node;
    list_init(&due);
    wheel_turn(&q->wheel, queue_now(q).mono_ms, &due);
    gather_begin(q);
    while ((node = list_take(&due)) != NULL) {
        struct queue_recipient *r =
            container_of(node, struct queue_recipient, wait.node);
        recipient_ready(q, r);
    }
    gather_end(q);
    wheel_arm(q);
}
