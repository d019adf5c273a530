/* recover_log.c: the log since the checkpoint, into the index.
 *
 * A frame whose effect is in the checkpoint already changes nothing, because records
 * are absolute. In a segment without a footer every whole commit is kept: it may
 * have been answered. What does not check goes to corrupt/.
 */
#include "spool/recover_private.h"

#include "base/crc32c.h"

#include <stdlib.h>

/* Where a frame stands. */
struct context {
    struct spool_recovery *recovery;
    struct spool_segment *segment;
    bool is_sealed;
};

static bool touch(struct context *c, uint64_t id, uint32_t recipient)
{
    uint32_t generation = spool_generation_of(id);
    if (generation > c->recovery->last_generation)
        c->recovery->last_generation = generation;
    return c->is_sealed || spool_touches_add(&c->recovery->touched, id, recipient);
}

static enum err apply_update(struct context *c, const struct recipient_update *update)
{
    struct spool_change change;
    if (!touch(c, update->id.value, update->recipient) ||
        !spool_change_make(c->recovery->spool, update, &change))
        return ERR_MEMORY;
    spool_index_change(c->recovery->spool, &change);
    return ERR_OK;
}

static enum err apply_updates(struct context *c, struct slice payload)
{
    struct record r = record_over(payload);
    struct recipient_update update;
    enum err error = ERR_OK;
    while (error == ERR_OK && spool_update_take(&r, &update))
        error = apply_update(c, &update);
    return error;
}

static size_t count_pins(const struct spool_commit *commit)
{
    size_t pins = 0;
    for (size_t i = 0; i < commit->chunks_count; i++)
        pins += spool_chunk_at(commit, i).segment != 0;
    return pins;
}

static void set_place(struct spool_entry *entry, const struct spool_commit *commit,
                      struct spool_place place)
{
    struct spool_pin *pin = spool_entry_pins(entry);
    entry->place = place;
    for (size_t i = 0; i < commit->chunks_count; i++) {
        struct spool_chunk chunk = spool_chunk_at(commit, i);
        if (chunk.segment != 0)
            *pin++ = (struct spool_pin){
                .segment = chunk.segment,
                .bytes = (uint32_t)spool_frame_bytes(chunk.length),
            };
    }
}

/* What can be said of the parts of a body that are in the log. */
enum parts {
    PARTS_WHOLE,
    PARTS_GONE,  /* their segment was freed: the message ended further on in the log */
    PARTS_BAD,   /* they were durable and do not check */
    PARTS_TORN,  /* the commit reached the disk before them: it was never answered */
};

static enum err find_part(struct spool *spool, const struct spool_chunk *chunk,
                          char *room, enum parts *out_parts)
{
    struct spool_segment *segment;
    size_t have;
    enum err error = spool_segment_pin(spool, chunk->segment, &segment);
    if (error == ERR_ABSENT)
        *out_parts = PARTS_GONE;
    if (error != ERR_OK)
        return error == ERR_ABSENT ? ERR_OK : error;
    error = spool->fs->ops->read(spool->fs, segment->file, room, chunk->length,
                                 (uint64_t)chunk->offset + SPOOL_FRAME_HEADER, &have);
    if (error == ERR_OK && (have != chunk->length ||
                            crc32c(0, slice_make(room, have)) != chunk->crc))
        *out_parts = segment->is_sealed ? PARTS_BAD : PARTS_TORN;
    spool_segment_unpin(spool, segment);
    return error;
}

static enum err find_parts(struct spool *spool, const struct spool_commit *commit,
                           enum parts *out_parts)
{
    enum err error = ERR_OK;
    *out_parts = PARTS_WHOLE;
    for (size_t i = 0; i < commit->chunks_count && error == ERR_OK; i++) {
        struct spool_chunk chunk = spool_chunk_at(commit, i);
        if (chunk.segment == 0 || *out_parts != PARTS_WHOLE)
            continue;
        char *room = malloc(chunk.length);
        if (room == NULL)
            return ERR_MEMORY;
        error = find_part(spool, &chunk, room, out_parts);
        free(room);
    }
    return error;
}

static void tell_parts(struct spool *spool, struct mail_id id, enum parts parts)
{
    char text[MAIL_ID_CHARACTERS + 1];
    if (parts == PARTS_TORN)
        spool_problem(spool, "message %s was never wholly written and is left out",
                      mail_id_text(id, text));
    if (parts == PARTS_BAD)
        spool_problem(spool, "message %s is lost: a part of it does not check",
                      mail_id_text(id, text));
}

static bool add_message(struct context *c, const struct spool_commit *commit,
                        struct spool_place place, size_t pins)
{
    struct spool *spool = c->recovery->spool;
    bool is_large = pins < commit->chunks_count;
    struct spool_entry *entry = spool_entry_make(&commit->brief, pins, is_large);
    if (entry == NULL || !spool_map_reserve(&spool->index.entries, 1)) {
        spool_entry_free(spool, entry);
        return false;
    }
    set_place(entry, commit, place);
    spool_index_add(spool, entry);
    return true;
}

static enum err apply_commit(struct context *c, const struct spool_commit *commit,
                             struct spool_place place, bool is_move)
{
    struct spool *spool = c->recovery->spool;
    uint64_t id = commit->brief.id.value;
    size_t pins = count_pins(commit);
    struct spool_entry *entry = spool_map_find(&spool->index.entries, id);
    enum parts parts;
    enum err error = find_parts(spool, commit, &parts);
    if (error != ERR_OK)
        return error;
    tell_parts(spool, commit->brief.id, parts);
    if (!touch(c, id, SPOOL_TOUCH_MESSAGE))
        return ERR_MEMORY;
    if (parts == PARTS_TORN)
        return ERR_OK;
    if (parts == PARTS_WHOLE && entry == NULL && !is_move) {
        if (!add_message(c, commit, place, pins))
            return ERR_MEMORY;
    } else if (parts == PARTS_WHOLE && entry != NULL && entry->pins_count == pins &&
               entry->count == commit->brief.recipients_count) {
        set_place(entry, commit, place);
    }
    return apply_updates(c, commit->updates);
}

static enum err apply_ended(struct context *c, struct slice payload)
{
    struct spool *spool = c->recovery->spool;
    struct record r = record_over(payload);
    while (!cursor_at_end(&r.cursor)) {
        uint64_t id = record_u64(&r);
        if (r.failed)
            break;
        struct spool_entry *entry = spool_map_find(&spool->index.entries, id);
        if (!touch(c, id, SPOOL_TOUCH_MESSAGE))
            return ERR_MEMORY;
        if (entry != NULL)
            spool_index_remove(spool, entry);
    }
    return ERR_OK;
}

static enum err keep_note(struct context *c, struct slice payload)
{
    if (!c->is_sealed)
        record_put_slice(&c->recovery->notes, payload);
    return c->recovery->notes.overflow ? ERR_MEMORY : ERR_OK;
}

static enum err apply_note(struct context *c, struct slice payload)
{
    struct slice key;
    struct slice value;
    if (keep_note(c, payload) != ERR_OK)
        return ERR_MEMORY;
    if (!spool_note_parse(payload, &key, &value))
        return ERR_OK;
    return spool_notes_set(c->recovery->spool, key, value) ? ERR_OK : ERR_MEMORY;
}

static void note_generation(struct spool_recovery *recovery, struct slice payload)
{
    struct record r = record_over(payload);
    uint64_t generation = record_u64(&r);
    if (!r.failed && generation > recovery->last_generation &&
        generation < (uint64_t)1 << (64 - SPOOL_GENERATION_SHIFT))
        recovery->last_generation = (uint32_t)generation;
}

static enum err touch_updates(struct context *c, struct slice updates)
{
    struct record r = record_over(updates);
    struct recipient_update update;
    while (spool_update_take(&r, &update))
        if (!touch(c, update.id.value, update.recipient))
            return ERR_MEMORY;
    return ERR_OK;
}

/* A frame from before the checkpoint, in a segment that will be let go: it has nothing
 * to say, but the checkpoint before needs what it said. */
static enum err touch_frame(struct context *c, const struct spool_scan_step *step)
{
    struct spool_commit commit;
    struct record ids = record_over(step->payload);
    if (c->is_sealed)
        return ERR_OK;
    switch (step->frame.type) {
    case SPOOL_FRAME_COMMIT:
    case SPOOL_FRAME_MOVE:
        if (!spool_commit_parse(step->payload, &commit))
            return ERR_OK;
        if (!touch(c, commit.brief.id.value, SPOOL_TOUCH_MESSAGE))
            return ERR_MEMORY;
        return touch_updates(c, commit.updates);
    case SPOOL_FRAME_UPDATE:
        return touch_updates(c, step->payload);
    case SPOOL_FRAME_ENDED:
        while (!cursor_at_end(&ids.cursor) && !ids.failed)
            if (!touch(c, record_u64(&ids), SPOOL_TOUCH_MESSAGE))
                return ERR_MEMORY;
        return ERR_OK;
    case SPOOL_FRAME_NOTE:
        return keep_note(c, step->payload);
    case SPOOL_FRAME_SEGMENT:
    case SPOOL_FRAME_CHUNK:
    case SPOOL_FRAME_VOID:
    case SPOOL_FRAME_FOOTER:
        return ERR_OK;
    }
    return ERR_OK;
}

static enum err apply_frame(struct context *c, const struct spool_scan_step *step)
{
    struct spool_commit commit;
    struct spool_place place = { .segment = (uint32_t)step->frame.segment,
                                 .offset = (uint32_t)step->offset,
                                 .length = step->frame.length };
    if (step->frame.type == SPOOL_FRAME_SEGMENT)
        note_generation(c->recovery, step->payload);
    if (step->frame.sequence < c->recovery->from.sequence)
        return touch_frame(c, step);
    switch (step->frame.type) {
    case SPOOL_FRAME_COMMIT:
    case SPOOL_FRAME_MOVE:
        if (spool_commit_parse(step->payload, &commit))
            return apply_commit(c, &commit, place,
                                step->frame.type == SPOOL_FRAME_MOVE);
        spool_quarantine(c->recovery->spool, step->frame.segment, step->offset,
                         step->payload);
        return ERR_OK;
    case SPOOL_FRAME_UPDATE:
        return apply_updates(c, step->payload);
    case SPOOL_FRAME_ENDED:
        return apply_ended(c, step->payload);
    case SPOOL_FRAME_NOTE:
        return apply_note(c, step->payload);
    case SPOOL_FRAME_SEGMENT:
    case SPOOL_FRAME_CHUNK:
    case SPOOL_FRAME_VOID:
    case SPOOL_FRAME_FOOTER:
        return ERR_OK;
    }
    return ERR_OK;
}

/* What can be said of a segment before its frames are applied. */
struct outline {
    uint64_t last_sequence;
    bool has_footer;
};

static struct outline outline_of(struct spool_scan scan)
{
    struct outline outline = { 0 };
    struct spool_scan_step step;
    enum spool_scan_result result;
    while ((result = spool_scan_next(&scan, &step)) != SPOOL_SCAN_END)
        outline.has_footer |= result == SPOOL_SCAN_FRAME &&
                              step.frame.type == SPOOL_FRAME_FOOTER;
    outline.last_sequence = scan.sequence;
    return outline;
}

static enum err apply_segment(struct context *c, struct spool_scan scan)
{
    struct spool_scan_step step;
    for (;;) {
        enum err error = ERR_OK;
        switch (spool_scan_next(&scan, &step)) {
        case SPOOL_SCAN_FRAME:
            error = apply_frame(c, &step);
            if (error != ERR_OK)
                return error;
            break;
        case SPOOL_SCAN_BAD:
            spool_quarantine(c->recovery->spool, scan.segment, step.offset,
                             step.payload);
            break;
        case SPOOL_SCAN_END:
            return ERR_OK;
        }
    }
}

/* Puts the segment where it belongs. */
static bool file_segment(struct spool_recovery *recovery, struct spool_segment *segment,
                         const struct outline *outline)
{
    struct spool *spool = recovery->spool;
    if (!spool_map_reserve(&spool->segments.all, 1)) {
        spool_segment_free(spool, segment);
        return false;
    }
    segment->last_sequence = outline->last_sequence;
    segment->is_sealed = outline->has_footer;
    segment->is_unsealed = !outline->has_footer;
    list_append(outline->has_footer ? &spool->segments.sealed : &recovery->unsealed,
                &segment->node);
    spool_map_insert(&spool->segments.all, segment);
    if (outline->last_sequence > recovery->last_sequence)
        recovery->last_sequence = outline->last_sequence;
    return true;
}

/* One at or behind the checkpoint's beginning. */
static enum err read_segment(struct spool_recovery *recovery,
                             struct spool_segment *segment)
{
    struct spool *spool = recovery->spool;
    char path[SPOOL_PATH_MAX];
    char *bytes;
    size_t len;
    spool_segment_path(segment->id, path);
    enum err error = spool_read_file(spool, path, &bytes, &len);
    if (error != ERR_OK) {
        spool_segment_free(spool, segment);
        return error;
    }
    segment->bytes = len;
    struct spool_scan scan = spool_scan_over(slice_make(bytes, len), spool->magic,
                                             segment->id);
    struct outline outline = outline_of(scan);
    struct context context = { .recovery = recovery, .segment = segment,
                               .is_sealed = outline.has_footer };
    spool->log.since_checkpoint += len;
    if (!file_segment(recovery, segment, &outline))
        error = ERR_MEMORY;
    else
        error = apply_segment(&context, scan);
    free(bytes);
    return error;
}

/* One before the checkpoint's beginning: sealed, its frames all in the checkpoint. */
static enum err keep_segment(struct spool_recovery *recovery,
                             struct spool_segment *segment)
{
    struct outline outline = { .has_footer = true,
                               .last_sequence = recovery->from.sequence - 1 };
    return file_segment(recovery, segment, &outline) ? ERR_OK : ERR_MEMORY;
}

static void drop(struct spool *spool, struct spool_entry *entry, const char *why)
{
    char text[MAIL_ID_CHARACTERS + 1];
    spool_problem(spool, "message %s is dropped: %s",
                  mail_id_text((struct mail_id){ entry->id }, text), why);
    spool->index.is_replaying = true; /* its segments do not count for it */
    spool_index_remove(spool, entry);
    spool->index.is_replaying = false;
}

static void count_all(struct spool *spool)
{
    struct spool_entry *entry;
    size_t slot = 0;
    spool->index.is_replaying = false;
    while ((entry = spool_map_walk(&spool->index.entries, &slot)) != NULL)
        if (!spool_index_count(spool, entry))
            drop(spool, entry, "its segment is gone");
}

enum err spool_recover_log(struct spool_recovery *recovery)
{
    struct spool *spool = recovery->spool;
    for (size_t i = 0; i < recovery->heads_count; i++) {
        const struct spool_head *head = &recovery->heads[i];
        struct spool_segment *segment = spool_segment_make(head->id, head->bytes);
        enum err error = ERR_OK;
        if (segment == NULL)
            return ERR_MEMORY;
        if (head->is_free)
            spool_segment_retire(spool, segment);
        else
            error = head->is_known ? keep_segment(recovery, segment)
                                   : read_segment(recovery, segment);
        if (error != ERR_OK)
            return error;
    }
    count_all(spool);
    return ERR_OK;
}
