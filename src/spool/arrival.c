/* arrival.c: a message as it is handed to the sink, in one block of memory. */
#include "spool/spool_private.h"

#include "base/must.h"

#include <stdlib.h>

void spool_arrival_free(struct spool_arrival *arrival)
{
    free(arrival);
}

static void arrival_run(struct task *task)
{
    struct spool_arrival *arrival = container_of(task, struct spool_arrival, task);
    arrival->sink->arrived(arrival->sink, arrival);
}

static struct slice keep(char **at, struct slice s)
{
    struct slice kept = slice_make(*at, s.len);
    if (s.len > 0)
        memcpy(*at, s.data, s.len);
    *at += s.len;
    return kept;
}

static struct slice reason_of(const struct spool_state *state)
{
    return state->reason == NULL ? slice_make(NULL, 0) : state->reason->entry.key;
}

static void set_state(struct spool_recipient *recipient, const struct spool_brief *brief,
                      const struct spool_state *state)
{
    if (state == NULL) {
        recipient->state = brief->hold ? RECIPIENT_HELD : RECIPIENT_QUEUED;
        recipient->next_due_wall_ms = brief->not_before_wall_ms;
        return;
    }
    recipient->state = spool_state_of(state);
    recipient->attempts = state->attempts;
    recipient->code = state->code;
    recipient->status = spool_status_of(state);
    recipient->next_due_wall_ms = state->next_due_wall_ms;
    recipient->told = (state->packed & SPOOL_STATE_TOLD) != 0;
}

struct spool_arrival *spool_arrival_make(struct spool *spool,
                                         const struct spool_brief *brief,
                                         const struct spool_entry *entry)
{
    size_t count = brief->recipients_count;
    size_t texts = brief->sender.len + brief->recipients.len;
    must(entry == NULL || entry->count == count);
    for (size_t i = 0; entry != NULL && i < count; i++)
        texts += reason_of(&entry->states[i]).len;
    struct spool_arrival *arrival =
        malloc(sizeof *arrival + count * sizeof *arrival->recipients + texts);
    if (arrival == NULL)
        return NULL;
    char *at = (char *)(arrival->recipients + count);
    *arrival = (struct spool_arrival){
        .task.run = arrival_run,
        .sink = spool->sink,
        .id = brief->id,
        .received_wall_ms = brief->received_wall_ms,
        .not_before_wall_ms = brief->not_before_wall_ms,
        .priority = brief->priority,
        .deliver_by_wall_ms = brief->deliver_by_wall_ms,
        .by_returns = brief->by_returns, .by_traces = brief->by_traces,
        .content_size = brief->content_size,
        .is_report = brief->is_report,
        .sender = keep(&at, brief->sender),
        .recipients_count = count,
    };
    struct record r = record_over(brief->recipients);
    for (size_t i = 0; i < count; i++) {
        struct spool_recipient *recipient = &arrival->recipients[i];
        struct envelope_recipient known = { 0 };
        const struct spool_state *state = entry == NULL ? NULL : &entry->states[i];
        must(spool_brief_recipient(&r, &known));
        *recipient = (struct spool_recipient){ .notify = known.notify,
                                                 .forwarded = known.forwarded };
        recipient->address = keep(&at, known.address);
        set_state(recipient, brief, state);
        if (state != NULL)
            recipient->reason = keep(&at, reason_of(state));
    }
    return arrival;
}
