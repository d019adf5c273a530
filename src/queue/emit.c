/* emit.c: the queue's events. */
#include "queue/queue_private.h"

void queue_emit(struct queue *q, enum mail_event_kind kind, struct queue_message *m,
                const struct settlement *s)
{
    struct moment now = queue_now(q);
    struct mail_event event = {
        .kind = kind, .at = now, .id = m->id,
        .sender = slice_make(m->sender, m->sender_len),
        .size = m->content_size,
        .delay_ms = now.wall_ms - m->received_wall_ms,
    };
    if (s != NULL) {
        event.recipient = s->address;
        event.outcome = &s->outcome;
        event.peer = s->outcome.remote;
        event.attempts = s->recipient->attempts;
        if (s->recipient->domain != NULL && s->recipient->domain->site != NULL)
            event.site = s->recipient->domain->site->entry.key;
        if (kind == MAIL_DEFERRED)
            event.next_due_wall_ms = s->recipient->due_wall_ms;
    }
    event_emit(q->options.events, &event);
}

void queue_emit_text(struct queue *q, enum mail_event_kind kind, struct mail_id id,
                     struct slice text, const struct outcome *outcome)
{
    struct mail_event event = {
        .kind = kind, .at = queue_now(q), .id = id, .text = text, .outcome = outcome,
    };
    if (outcome != NULL)
        event.peer = outcome->remote;
    event_emit(q->options.events, &event);
}
