/* recover_rewrite.c: what lay in a segment without a footer, written again.
 *
 * Its last bytes may be in the kernel's memory and never reach the disk, so that
 * nothing may rely on them: everything that still holds is written to a new segment
 * and synced before anybody hears of it. A mark says so, and the old one is let go.
 * What is written is never more than what it replaces: each message and each touched
 * state once, in groups as full as they can be.
 */
#include "spool/recover_private.h"

enum { FRAME_BYTES_MAX = 16 * 1024, PENDING_MAX = 2 * SPOOL_GROUP_OPS };

struct rewrite {
    struct spool_recovery *recovery;
    struct spool_mover mover;
    struct buffer frame; /* being filled */
};

static enum err send_frame(struct rewrite *w, enum spool_frame_type type)
{
    struct spool *spool = w->recovery->spool;
    enum err error = ERR_OK;
    if (w->frame.overflow)
        return ERR_MEMORY;
    if (buffer_len(&w->frame) > 0)
        error = spool_mover_frame(spool, &w->mover, type, buffer_slice(&w->frame));
    buffer_clear(&w->frame);
    spool_mover_wait(spool, &w->mover, PENDING_MAX);
    return error == ERR_OK ? w->mover.error : error;
}

static enum err send_if_full(struct rewrite *w, enum spool_frame_type type)
{
    return buffer_len(&w->frame) < FRAME_BYTES_MAX ? ERR_OK : send_frame(w, type);
}

static bool is_unsealed(struct spool *spool, uint32_t segment)
{
    struct spool_segment *s = spool_map_find(&spool->segments.all, segment);
    return s != NULL && s->is_unsealed;
}

static bool lies_in_unsealed(struct spool *spool, struct spool_entry *entry)
{
    bool unsealed = is_unsealed(spool, entry->place.segment);
    for (size_t i = 0; i < entry->pins_count; i++)
        unsealed |= is_unsealed(spool, spool_entry_pins(entry)[i].segment);
    return unsealed;
}

/* Under the lock for the index; the segments it names do not vanish meanwhile. */
static bool find(struct spool *spool, uint64_t id, bool *out_moves)
{
    pthread_mutex_lock(&spool->lock);
    struct spool_entry *entry = spool_map_find(&spool->index.entries, id);
    *out_moves = entry != NULL && lies_in_unsealed(spool, entry);
    pthread_mutex_unlock(&spool->lock);
    return entry != NULL;
}

static void encode_state(struct rewrite *w, const struct spool_entry *entry, uint32_t i)
{
    const struct spool_state *state = &entry->states[i];
    struct recipient_update update = {
        .id = { entry->id },
        .recipient = i,
        .state = spool_state_of(state),
        .attempts = state->attempts,
        .next_due_wall_ms = state->next_due_wall_ms,
        .code = state->code,
        .status = spool_status_of(state),
        .told = (state->packed & SPOOL_STATE_TOLD) != 0,
        .reason = state->reason == NULL ? slice_make(NULL, 0) : state->reason->entry.key,
    };
    spool_update_encode(&w->frame, &update);
}

static void find_state(struct rewrite *w, const struct spool_touch *touch)
{
    struct spool *spool = w->recovery->spool;
    pthread_mutex_lock(&spool->lock);
    struct spool_entry *entry = spool_map_find(&spool->index.entries, touch->id);
    if (entry != NULL && touch->recipient < entry->count)
        encode_state(w, entry, touch->recipient);
    pthread_mutex_unlock(&spool->lock);
}

/* A message that cannot be read stays where it is, and its segment with it. */
static enum err rewrite_message(struct rewrite *w, uint64_t id)
{
    struct spool *spool = w->recovery->spool;
    bool moves;
    if (!find(spool, id, &moves) || !moves)
        return ERR_OK;
    enum err error = spool_mover_message(spool, &w->mover, (struct mail_id){ id },
                                         SPOOL_FRAME_COMMIT);
    spool_mover_wait(spool, &w->mover, PENDING_MAX);
    return error == ERR_CORRUPT || error == ERR_ABSENT ? w->mover.error : error;
}

static enum err rewrite_messages(struct rewrite *w)
{
    const struct spool_touches *touched = &w->recovery->touched;
    enum err error = ERR_OK;
    for (size_t i = 0; i < touched->count && error == ERR_OK; i++)
        if (i == 0 || touched->all[i].id != touched->all[i - 1].id)
            error = rewrite_message(w, touched->all[i].id);
    return error;
}

/* After the messages, so that each is there when its states are set. */
static enum err rewrite_states(struct rewrite *w)
{
    const struct spool_touches *touched = &w->recovery->touched;
    enum err error = ERR_OK;
    for (size_t i = 0; i < touched->count && error == ERR_OK; i++) {
        find_state(w, &touched->all[i]);
        error = send_if_full(w, SPOOL_FRAME_UPDATE);
    }
    return error == ERR_OK ? send_frame(w, SPOOL_FRAME_UPDATE) : error;
}

static enum err rewrite_ended(struct rewrite *w)
{
    const struct spool_touches *touched = &w->recovery->touched;
    enum err error = ERR_OK;
    bool moves;
    for (size_t i = 0; i < touched->count && error == ERR_OK; i++) {
        uint64_t id = touched->all[i].id;
        if ((i > 0 && id == touched->all[i - 1].id) ||
            find(w->recovery->spool, id, &moves))
            continue;
        buffer_append_u64(&w->frame, id);
        error = send_if_full(w, SPOOL_FRAME_ENDED);
    }
    return error == ERR_OK ? send_frame(w, SPOOL_FRAME_ENDED) : error;
}

/* All of them as they came, so that what was taken away stays away. */
static enum err rewrite_notes(struct rewrite *w)
{
    struct record r = record_over(buffer_slice(&w->recovery->notes));
    enum err error = ERR_OK;
    while (error == ERR_OK && !r.failed && !cursor_at_end(&r.cursor)) {
        buffer_append(&w->frame, record_slice(&r));
        error = send_frame(w, SPOOL_FRAME_NOTE);
    }
    return error;
}

static bool is_needed(struct spool *spool, const struct spool_segment *segment)
{
    pthread_mutex_lock(&spool->lock);
    bool needed = segment->live_count > 0;
    pthread_mutex_unlock(&spool->lock);
    return needed;
}

static bool leaves_room(struct spool_recovery *recovery)
{
    struct spool *spool = recovery->spool;
    struct list_node *node = list_first(&recovery->unsealed);
    pthread_mutex_lock(&spool->lock);
    bool leaves = spool->segments.spare_count + spool->segments.ready_count > 0;
    pthread_mutex_unlock(&spool->lock);
    for (; node != NULL && !leaves; node = list_next(&recovery->unsealed, node))
        leaves = !is_needed(spool, container_of(node, struct spool_segment, node));
    return leaves;
}

/* This recovery took the last segment, and the one before was sealed: the next recovery
 * would find none. A checkpoint frees what holds no message; until it is durable, what
 * was written here does not count and is room itself. */
static enum err make_room(struct spool_recovery *recovery)
{
    struct spool *spool = recovery->spool;
    if (leaves_room(recovery))
        return ERR_OK;
    enum err error = spool_checkpoint_write(spool);
    spool_checkpoint_forget(spool);
    if (error != ERR_OK) {
        spool_problem(spool, "no room is left for another recovery: %s", err_text(error));
        return error == ERR_FULL ? ERR_OK : error;
    }
    recovery->checkpoint = spool->keeper.checkpoint_number;
    atomic_store(&spool->log.is_full, true);
    spool_free_segments(spool);
    atomic_store(&spool->log.is_full, false);
    return ERR_OK;
}

/* Says that all of it stands here now, and which segments are let go with that. */
static enum err mark_end(struct rewrite *w)
{
    struct spool_recovery *recovery = w->recovery;
    struct spool *spool = recovery->spool;
    struct list_node *node = list_first(&recovery->unsealed);
    spool_mover_wait(spool, &w->mover, 0);
    if (w->mover.error != ERR_OK)
        return w->mover.error;
    enum err error = make_room(recovery);
    if (error != ERR_OK)
        return error;
    spool_mark_encode(&w->frame, spool->generation, SPOOL_MARK_FINISHED);
    for (; node != NULL; node = list_next(&recovery->unsealed, node)) {
        struct spool_segment *s = container_of(node, struct spool_segment, node);
        if (!is_needed(spool, s))
            buffer_append_u64(&w->frame, s->id);
    }
    for (size_t i = 0; i < recovery->heads_count; i++)
        if (recovery->heads[i].is_free && recovery->heads[i].sequence != 0)
            buffer_append_u64(&w->frame, recovery->heads[i].id);
    error = send_frame(w, SPOOL_FRAME_SEGMENT);
    spool_mover_wait(spool, &w->mover, 0);
    return error == ERR_OK ? w->mover.error : error;
}

/* Those that nothing needs any more go; one with a message that cannot be read is
 * kept like a sealed one. */
static void release_unsealed(struct spool_recovery *recovery)
{
    struct spool *spool = recovery->spool;
    struct list_node *node;
    while ((node = list_take(&recovery->unsealed)) != NULL) {
        struct spool_segment *s = container_of(node, struct spool_segment, node);
        bool needed = is_needed(spool, s);
        pthread_mutex_lock(&spool->lock);
        s->is_sealed = true;
        s->is_unsealed = false;
        if (needed) {
            s->is_damaged = true;
            list_append(&spool->segments.sealed, &s->node);
            spool->segments.open_count += s->file >= 0;
        } else {
            spool_map_remove(&spool->segments.all, s->id);
        }
        pthread_mutex_unlock(&spool->lock);
        if (!needed)
            spool_segment_retire(spool, s);
    }
}

enum err spool_recover_rewrite(struct spool_recovery *recovery)
{
    struct spool *spool = recovery->spool;
    struct rewrite w = { .recovery = recovery };
    spool_touches_sort(&recovery->touched);
    spool_mover_init(&w.mover);
    buffer_init(&w.frame, 4 * FRAME_BYTES_MAX);
    enum err error = rewrite_messages(&w);
    if (error == ERR_OK)
        error = rewrite_states(&w);
    if (error == ERR_OK)
        error = rewrite_ended(&w);
    if (error == ERR_OK)
        error = rewrite_notes(&w);
    if (error == ERR_OK)
        error = mark_end(&w);
    spool_mover_wait(spool, &w.mover, 0);
    buffer_free(&w.frame);
    spool_mover_free(&w.mover);
    if (error != ERR_OK)
        return error;
    atomic_store(&spool->log.is_recovering, false);
    release_unsealed(recovery);
    return ERR_OK;
}
