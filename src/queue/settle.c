/* settle.c: what the outcomes of one attempt change, recipient by recipient.
 *
 * RFC 5321 4.5.4.1 (retry and give up), 6.1 (report). The change is a record in the
 * spool; where a report is owed, report and records are one batch. An outcome that is
 * not durable yet belongs to an attempt that is still in flight: after a crash it may be
 * made again.
 */
#include "queue/queue_private.h"

#include <stdlib.h>

static enum recipient_state state_of(enum outcome_kind kind)
{
    switch (kind) {
    case OUTCOME_DELIVERED:
        return RECIPIENT_DELIVERED;
    case OUTCOME_RELAYED:
        return RECIPIENT_RELAYED;
    case OUTCOME_FAILED:
        return RECIPIENT_FAILED;
    case OUTCOME_DISCARDED:
        return RECIPIENT_DISCARDED;
    case OUTCOME_NONE:
    case OUTCOME_DEFERRED:
        break;
    }
    return RECIPIENT_QUEUED;
}

static enum mail_event_kind event_of(enum outcome_kind kind)
{
    switch (kind) {
    case OUTCOME_DELIVERED:
        return MAIL_DELIVERED;
    case OUTCOME_RELAYED:
        return MAIL_RELAYED;
    case OUTCOME_FAILED:
        return MAIL_FAILED;
    case OUTCOME_DISCARDED:
        return MAIL_DISCARDED;
    case OUTCOME_NONE:
    case OUTCOME_DEFERRED:
        break;
    }
    return MAIL_DEFERRED;
}

void settle_update(struct queue *q, struct queue_message *m, const struct settlement *s,
                   struct recipient_update *out)
{
    struct queue_recipient *r = s->recipient;
    uint16_t attempts = r->attempts == UINT16_MAX ? UINT16_MAX
                                                  : (uint16_t)(r->attempts + 1);
    int64_t due = 0;
    if (s->outcome.kind == OUTCOME_DEFERRED) {
        struct config_queue plan = site_plan(q, r->domain == NULL ? NULL : r->domain->site);
        due = queue_now(q).wall_ms + plan_delay_ms(&plan, attempts, queue_random(q));
    }
    *out = (struct recipient_update){
        .id = m->id,
        .recipient = r->index,
        .state = state_of(s->outcome.kind),
        .attempts = attempts,
        .next_due_wall_ms = due,
        .code = s->outcome.code,
        .status = s->outcome.status,
        .reason = slice_part(s->outcome.text, 0, RECIPIENT_REASON_MAX),
        .told = r->told || s->tells_delay,
    };
    r->due_wall_ms = due;
}

void settle_tell(struct queue *q, struct queue_message *m, const struct settlement *s)
{
    struct queue_recipient *r = s->recipient;
    if (r->attempts < UINT16_MAX)
        r->attempts++;
    r->told |= s->tells_delay;
    queue_emit(q, event_of(s->outcome.kind), m, s);
}

void settle_apply(struct queue *q, const struct settlement *s)
{
    struct queue_recipient *r = s->recipient;
    if (s->outcome.kind != OUTCOME_DEFERRED) {
        recipient_place(q, r, PLACE_ENDED);
        return;
    }
    recipient_set_reason(q, r, s->outcome.code, s->outcome.status, s->outcome.text);
    recipient_wait(q, r, r->due_wall_ms);
    wish_grant(q, r);
}

/* A deferral at the end of a message's life is a failure. */
static void expire(struct settlement *s)
{
    s->outcome.kind = OUTCOME_FAILED;
    s->outcome.status = (struct smtp_status){ 5, 4, 7 };
}

static void settle_now(struct queue *q, struct queue_message *m,
                       const struct settlement *s, size_t count)
{
    struct recipient_update one;
    struct recipient_update *updates = calloc(count, sizeof *updates);
    for (size_t i = 0; i < count; i++) {
        struct recipient_update *update = updates == NULL ? &one : &updates[i];
        settle_update(q, m, &s[i], update);
        if (updates == NULL) /* without memory each is a record of its own */
            record_write(q, update, 1);
    }
    for (size_t i = 0; i < count; i++) /* first: what is kept was told of, kill -9 or not */
        settle_tell(q, m, &s[i]);
    if (updates != NULL)
        record_write(q, updates, count);
    for (size_t i = 0; i < count; i++)
        settle_apply(q, &s[i]);
    free(updates);
}

/* Puts those that owe a report in front; returns how many. */
static size_t part_by_report(const struct queue *q, const struct queue_message *m,
                             struct settlement *s, size_t count)
{
    size_t owed = 0;
    for (size_t i = 0; i < count; i++) {
        s[i].tells_delay = report_tells_delay(q, m, &s[i]);
        if (!s[i].tells_delay && !report_is_owed(q, m, &s[i]))
            continue;
        struct settlement held = s[owed];
        s[owed++] = s[i];
        s[i] = held;
    }
    return owed;
}

void settle_unreported(struct queue *q, struct queue_message *m,
                       const struct settlement *s, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (s[i].outcome.kind != OUTCOME_FAILED) {
            struct settlement untold = s[i];
            untold.tells_delay = false;
            settle_now(q, m, &untold, 1);
            continue;
        }
        recipient_wait(q, s[i].recipient, queue_now(q).wall_ms + MINUTE_MS);
        wish_grant(q, s[i].recipient);
    }
}

void settle(struct queue *q, struct queue_message *m, struct settlement *s, size_t count)
{
    if (message_is_expired(q, m) || message_is_overdue(q, m))
        for (size_t i = 0; i < count; i++)
            if (s[i].outcome.kind == OUTCOME_DEFERRED)
                expire(&s[i]);
    size_t owed = part_by_report(q, m, s, count);
    if (owed > 0 && !report_send(q, m, s, owed))
        settle_unreported(q, m, s, owed);
    if (count > owed)
        settle_now(q, m, s + owed, count - owed);
    message_release(q, m);
}
