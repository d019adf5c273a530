/* index.c: entries, states and reasons. */
#include "spool/index_private.h"

#include "base/must.h"
#include "spool/spool_private.h"

#include <stdlib.h>

/* state(8) class(4) subject(10) detail(10), from the top */
uint32_t spool_state_pack(enum recipient_state state, struct smtp_status status)
{
    return (uint32_t)state << 24 | (uint32_t)(status.class & 15u) << 20 |
           (uint32_t)(status.subject & 1023u) << 10 | (uint32_t)(status.detail & 1023u);
}

enum recipient_state spool_state_of(const struct spool_state *state)
{
    return (enum recipient_state)((state->packed & ~SPOOL_STATE_TOLD) >> 24);
}

struct smtp_status spool_status_of(const struct spool_state *state)
{
    return (struct smtp_status){
        .class = (uint8_t)(state->packed >> 20 & 15u),
        .subject = (uint16_t)(state->packed >> 10 & 1023u),
        .detail = (uint16_t)(state->packed & 1023u),
    };
}

struct spool_reason *spool_reason_take(struct spool *spool, struct slice text)
{
    struct table_entry *found;
    if (text.len == 0)
        return NULL;
    found = table_find(&spool->index.reasons, text);
    if (found != NULL) {
        struct spool_reason *known = container_of(found, struct spool_reason, entry);
        known->references++;
        return known;
    }
    struct spool_reason *reason = malloc(sizeof *reason + text.len);
    if (reason == NULL)
        return NULL;
    *reason = (struct spool_reason){ .references = 1 };
    memcpy(reason->text, text.data, text.len);
    if (!table_insert(&spool->index.reasons, &reason->entry,
                      slice_make(reason->text, text.len))) {
        free(reason);
        return NULL;
    }
    return reason;
}

void spool_reason_drop(struct spool *spool, struct spool_reason *reason)
{
    if (reason == NULL || --reason->references > 0)
        return;
    table_remove(&spool->index.reasons, &reason->entry);
    free(reason);
}

struct spool_entry *spool_entry_make(const struct spool_brief *brief, size_t pins,
                                     bool is_large)
{
    must(pins <= SPOOL_CHUNKS_MAX);
    struct spool_entry *entry =
        malloc(sizeof *entry + brief->recipients_count * sizeof *entry->states +
               pins * sizeof(struct spool_pin));
    if (entry == NULL)
        return NULL;
    *entry = (struct spool_entry){
        .id = brief->id.value,
        .flags = is_large ? SPOOL_ENTRY_LARGE : 0,
        .pins_count = (uint16_t)pins,
        .count = brief->recipients_count,
        .live = brief->recipients_count,
    };
    enum recipient_state state = brief->hold ? RECIPIENT_HELD : RECIPIENT_QUEUED;
    for (uint32_t i = 0; i < entry->count; i++)
        entry->states[i] = (struct spool_state){
            .next_due_wall_ms = brief->not_before_wall_ms,
            .packed = spool_state_pack(state, (struct smtp_status){ 0 }),
        };
    return entry;
}

void spool_entry_free(struct spool *spool, struct spool_entry *entry)
{
    if (entry == NULL)
        return;
    for (uint32_t i = 0; i < entry->count; i++)
        spool_reason_drop(spool, entry->states[i].reason);
    free(entry);
}

bool spool_change_make(struct spool *spool, const struct recipient_update *update,
                       struct spool_change *out_change)
{
    struct slice text = slice_part(update->reason, 0, RECIPIENT_REASON_MAX);
    struct spool_reason *reason = spool_reason_take(spool, text);
    if (reason == NULL && text.len > 0)
        return false;
    *out_change = (struct spool_change){
        .id = update->id.value,
        .recipient = update->recipient,
        .state = {
            .reason = reason,
            .next_due_wall_ms = update->next_due_wall_ms,
            .attempts = update->attempts,
            .code = update->code,
            .packed = spool_state_pack(update->state, update->status) |
                      (update->told ? SPOOL_STATE_TOLD : 0),
        },
    };
    return true;
}

static bool count_in(struct spool *spool, uint32_t segment, uint64_t bytes, int sign)
{
    struct spool_segment *s = spool_map_find(&spool->segments.all, segment);
    if (s == NULL)
        return false;
    if (sign > 0) {
        s->live_bytes += bytes;
        s->live_count++;
        spool->segments.live_bytes += bytes;
    } else {
        must(s->live_bytes >= bytes && s->live_count > 0);
        s->live_bytes -= bytes;
        s->live_count--;
        spool->segments.live_bytes -= bytes;
        if (s->live_count == 0 && s->is_sealed)
            spool->segments.has_empty = true;
    }
    return true;
}

static bool count_entry(struct spool *spool, const struct spool_entry *entry, int sign)
{
    struct spool_pin *pins = spool_entry_pins((struct spool_entry *)(uintptr_t)entry);
    bool all = count_in(spool, entry->place.segment,
                        spool_frame_bytes(entry->place.length), sign);
    for (size_t i = 0; i < entry->pins_count; i++)
        all &= count_in(spool, pins[i].segment, pins[i].bytes, sign);
    return all;
}

bool spool_index_count(struct spool *spool, const struct spool_entry *entry)
{
    struct spool_pin *pins = spool_entry_pins((struct spool_entry *)(uintptr_t)entry);
    if (spool_map_find(&spool->segments.all, entry->place.segment) == NULL)
        return false;
    for (size_t i = 0; i < entry->pins_count; i++)
        if (spool_map_find(&spool->segments.all, pins[i].segment) == NULL)
            return false;
    return count_entry(spool, entry, 1);
}

void spool_index_add(struct spool *spool, struct spool_entry *entry)
{
    spool_map_insert(&spool->index.entries, entry);
    spool->index.recipients_live += entry->live;
    if (!spool->index.is_replaying)
        must(count_entry(spool, entry, 1));
}

void spool_index_remove(struct spool *spool, struct spool_entry *entry)
{
    spool_map_remove(&spool->index.entries, entry->id);
    spool->index.recipients_live -= entry->live;
    if (!spool->index.is_replaying) {
        must(count_entry(spool, entry, -1));
        if ((entry->flags & SPOOL_ENTRY_LARGE) != 0)
            spool_large_remove(spool, (struct mail_id){ entry->id });
    }
    spool_entry_free(spool, entry);
}

void spool_index_change(struct spool *spool, struct spool_change *change)
{
    struct spool_entry *entry = spool_map_find(&spool->index.entries, change->id);
    if (entry == NULL || change->recipient >= entry->count) {
        spool_reason_drop(spool, change->state.reason);
        return;
    }
    struct spool_state *state = &entry->states[change->recipient];
    bool was_final = recipient_state_is_final(spool_state_of(state));
    bool is_final = recipient_state_is_final(spool_state_of(&change->state));
    spool_reason_drop(spool, state->reason);
    *state = change->state;
    if (is_final && !was_final) {
        entry->live--;
        spool->index.recipients_live--;
    } else if (was_final && !is_final) {
        entry->live++;
        spool->index.recipients_live++;
    }
    if (entry->live == 0)
        spool_index_remove(spool, entry);
}

void spool_index_move(struct spool *spool, struct spool_entry *entry,
                      struct spool_place place, const struct spool_pin *pins)
{
    if (!spool->index.is_replaying)
        must(count_entry(spool, entry, -1));
    entry->place = place;
    for (size_t i = 0; i < entry->pins_count; i++)
        spool_entry_pins(entry)[i] = pins[i];
    if (!spool->index.is_replaying)
        must(count_entry(spool, entry, 1));
}

void spool_index_free(struct spool_index *index)
{
    size_t slot = 0;
    struct spool_entry *entry;
    while ((entry = spool_map_walk(&index->entries, &slot)) != NULL)
        free(entry);
    spool_map_free(&index->entries);
    struct table_entry *reason = table_next(&index->reasons, NULL);
    while (reason != NULL) {
        struct table_entry *next = table_next(&index->reasons, reason);
        table_remove(&index->reasons, reason);
        free(container_of(reason, struct spool_reason, entry));
        reason = next;
    }
    table_free(&index->reasons);
}
