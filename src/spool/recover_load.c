/* recover_load.c: a checkpoint back into memory. */
#include "spool/recover_private.h"

#include "base/must.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void put_aside(struct spool *spool, uint64_t number)
{
    char path[SPOOL_PATH_MAX];
    char aside[SPOOL_PATH_MAX];
    spool_checkpoint_path(number, false, path);
    snprintf(aside, sizeof aside, "corrupt/%016" PRIx64 ".ckp", number);
    spool_problem(spool, "%s does not check, put aside as %s", path, aside);
    spool->fs->ops->rename(spool->fs, path, aside);
}

static bool reasons_add(struct spool_recovery *recovery, struct slice text)
{
    if (recovery->reasons_count == recovery->reasons_capacity) {
        size_t capacity = recovery->reasons_capacity * 2 + 64;
        struct spool_reason **all = realloc(recovery->reasons, capacity * sizeof *all);
        if (all == NULL)
            return false;
        recovery->reasons = all;
        recovery->reasons_capacity = capacity;
    }
    struct spool_reason *reason = spool_reason_take(recovery->spool, text);
    if (reason == NULL)
        return false;
    recovery->reasons[recovery->reasons_count++] = reason;
    return true;
}

static bool set_state(struct spool_recovery *recovery, struct spool_state *state,
                      const struct spool_checkpoint_state *read)
{
    if (read->defines && !reasons_add(recovery, read->update.reason))
        return false;
    *state = (struct spool_state){
        .next_due_wall_ms = read->update.next_due_wall_ms,
        .attempts = read->update.attempts,
        .code = read->update.code,
        .packed = spool_state_pack(read->update.state, read->update.status) |
                  (read->update.told ? SPOOL_STATE_TOLD : 0),
    };
    if (read->reason > 0 && read->reason <= recovery->reasons_count) {
        state->reason = recovery->reasons[read->reason - 1];
        state->reason->references++;
    }
    return true;
}

static bool load_entry(struct spool_recovery *recovery,
                       const struct spool_checkpoint_entry *read)
{
    struct spool *spool = recovery->spool;
    struct spool_brief brief = { .id = { read->id }, .recipients_count = read->count };
    struct record pins = record_over(read->pins);
    struct record states = record_over(read->states);
    struct spool_checkpoint_state state;
    if (spool_map_find(&spool->index.entries, read->id) != NULL)
        return true;
    struct spool_entry *entry = spool_entry_make(&brief, read->pins_count, false);
    if (entry == NULL || !spool_map_reserve(&spool->index.entries, 1)) {
        spool_entry_free(spool, entry);
        return false;
    }
    entry->place = read->place;
    entry->flags = read->flags & SPOOL_ENTRY_LARGE;
    entry->live = 0;
    for (size_t i = 0; i < entry->pins_count; i++) {
        spool_entry_pins(entry)[i].segment = record_u32(&pins);
        spool_entry_pins(entry)[i].bytes = record_u32(&pins);
    }
    for (size_t i = 0; i < entry->count; i++) {
        must(spool_checkpoint_state(&states, &state));
        if (!set_state(recovery, &entry->states[i], &state)) {
            spool_entry_free(spool, entry);
            return false;
        }
        entry->live += !recipient_state_is_final(state.update.state);
    }
    if (entry->live == 0)
        spool_entry_free(spool, entry);
    else
        spool_index_add(spool, entry);
    if (spool_generation_of(read->id) > recovery->last_generation)
        recovery->last_generation = spool_generation_of(read->id);
    return true;
}

static bool load_notes(struct spool *spool, struct slice payload)
{
    struct record r = record_over(payload);
    while (!cursor_at_end(&r.cursor)) {
        struct slice key = record_slice(&r);
        struct slice value = record_slice(&r);
        if (r.failed)
            return true;
        if (!spool_notes_set(spool, key, value))
            return false;
    }
    return true;
}

static bool load_block(struct spool_recovery *recovery, uint8_t kind,
                       struct slice payload)
{
    struct record r = record_over(payload);
    struct spool_checkpoint_entry entry;
    if (kind == SPOOL_BLOCK_NOTES)
        return load_notes(recovery->spool, payload);
    if (kind == SPOOL_BLOCK_ENTRIES)
        while (spool_checkpoint_take(&r, &entry))
            if (!load_entry(recovery, &entry))
                return false;
    return true;
}

/* The file was verified as a whole before. */
static enum err load(struct spool_recovery *recovery, uint64_t number)
{
    struct spool_checkpoint_reader reader;
    struct slice payload;
    uint8_t kind;
    enum err error = spool_checkpoint_open(recovery->spool, number, &reader);
    if (error != ERR_OK)
        return error;
    while ((error = spool_checkpoint_block(&reader, &kind, &payload)) == ERR_OK)
        if (!load_block(recovery, kind, payload)) {
            error = ERR_MEMORY;
            break;
        }
    recovery->spool->keeper.checkpoint_bytes = reader.size;
    spool_checkpoint_close(&reader);
    for (size_t i = 0; i < recovery->reasons_count; i++)
        spool_reason_drop(recovery->spool, recovery->reasons[i]);
    recovery->reasons_count = 0;
    return error == ERR_ABSENT ? ERR_OK : error;
}

enum err spool_recover_checkpoint(struct spool_recovery *recovery)
{
    struct spool *spool = recovery->spool;
    struct spool_keeper *keeper = &spool->keeper;
    struct spool_checkpoint_header older;
    size_t left = recovery->checkpoints.count;
    while (left > 0) {
        uint64_t number = recovery->checkpoints.all[--left];
        enum err error = spool_checkpoint_verify(spool, number, &recovery->from);
        if (error == ERR_CORRUPT) {
            put_aside(spool, number);
            continue;
        }
        if (error != ERR_OK)
            return error;
        recovery->checkpoint = keeper->checkpoint_number = number;
        keeper->newest_sequence = recovery->from.sequence;
        break;
    }
    if (recovery->checkpoint == 0)
        return ERR_OK;
    if (left > 0 && spool_checkpoint_begins(spool, recovery->checkpoints.all[left - 1],
                                            &older) == ERR_OK) {
        keeper->older_number = recovery->checkpoints.all[left - 1];
        keeper->older_sequence = older.sequence;
    }
    recovery->last_sequence = recovery->from.sequence - 1;
    recovery->last_generation = recovery->from.generation;
    return load(recovery, recovery->checkpoint);
}

static enum err hand_over(struct spool *spool, const struct spool_brief *brief,
                          struct spool_entry *entry)
{
    struct spool_arrival *arrival = spool_arrival_make(spool, brief, entry);
    if (arrival == NULL)
        return ERR_MEMORY;
    entry->pass = UINT8_MAX;
    spool->sink->arrived(spool->sink, arrival);
    return ERR_OK;
}

static enum err hand_over_block(struct spool *spool, struct slice payload)
{
    struct record r = record_over(payload);
    struct spool_checkpoint_entry read;
    struct spool_brief brief;
    while (spool_checkpoint_take(&r, &read)) {
        struct spool_entry *entry = spool_map_find(&spool->index.entries, read.id);
        if (entry == NULL || entry->pass != 0 || entry->count != read.count ||
            !spool_brief_parse(read.brief, &brief))
            continue;
        enum err error = hand_over(spool, &brief, entry);
        if (error != ERR_OK)
            return error;
    }
    return ERR_OK;
}

static enum err hand_over_from_log(struct spool *spool, struct spool_entry *entry)
{
    struct message_view *view;
    struct mail_id id = { entry->id };
    enum err error = message_open(&spool->source, id, &view);
    if (error == ERR_CORRUPT || error == ERR_ABSENT) {
        char text[MAIL_ID_CHARACTERS + 1];
        spool_problem(spool, "message %s is kept but cannot be handed over: %s",
                      mail_id_text(id, text), err_text(error));
        return ERR_OK;
    }
    if (error != ERR_OK)
        return error;
    error = hand_over(spool, &spool_view_commit(view)->brief, entry);
    message_close(&view);
    return error;
}

/* The index is walked without its lock: nobody else changes it before the spool is
 * open, and the sink must not call back. */
enum err spool_recover_arrivals(struct spool_recovery *recovery)
{
    struct spool *spool = recovery->spool;
    struct spool_checkpoint_reader reader;
    struct slice payload;
    uint8_t kind;
    enum err error = ERR_OK;
    if (recovery->checkpoint != 0) {
        error = spool_checkpoint_open(spool, recovery->checkpoint, &reader);
        if (error != ERR_OK)
            return error;
        while (error == ERR_OK &&
               (error = spool_checkpoint_block(&reader, &kind, &payload)) == ERR_OK)
            if (kind == SPOOL_BLOCK_ENTRIES)
                error = hand_over_block(spool, payload);
        spool_checkpoint_close(&reader);
        error = error == ERR_ABSENT ? ERR_OK : error;
    }
    size_t slot = 0;
    struct spool_entry *entry;
    while (error == ERR_OK &&
           (entry = spool_map_walk(&spool->index.entries, &slot)) != NULL) {
        if (entry->pass == 0)
            error = hand_over_from_log(spool, entry);
        entry->pass = 0;
    }
    return error;
}
