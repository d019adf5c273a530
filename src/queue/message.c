/* message.c: messages and recipients in memory, and the counts of where they are. */
#include "queue/queue_private.h"

#include "base/must.h"

#include <stdlib.h>

uint32_t queue_random(struct queue *q)
{
    /* xorshift64*: for jitter, nothing that anybody could gain by guessing */
    q->random ^= q->random >> 12;
    q->random ^= q->random << 25;
    q->random ^= q->random >> 27;
    return (uint32_t)(q->random * UINT64_C(2685821657736338717) >> 32);
}

struct moment queue_now(const struct queue *q)
{
    return loop_now(q->loop);
}

static struct queue_message **bucket_of(struct queue *q, struct mail_id id)
{
    uint64_t mixed = id.value * UINT64_C(0x9e3779b97f4a7c15);
    return &q->buckets[(mixed >> 32) & (q->buckets_count - 1)];
}

static bool grow_buckets(struct queue *q)
{
    size_t count = q->buckets_count == 0 ? MESSAGE_BUCKETS_FIRST : q->buckets_count * 2;
    struct queue_message **old = q->buckets;
    size_t old_count = q->buckets_count;
    struct queue_message **buckets = calloc(count, sizeof *buckets);
    if (buckets == NULL)
        return old != NULL;
    q->buckets = buckets;
    q->buckets_count = count;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct queue_message *m = old[i];
            old[i] = m->next;
            struct queue_message **place = bucket_of(q, m->id);
            m->next = *place;
            *place = m;
        }
    }
    free(old);
    return true;
}

struct queue_message *message_find(struct queue *q, struct mail_id id)
{
    if (q->buckets_count == 0)
        return NULL;
    struct queue_message *m = *bucket_of(q, id);
    while (m != NULL && !mail_id_equal(m->id, id))
        m = m->next;
    return m;
}

static void fill_recipient(struct queue *q, struct queue_recipient *r,
                           const struct spool_recipient *from, uint32_t index)
{
    *r = (struct queue_recipient){
        .index = index, .attempts = from->attempts, .notify = from->notify & 0x3fu,
        .forwarded = from->forwarded, .told = from->told,
        .code = from->code, .status = from->status, .place = PLACE_ENDED,
    };
    if (recipient_state_is_final(from->state))
        return;
    r->place = PLACE_NONE;
    r->reason = reason_hold(&q->reasons, from->reason);
}

struct queue_message *message_add(struct queue *q, const struct spool_arrival *a)
{
    size_t recipients = a->recipients_count * sizeof(struct queue_recipient);
    struct queue_message *m = malloc(sizeof *m + recipients + a->sender.len);
    if (m == NULL || (q->messages_count >= q->buckets_count && !grow_buckets(q))) {
        free(m);
        return NULL;
    }
    *m = (struct queue_message){
        .id = a->id, .received_wall_ms = a->received_wall_ms,
        .begun_wall_ms = a->not_before_wall_ms > a->received_wall_ms
                             ? a->not_before_wall_ms : a->received_wall_ms,
        .deliver_by_wall_ms = a->deliver_by_wall_ms,
        .by_returns = a->by_returns, .by_traces = a->by_traces,
        .urgency = a->priority > 0 ? URGENT : a->priority > -4 ? NORMAL : BULK,
        .content_size = a->content_size, .is_report = a->is_report,
        .recipients_count = (uint32_t)a->recipients_count,
        .sender_len = (uint16_t)a->sender.len,
        .sender = (char *)&m->recipients[a->recipients_count],
    };
    if (a->sender.len > 0)
        memcpy(m->sender, a->sender.data, a->sender.len);
    for (uint32_t i = 0; i < m->recipients_count; i++) {
        fill_recipient(q, &m->recipients[i], &a->recipients[i], i);
        m->open += m->recipients[i].place != PLACE_ENDED;
    }
    struct queue_message **place = bucket_of(q, m->id);
    m->next = *place;
    *place = m;
    q->messages_count++;
    return m;
}

void message_release(struct queue *q, struct queue_message *m)
{
    if (m->open > 0)
        return;
    struct queue_message **place = bucket_of(q, m->id);
    while (*place != m)
        place = &(*place)->next;
    *place = m->next;
    q->messages_count--;
    free(m);
}

void recipient_place(struct queue *q, struct queue_recipient *r, enum place place)
{
    if (r->place != PLACE_NONE)
        q->counts[r->place]--;
    if (r->domain != NULL && (r->place == PLACE_READY) != (place == PLACE_READY))
        domain_count_ready(r->domain, place == PLACE_READY ? 1 : -1);
    r->place = place;
    if (place == PLACE_ENDED) {
        struct queue_message *m = recipient_message(r);
        must(m->open > 0);
        m->open--;
        atomic_fetch_sub(&q->reserved, 1);
        reason_drop(&q->reasons, r->reason);
        r->reason = NULL;
        domain_release(q, r->domain);
        r->domain = NULL;
    } else if (place != PLACE_NONE) {
        q->counts[place]++;
    }
}

void recipient_set_reason(struct queue *q, struct queue_recipient *r, uint16_t code,
                          struct smtp_status status, struct slice text)
{
    struct reason *reason = reason_hold(&q->reasons, text);
    reason_drop(&q->reasons, r->reason);
    r->reason = reason;
    r->code = code;
    r->status = status;
}

struct queue_message *recipient_message(struct queue_recipient *r)
{
    return container_of(r - r->index, struct queue_message, recipients);
}
