/* recover_rewrite.c: what lay in a segment without a footer, written again.
 *
 * Its last bytes may be in the kernel's memory and never reach the disk, so that
 * nothing may rely on them: everything that still holds is written to a new segment
 * and synced before anybody hears of it. Then the old one is let go.
 */
#include "spool/recover_private.h"

enum { FRAME_BYTES_MAX = 16 * 1024, PENDING_MAX = 64 };

struct rewrite {
    struct spool_recovery *recovery;
    struct spool_mover mover;
    struct buffer frame; /* being filled */
};

static enum err send_frame(struct rewrite *w, enum spool_frame_type type)
{
    enum err error = ERR_OK;
    if (w->frame.overflow)
        return ERR_MEMORY;
    if (buffer_len(&w->frame) > 0)
        error = spool_mover_frame(w->recovery->spool, &w->mover, type,
                                  buffer_slice(&w->frame));
    buffer_clear(&w->frame);
    spool_mover_wait(&w->mover, PENDING_MAX);
    return error == ERR_OK ? w->mover.error : error;
}

static enum err send_if_full(struct rewrite *w, enum spool_frame_type type)
{
    return buffer_len(&w->frame) < FRAME_BYTES_MAX ? ERR_OK : send_frame(w, type);
}

static bool is_unsealed(struct spool *spool, uint32_t segment)
{
    struct spool_segment *s = spool_map_find(&spool->segments.all, segment);
    return s != NULL && !s->is_sealed && s != spool->log.segment;
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
        .reason = state->reason == NULL ? slice_make(NULL, 0) : state->reason->entry.key,
    };
    spool_update_encode(&w->frame, &update);
}

/* From recipient *next on, as many as make a frame. */
static bool encode_states(struct rewrite *w, uint64_t id, uint32_t *next)
{
    struct spool *spool = w->recovery->spool;
    pthread_mutex_lock(&spool->lock);
    struct spool_entry *entry = spool_map_find(&spool->index.entries, id);
    while (entry != NULL && *next < entry->count &&
           buffer_len(&w->frame) < FRAME_BYTES_MAX)
        encode_state(w, entry, (*next)++);
    pthread_mutex_unlock(&spool->lock);
    return buffer_len(&w->frame) > 0;
}

static enum err send_states(struct rewrite *w, uint64_t id)
{
    enum err error = ERR_OK;
    uint32_t next = 0;
    while (error == ERR_OK && encode_states(w, id, &next))
        error = send_frame(w, SPOOL_FRAME_UPDATE);
    return error;
}

/* A message that cannot be read stays where it is, and its segment with it. */
static enum err rewrite_message(struct rewrite *w, uint64_t id, bool moves)
{
    struct spool *spool = w->recovery->spool;
    enum err error = ERR_OK;
    if (moves)
        error = spool_mover_message(spool, &w->mover, (struct mail_id){ id },
                                    SPOOL_FRAME_COMMIT);
    if (error == ERR_CORRUPT || error == ERR_ABSENT)
        error = ERR_OK;
    return error == ERR_OK ? send_states(w, id) : error;
}

static enum err rewrite_ended(struct rewrite *w)
{
    const struct spool_numbers *touched = &w->recovery->touched;
    enum err error = ERR_OK;
    bool moves;
    for (size_t i = 0; i < touched->count && error == ERR_OK; i++) {
        if (find(w->recovery->spool, touched->all[i], &moves))
            continue;
        buffer_append_u64(&w->frame, touched->all[i]);
        error = send_if_full(w, SPOOL_FRAME_ENDED);
    }
    return error == ERR_OK ? send_frame(w, SPOOL_FRAME_ENDED) : error;
}

static enum err rewrite_messages(struct rewrite *w)
{
    const struct spool_numbers *touched = &w->recovery->touched;
    enum err error = ERR_OK;
    bool moves;
    for (size_t i = 0; i < touched->count && error == ERR_OK; i++)
        if (find(w->recovery->spool, touched->all[i], &moves))
            error = rewrite_message(w, touched->all[i], moves);
    return error;
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

/* Those that nothing needs any more go; one with a message that cannot be read is
 * kept like a sealed one. */
static void release_unsealed(struct spool_recovery *recovery)
{
    struct spool *spool = recovery->spool;
    struct list_node *node;
    while ((node = list_take(&recovery->unsealed)) != NULL) {
        struct spool_segment *s = container_of(node, struct spool_segment, node);
        pthread_mutex_lock(&spool->lock);
        bool needed = s->live_count > 0;
        s->is_sealed = true;
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
    struct rewrite w = { .recovery = recovery };
    if (list_is_empty(&recovery->unsealed))
        return ERR_OK;
    spool_numbers_sort(&recovery->touched);
    spool_mover_init(&w.mover);
    buffer_init(&w.frame, 4 * FRAME_BYTES_MAX);
    enum err error = rewrite_messages(&w);
    if (error == ERR_OK)
        error = rewrite_ended(&w);
    if (error == ERR_OK)
        error = rewrite_notes(&w);
    spool_mover_wait(&w.mover, 0);
    if (error == ERR_OK)
        error = w.mover.error;
    buffer_free(&w.frame);
    spool_mover_free(&w.mover);
    if (error == ERR_OK)
        release_unsealed(recovery);
    return error;
}
