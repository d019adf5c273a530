/* checkpoint.c: writing one, while the log goes on.
 *
 * It walks the index in slices under the lock. What changes meanwhile has a record
 * at or after the sequence at which the checkpoint began, and records are absolute,
 * so that it does not matter whether the checkpoint has it already. Addresses are
 * not in memory: they are copied from the checkpoint before, or, for a message that
 * is new since then, read from its commit. On the keeper's thread, which is also
 * the only one that frees segments.
 */
#include "spool/checkpoint_private.h"

#include "base/must.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    NEW_AT_ONCE = 64,
    BRIEF_READ_BYTES = 4096,
    RESERVE_STEP_BYTES = 1024 * 1024,
    ENTRY_BYTES = 256, /* guessed, before there is a checkpoint to learn it from */
    FORGET_AT_ONCE = 16384,
};

static const char reserve_path[] = "checkpoint/reserve";

struct checkpoint {
    struct spool *spool;
    uint64_t number;
    uint32_t reasons;   /* numbered so far */
    uint64_t entries;
    uint32_t try;       /* reasons with this mark are numbered */
    uint8_t pass;
    int file;
    uint64_t offset;
    uint64_t block;
    struct buffer bytes;
};

void spool_checkpoint_path(uint64_t number, bool temporary, char out[SPOOL_PATH_MAX])
{
    snprintf(out, SPOOL_PATH_MAX, "checkpoint/%016" PRIx64 "%s", number,
             temporary ? ".tmp" : ".ckp");
}

static void begin_block(struct checkpoint *c, uint8_t kind)
{
    buffer_clear(&c->bytes);
    buffer_append_u64(&c->bytes, 0);
    buffer_append_byte(&c->bytes, (char)kind);
}

static enum err end_block(struct checkpoint *c)
{
    struct buffer front;
    struct slice whole = buffer_slice(&c->bytes);
    if (c->bytes.overflow)
        return ERR_MEMORY;
    struct slice payload = slice_from(whole, SPOOL_BLOCK_FRONT);
    buffer_init(&front, SPOOL_BLOCK_FRONT);
    buffer_append_u32(&front, (uint32_t)payload.len);
    buffer_append_u32(&front, spool_block_crc(c->spool->magic, c->number, c->block++,
                                              payload));
    if (front.overflow)
        return ERR_MEMORY;
    memcpy(c->bytes.memory + c->bytes.start, front.memory, SPOOL_BLOCK_FRONT);
    buffer_free(&front);
    struct iovec part = { .iov_base = (void *)(uintptr_t)whole.data,
                          .iov_len = whole.len };
    enum err error = c->spool->fs->ops->write(c->spool->fs, c->file, &part, 1,
                                              c->offset);
    c->offset += whole.len;
    return error;
}

static enum err end_block_if_full(struct checkpoint *c, uint8_t kind)
{
    if (buffer_len(&c->bytes) < SPOOL_BLOCK_TARGET && !c->bytes.overflow)
        return ERR_OK;
    enum err error = end_block(c);
    begin_block(c, kind);
    return error;
}

static enum err write_header(struct checkpoint *c, uint64_t sequence, uint64_t segment)
{
    begin_block(c, SPOOL_BLOCK_HEADER);
    buffer_append_u32(&c->bytes, SPOOL_CHECKPOINT_VERSION);
    buffer_append_u64(&c->bytes, sequence);
    buffer_append_u64(&c->bytes, segment);
    buffer_append_u32(&c->bytes, c->spool->generation);
    return end_block(c);
}

/* All notes in one slice of time: they are small and few. */
static enum err write_notes(struct checkpoint *c)
{
    struct table_entry *entry = NULL;
    begin_block(c, SPOOL_BLOCK_NOTES);
    pthread_mutex_lock(&c->spool->lock);
    while ((entry = table_next(&c->spool->notes.table, entry)) != NULL) {
        const struct spool_note *note = container_of(entry, struct spool_note, entry);
        record_put_slice(&c->bytes, entry->key);
        record_put_slice(&c->bytes, slice_make(note->bytes + note->key_len,
                                               note->value_len));
    }
    pthread_mutex_unlock(&c->spool->lock);
    return end_block(c);
}

static void put_reason(struct checkpoint *c, struct spool_reason *reason)
{
    if (reason == NULL) {
        buffer_append_u32(&c->bytes, 0);
        return;
    }
    if (reason->checkpoint == c->try) {
        buffer_append_u32(&c->bytes, reason->number);
        return;
    }
    reason->checkpoint = c->try;
    reason->number = ++c->reasons;
    buffer_append_u32(&c->bytes, reason->number | SPOOL_REASON_DEFINED);
    buffer_append_u16(&c->bytes, (uint16_t)reason->entry.key.len);
    buffer_append(&c->bytes, reason->entry.key);
}

static void put_state(struct checkpoint *c, const struct spool_state *state)
{
    struct smtp_status status = spool_status_of(state);
    int told = (state->packed & SPOOL_STATE_TOLD) != 0 ? SPOOL_TOLD : 0;
    buffer_append_byte(&c->bytes, (char)((int)spool_state_of(state) | told));
    buffer_append_u16(&c->bytes, state->attempts);
    buffer_append_u64(&c->bytes, (uint64_t)state->next_due_wall_ms);
    buffer_append_u16(&c->bytes, state->code);
    buffer_append_byte(&c->bytes, (char)status.class);
    buffer_append_u16(&c->bytes, status.subject);
    buffer_append_u16(&c->bytes, status.detail);
    put_reason(c, state->reason);
}

/* Under the lock. */
static void put_entry(struct checkpoint *c, struct spool_entry *entry,
                      struct slice brief)
{
    struct spool_pin *pins = spool_entry_pins(entry);
    buffer_append_u64(&c->bytes, entry->id);
    buffer_append_u32(&c->bytes, entry->place.segment);
    buffer_append_u32(&c->bytes, entry->place.offset);
    buffer_append_u32(&c->bytes, entry->place.length);
    buffer_append_byte(&c->bytes, (char)entry->flags);
    buffer_append_u16(&c->bytes, entry->pins_count);
    buffer_append_u32(&c->bytes, entry->count);
    for (size_t i = 0; i < entry->pins_count; i++) {
        buffer_append_u32(&c->bytes, pins[i].segment);
        buffer_append_u32(&c->bytes, pins[i].bytes);
    }
    for (size_t i = 0; i < entry->count; i++)
        put_state(c, &entry->states[i]);
    record_put_slice(&c->bytes, brief);
    entry->pass = c->pass;
    c->entries++;
}

/* Those that the checkpoint before has, block by block. */
static enum err copy_old(struct checkpoint *c)
{
    struct spool *spool = c->spool;
    struct spool_checkpoint_reader reader;
    struct spool_checkpoint_entry old;
    struct slice payload;
    uint8_t kind;
    if (spool->keeper.checkpoint_number == 0 ||
        spool_checkpoint_open(spool, spool->keeper.checkpoint_number, &reader) != ERR_OK)
        return ERR_OK;
    enum err error = ERR_OK;
    while (error == ERR_OK &&
           spool_checkpoint_block(&reader, &kind, &payload) == ERR_OK) {
        struct record r = record_over(payload);
        if (kind != SPOOL_BLOCK_ENTRIES)
            continue;
        pthread_mutex_lock(&spool->lock);
        while (spool_checkpoint_take(&r, &old)) {
            struct spool_entry *entry = spool_map_find(&spool->index.entries, old.id);
            if (entry != NULL && entry->pass != c->pass && old.brief.len > 0)
                put_entry(c, entry, old.brief);
        }
        pthread_mutex_unlock(&spool->lock);
        error = end_block_if_full(c, SPOOL_BLOCK_ENTRIES);
    }
    spool_checkpoint_close(&reader);
    return error;
}

/* The brief at the front of a commit, from the log into `bytes`. */
static enum err read_brief(struct spool *spool, const struct spool_segment *segment,
                           struct spool_place place, struct buffer *bytes,
                           struct slice *out_brief)
{
    size_t want = SPOOL_FRAME_HEADER + (size_t)place.length;
    if (want > BRIEF_READ_BYTES)
        want = BRIEF_READ_BYTES;
    for (;;) {
        size_t have;
        buffer_clear(bytes);
        char *room = buffer_reserve(bytes, want);
        if (room == NULL)
            return ERR_MEMORY;
        enum err error = spool->fs->ops->read(spool->fs, segment->file, room, want,
                                              place.offset, &have);
        if (error != ERR_OK)
            return error;
        buffer_added(bytes, have);
        struct slice payload = slice_from(buffer_slice(bytes), SPOOL_FRAME_HEADER);
        if (spool_brief_find(payload, out_brief))
            return ERR_OK;
        if (want >= SPOOL_FRAME_HEADER + (size_t)place.length)
            return ERR_CORRUPT;
        want = SPOOL_FRAME_HEADER + (size_t)place.length;
    }
}

struct newcomer {
    uint64_t id;
    struct spool_place place;
    struct spool_segment *segment;
};

/* Under the lock: the next few that no block has yet, their segments pinned. */
static enum err find_new(struct checkpoint *c, size_t *slot, struct newcomer *all,
                         size_t *out_count)
{
    struct spool *spool = c->spool;
    struct spool_entry *entry;
    enum err error = ERR_OK;
    size_t count = 0;
    while (error == ERR_OK && count < NEW_AT_ONCE &&
           (entry = spool_map_walk(&spool->index.entries, slot)) != NULL) {
        struct newcomer *found = &all[count];
        if (entry->pass == c->pass)
            continue;
        *found = (struct newcomer){ .id = entry->id, .place = entry->place };
        error = spool_segment_pin(spool, entry->place.segment, &found->segment);
        count += error == ERR_OK;
    }
    *out_count = count;
    return error;
}

/* One whose commit cannot be read stays in the checkpoint, without its addresses:
 * it is not forgotten, and its bytes are not thrown away. */
static enum err put_new(struct checkpoint *c, const struct newcomer *found,
                        struct buffer *bytes)
{
    struct spool *spool = c->spool;
    struct slice brief_bytes = { 0 };
    struct spool_brief brief;
    enum err error = read_brief(spool, found->segment, found->place, bytes,
                                &brief_bytes);
    bool good = error == ERR_OK && spool_brief_parse(brief_bytes, &brief) &&
                brief.id.value == found->id;
    pthread_mutex_lock(&spool->lock);
    spool_segment_unpin(spool, found->segment);
    struct spool_entry *entry = spool_map_find(&spool->index.entries, found->id);
    bool is_there = entry != NULL && error != ERR_MEMORY;
    if (is_there)
        put_entry(c, entry, good && entry->count == brief.recipients_count
                                ? brief_bytes : slice_make(NULL, 0));
    pthread_mutex_unlock(&spool->lock);
    if (is_there && !good) {
        char text[MAIL_ID_CHARACTERS + 1];
        spool_problem(spool, "message %s: its commit cannot be read",
                      mail_id_text((struct mail_id){ found->id }, text));
    }
    return error == ERR_MEMORY ? ERR_MEMORY : ERR_OK;
}

/* Those that came since. When the table is rebuilt under the walk it starts over:
 * what was taken already is marked. */
static enum err add_new(struct checkpoint *c)
{
    struct spool *spool = c->spool;
    struct newcomer all[NEW_AT_ONCE];
    struct buffer bytes;
    uint64_t rebuilt = UINT64_MAX;
    size_t slot = 0;
    size_t count;
    enum err error = ERR_OK;
    buffer_init(&bytes, SPOOL_BLOCK_MAX);
    do {
        pthread_mutex_lock(&spool->lock);
        if (rebuilt != spool->index.entries.rebuilt)
            slot = 0;
        rebuilt = spool->index.entries.rebuilt;
        error = find_new(c, &slot, all, &count);
        pthread_mutex_unlock(&spool->lock);
        for (size_t i = 0; i < count; i++) {
            enum err met = put_new(c, &all[i], &bytes);
            error = error == ERR_OK ? met : error;
        }
        if (error == ERR_OK)
            error = end_block_if_full(c, SPOOL_BLOCK_ENTRIES);
    } while (error == ERR_OK && count > 0);
    buffer_free(&bytes);
    return error;
}

static enum err write_all(struct checkpoint *c, uint64_t sequence, uint64_t segment)
{
    enum err error = write_header(c, sequence, segment);
    if (error == ERR_OK)
        error = write_notes(c);
    begin_block(c, SPOOL_BLOCK_ENTRIES);
    if (error == ERR_OK)
        error = copy_old(c);
    if (error == ERR_OK)
        error = add_new(c);
    if (error == ERR_OK)
        error = end_block(c);
    if (error != ERR_OK)
        return error;
    begin_block(c, SPOOL_BLOCK_TRAILER);
    buffer_append_u64(&c->bytes, c->entries);
    error = end_block(c);
    return error == ERR_OK ? c->spool->fs->ops->sync(c->spool->fs, c->file) : error;
}

/* The file, durable under its own name. */
static enum err write_file(struct checkpoint *c, uint64_t sequence, uint64_t segment)
{
    struct spool_fs *fs = c->spool->fs;
    char temporary[SPOOL_PATH_MAX];
    char path[SPOOL_PATH_MAX];
    spool_checkpoint_path(c->number, true, temporary);
    spool_checkpoint_path(c->number, false, path);
    fs->ops->remove(fs, temporary);
    enum err error = fs->ops->open(fs, temporary, SPOOL_FS_CREATE, &c->file);
    if (error != ERR_OK)
        return error;
    buffer_init(&c->bytes, SPOOL_BLOCK_MAX);
    error = write_all(c, sequence, segment);
    buffer_free(&c->bytes);
    fs->ops->close(fs, c->file);
    if (error == ERR_OK)
        error = fs->ops->rename(fs, temporary, path);
    if (error != ERR_OK) {
        fs->ops->remove(fs, temporary);
        return error;
    }
    return fs->ops->sync_folder(fs, "checkpoint");
}

/* What the next checkpoint will take, with something to spare. */
static uint64_t reserve_wanted(struct spool *spool)
{
    const struct spool_keeper *keeper = &spool->keeper;
    uint64_t each = keeper->checkpoint_entries == 0
                        ? ENTRY_BYTES
                        : keeper->checkpoint_bytes / keeper->checkpoint_entries + 1;
    pthread_mutex_lock(&spool->lock);
    uint64_t bytes = spool->index.entries.count * each + spool->notes.bytes;
    pthread_mutex_unlock(&spool->lock);
    return spool_align(bytes * 5 / 4 + 1, RESERVE_STEP_BYTES);
}

void spool_checkpoint_reserve(struct spool *spool)
{
    struct spool_fs *fs = spool->fs;
    struct spool_keeper *keeper = &spool->keeper;
    uint64_t wanted = reserve_wanted(spool);
    int file;
    if (keeper->cannot_reserve || keeper->reserve_bytes >= wanted)
        return;
    enum err error = fs->ops->open(fs, reserve_path, SPOOL_FS_WRITE, &file);
    if (error == ERR_ABSENT)
        error = fs->ops->open(fs, reserve_path, SPOOL_FS_CREATE, &file);
    if (error != ERR_OK)
        return;
    error = fs->ops->size(fs, file, &keeper->reserve_bytes);
    if (error == ERR_OK && keeper->reserve_bytes < wanted) {
        error = fs->ops->allocate(fs, file, wanted);
        if (error == ERR_OK)
            error = fs->ops->sync(fs, file);
        if (error == ERR_OK)
            error = fs->ops->sync_folder(fs, "checkpoint");
        if (error == ERR_OK)
            keeper->reserve_bytes = wanted;
    }
    fs->ops->close(fs, file);
    keeper->cannot_reserve = error == ERR_INVALID;
    if (error == ERR_OK || error == ERR_INVALID)
        atomic_store(&keeper->owes_reserve, false);
}

static void remove_number(struct spool *spool, uint64_t number)
{
    char path[SPOOL_PATH_MAX];
    if (number == 0)
        return;
    spool_checkpoint_path(number, false, path);
    spool->fs->ops->remove(spool->fs, path);
}

/* No entry keeps a mark of the passes before: one that a long row of failed tries never
 * reached would pass for taken when its number comes round again. */
void spool_checkpoint_forget(struct spool *spool)
{
    struct spool_map *entries = &spool->index.entries;
    struct spool_entry *entry;
    uint64_t rebuilt = UINT64_MAX;
    size_t slot = 0;
    size_t count;
    do {
        count = 0;
        pthread_mutex_lock(&spool->lock);
        if (rebuilt != entries->rebuilt)
            slot = 0;
        rebuilt = entries->rebuilt;
        while (count < FORGET_AT_ONCE && (entry = spool_map_walk(entries, &slot)) != NULL) {
            entry->pass = 0;
            count++;
        }
        pthread_mutex_unlock(&spool->lock);
    } while (count > 0);
    spool->keeper.pass = 0;
}

static enum err write_once(struct spool *spool)
{
    struct spool_keeper *keeper = &spool->keeper;
    struct checkpoint c = { .spool = spool, .number = keeper->checkpoint_number + 1 };
    if (keeper->pass == UINT8_MAX)
        spool_checkpoint_forget(spool);
    keeper->pass++;
    c.pass = keeper->pass;
    c.try = ++keeper->tries;
    pthread_mutex_lock(&spool->lock);
    uint64_t sequence = spool->log.applied;
    uint64_t segment = spool->log.applied_segment;
    uint64_t covered = spool->log.since_checkpoint;
    pthread_mutex_unlock(&spool->lock);
    enum err error = write_file(&c, sequence, segment);
    if (error != ERR_OK)
        return error;
    remove_number(spool, keeper->older_number);
    pthread_mutex_lock(&spool->lock);
    keeper->older_number = keeper->checkpoint_number;
    keeper->older_sequence = keeper->newest_sequence;
    keeper->checkpoint_number = c.number;
    keeper->newest_sequence = sequence;
    keeper->checkpoint_bytes = c.offset;
    keeper->checkpoint_entries = c.entries;
    keeper->checkpoints++;
    spool->log.since_checkpoint -= covered;
    spool->segments.has_empty = true;
    pthread_mutex_unlock(&spool->lock);
    spool_checkpoint_reserve(spool);
    return ERR_OK;
}

/* Its room is the next checkpoint's: nobody is taking blocks for a segment while it
 * becomes free, and nobody begins to before the reserve is there again. */
static void give_up(struct spool *spool, const char *path)
{
    struct spool_keeper *keeper = &spool->keeper;
    pthread_mutex_lock(&keeper->room);
    atomic_store(&keeper->owes_reserve, !keeper->cannot_reserve);
    spool->fs->ops->remove(spool->fs, path);
    pthread_mutex_unlock(&keeper->room);
}

bool spool_checkpoint_give_reserve(struct spool *spool)
{
    struct spool_keeper *keeper = &spool->keeper;
    if (keeper->reserve_bytes == 0)
        return false;
    give_up(spool, reserve_path);
    keeper->reserve_bytes = 0;
    return true;
}

/* On a full disk first the reserve is given up, then the checkpoint before the last. */
enum err spool_checkpoint_write(struct spool *spool)
{
    struct spool_keeper *keeper = &spool->keeper;
    enum err error = write_once(spool);
    if (error == ERR_FULL && spool_checkpoint_give_reserve(spool))
        error = write_once(spool);
    if (error == ERR_FULL && keeper->older_number != 0) {
        char path[SPOOL_PATH_MAX];
        spool_checkpoint_path(keeper->older_number, false, path);
        give_up(spool, path);
        keeper->older_number = 0;
        error = write_once(spool);
    }
    return error;
}
