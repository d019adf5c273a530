/* log.c: the writer thread: groups, syncs, answers.
 *
 * A group is what waited when the writer came round: one write, at most one sync.
 * It begins on a sector of its own, so that no later write touches a sector which
 * holds something that was promised. Frames are numbered; a number is never used
 * twice. After a failed sync nothing is promised any more (ARCHITECTURE).
 */
#include "spool/spool_private.h"

#include "base/crc32c.h"
#include "base/must.h"

enum {
    HOMES_AT_ONCE = 16,
    PATIENCE_NS = 1000 * 1000,
    SECOND_NS = 1000 * 1000 * 1000,
    MARK_BYTES = 9,
    SLACK_PART = 16, /* of a segment: spool_log_slack() */
};

static const char zero_sector[SPOOL_SECTOR];

uint64_t spool_log_slack(const struct spool *spool)
{
    return spool->limits.segment_bytes / SLACK_PART;
}

uint64_t spool_log_payload_max(const struct spool *spool)
{
    uint64_t fixed = SPOOL_FOOTER_ROOM + 2 * SPOOL_SECTOR + spool_log_slack(spool);
    return spool->limits.segment_bytes - fixed - SPOOL_FRAME_HEADER;
}

void spool_log_push_chain(struct spool *spool, struct spool_op *first,
                          struct spool_op *last)
{
    struct spool_log *log = &spool->log;
    last->next = NULL;
    pthread_mutex_lock(&log->mutex);
    bool wakes = log->first == NULL || !first->is_patient;
    *log->last = first;
    log->last = &last->next;
    log->is_awaited |= !first->is_patient;
    pthread_mutex_unlock(&log->mutex); /* the ops may be gone now */
    if (wakes)
        pthread_cond_signal(&log->wake);
}

void spool_log_push(struct spool *spool, struct spool_op *op)
{
    spool_log_push_chain(spool, op, op);
}

/* Under the mutex: what nobody waits for gives the next commit some time to come, so
 * that both share a write and a sync. */
static void wait_for_company(struct spool_log *log)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PATIENCE_NS;
    if (until.tv_nsec >= SECOND_NS) {
        until.tv_nsec -= SECOND_NS;
        until.tv_sec++;
    }
    int waited = 0;
    while (!log->is_awaited && !log->is_stopping && waited == 0)
        waited = pthread_cond_timedwait(&log->wake, &log->mutex, &until);
}

/* All that waits, in order; NULL when the log is stopping and empty. */
static struct spool_op *take_waiting(struct spool_log *log)
{
    pthread_mutex_lock(&log->mutex);
    while (log->first == NULL && !log->is_stopping)
        pthread_cond_wait(&log->wake, &log->mutex);
    if (!log->is_awaited)
        wait_for_company(log);
    struct spool_op *first = log->first;
    log->first = NULL;
    log->last = &log->first;
    log->is_awaited = false;
    pthread_mutex_unlock(&log->mutex);
    return first;
}

/* The tasks of one home, posted together. */
struct batch {
    struct home *home;
    struct task *first;
    struct task *last;
};

struct batches {
    size_t count;
    struct batch all[HOMES_AT_ONCE];
};

static void batches_post(struct batches *batches)
{
    for (size_t i = 0; i < batches->count; i++) {
        struct batch *batch = &batches->all[i];
        batch->home->post(batch->home, batch->first, batch->last);
    }
    batches->count = 0;
}

static void batches_add(struct batches *batches, struct home *home, struct task *task)
{
    size_t i = 0;
    while (i < batches->count && batches->all[i].home != home)
        i++;
    if (i == HOMES_AT_ONCE) {
        batches_post(batches);
        i = 0;
    }
    task->next = NULL;
    if (i == batches->count) {
        batches->all[i] = (struct batch){ home, task, task };
        batches->count++;
        return;
    }
    batches->all[i].last->next = task;
    batches->all[i].last = task;
}

/* Hands the new messages over, then tells everybody: the sink's is the first batch. The
 * ops are not ours after. */
static void answer(struct spool *spool, size_t count)
{
    struct batches batches = { 0 };
    struct spool_log *log = &spool->log;
    for (size_t i = 0; i < count; i++)
        if (log->ops[i]->arrival != NULL && log->ops[i]->result == ERR_OK) {
            batches_add(&batches, spool->sink->home, log->ops[i]->arrival);
            log->ops[i]->arrival = NULL;
        }
    for (size_t i = 0; i < count; i++) {
        struct spool_op *op = log->ops[i];
        if (op->home == NULL)
            op->task.run(&op->task);
        else
            batches_add(&batches, op->home, &op->task);
    }
    batches_post(&batches);
}

static void answer_all(struct spool *spool, size_t count, enum err result)
{
    for (size_t i = 0; i < count; i++)
        spool->log.ops[i]->result = result;
    answer(spool, count);
}

static void answer_one(struct spool_op *op, enum err result)
{
    op->result = result;
    if (op->home == NULL)
        op->task.run(&op->task);
    else
        home_post(op->home, &op->task);
}

/* What lies before `end` is durable. Where blocks were allocated but never written, a
 * sync that ext4 answers "good" proves nothing if the file system died while it ran: the
 * blocks' change to written ones failed unsaid, and they read as zeros at the next
 * mount. A second sync, begun after that, fails. */
static enum err sync_log(struct spool *spool, uint64_t end)
{
    struct spool_fs *fs = spool->fs;
    struct spool_segment *segment = spool->log.segment;
    enum err error = fs->ops->sync(fs, segment->file);
    if (error == ERR_OK && end > segment->written) {
        error = fs->ops->sync(fs, segment->file);
        segment->written = end;
    }
    return error;
}

/* A frame of the writer's own, alone in its sectors, written and synced. */
static enum err write_alone(struct spool *spool, enum spool_frame_type type,
                            struct slice payload)
{
    struct spool_log *log = &spool->log;
    char sector[SPOOL_SECTOR] = { 0 };
    struct spool_frame frame = {
        .segment = log->segment->id, .sequence = log->sequence++,
        .length = (uint32_t)payload.len, .crc = crc32c(0, payload), .type = type,
    };
    must(SPOOL_FRAME_HEADER + payload.len <= sizeof sector);
    spool_frame_encode(&frame, spool->magic, sector);
    if (payload.len > 0)
        memcpy(sector + SPOOL_FRAME_HEADER, payload.data, payload.len);
    struct iovec part = { .iov_base = sector, .iov_len = sizeof sector };
    enum err error = spool->fs->ops->write(spool->fs, log->segment->file, &part, 1,
                                           log->offset);
    if (error == ERR_OK)
        error = sync_log(spool, log->offset + sizeof sector);
    if (error != ERR_OK) {
        spool_fail(spool, error);
        return ERR_IO;
    }
    log->offset += SPOOL_SECTOR;
    return ERR_OK;
}

static enum err write_beginning(struct spool *spool)
{
    struct buffer payload;
    buffer_init(&payload, MARK_BYTES);
    spool_mark_encode(&payload, spool->generation,
                      atomic_load(&spool->log.is_recovering) ? SPOOL_MARK_REWRITE
                                                             : SPOOL_MARK_ORDINARY);
    enum err error = payload.overflow ? ERR_MEMORY
                   : write_alone(spool, SPOOL_FRAME_SEGMENT, buffer_slice(&payload));
    buffer_free(&payload);
    return error;
}

static enum err seal(struct spool *spool)
{
    struct spool_log *log = &spool->log;
    struct spool_segment *segment = log->segment;
    uint64_t sequence = log->sequence;
    enum err error = write_alone(spool, SPOOL_FRAME_FOOTER, slice_make(NULL, 0));
    if (error != ERR_OK)
        return error;
    pthread_mutex_lock(&spool->lock);
    segment->last_sequence = sequence;
    segment->is_sealed = true;
    list_append(&spool->segments.sealed, &segment->node);
    spool->segments.open_count++;
    spool->segments.has_empty = true;
    log->applied = log->sequence;
    log->since_checkpoint += SPOOL_SECTOR;
    pthread_cond_signal(&spool->keeper.wake);
    pthread_mutex_unlock(&spool->lock);
    log->segment = NULL;
    return ERR_OK;
}

/* Under the lock: the next segment, waiting for the preparer if it is late. The last
 * but one is the reserve, the last is a recovery's. NULL: the disk is full. */
static struct spool_segment *take_ready(struct spool *spool, bool uses_reserve)
{
    struct spool_segments *segments = &spool->segments;
    struct spool_preparer *preparer = &spool->preparer;
    bool is_recovering = atomic_load(&spool->log.is_recovering);
    size_t kept = is_recovering ? 0 : SPOOL_READY_KEPT;
    preparer->wants_next = preparer->has_thread;
    while (segments->ready_count < SPOOL_READY_TARGET && preparer->has_thread &&
           preparer->error == ERR_OK) {
        pthread_cond_signal(&preparer->wake);
        pthread_cond_wait(&preparer->done, &spool->lock);
    }
    bool is_last = segments->ready_count < SPOOL_READY_TARGET;
    if (is_last && preparer->has_thread) {
        atomic_store(&spool->log.is_full, true);
        if (segments->ready_count <= kept || !uses_reserve)
            return NULL;
    }
    struct list_node *node = list_take(&segments->ready);
    if (node == NULL)
        return NULL;
    segments->ready_count--;
    spool->log.on_reserve = is_last && preparer->has_thread;
    pthread_cond_signal(&preparer->wake);
    return container_of(node, struct spool_segment, node);
}

/* On a full disk a segment that is used up and holds no message is sealed although
 * nothing follows: it is free after the next checkpoint, and the reserve again. */
static enum err seal_used_up(struct spool *spool, bool uses_reserve)
{
    struct spool_log *log = &spool->log;
    if (log->segment == NULL || !uses_reserve ||
        log->offset + 2 * spool_log_slack(spool) + SPOOL_FOOTER_ROOM <=
            log->segment->bytes)
        return ERR_FULL;
    pthread_mutex_lock(&spool->lock);
    bool is_dead = log->segment->live_count == 0 && log->segment->references == 0;
    pthread_mutex_unlock(&spool->lock);
    return is_dead && seal(spool) != ERR_OK ? ERR_IO : ERR_FULL;
}

static enum err next_segment(struct spool *spool, bool uses_reserve)
{
    struct spool_log *log = &spool->log;
    pthread_mutex_lock(&spool->lock);
    if (!spool_map_reserve(&spool->segments.all, 1)) {
        pthread_mutex_unlock(&spool->lock);
        return ERR_MEMORY;
    }
    struct spool_segment *next = take_ready(spool, uses_reserve);
    if (next != NULL)
        spool_map_insert(&spool->segments.all, next);
    pthread_mutex_unlock(&spool->lock);
    if (next == NULL)
        return seal_used_up(spool, uses_reserve);
    if (log->segment != NULL && seal(spool) != ERR_OK) {
        pthread_mutex_lock(&spool->lock);
        spool_map_remove(&spool->segments.all, next->id);
        pthread_mutex_unlock(&spool->lock);
        spool_segment_free(spool, next);
        return ERR_IO;
    }
    log->segment = next;
    log->offset = 0;
    return write_beginning(spool);
}

static bool fits(struct spool *spool, uint64_t at, const struct spool_op *op)
{
    struct spool_log *log = &spool->log;
    uint64_t slack = atomic_load(&log->is_recovering) ? 0 : spool_log_slack(spool);
    return at + spool_frame_bytes(op->place.length) + SPOOL_FOOTER_ROOM + slack <=
           log->segment->bytes;
}

/* On the reserve of a full disk: what has no right to it, and in its second half the
 * reports too, since each will need an outcome. */
static bool is_refused(struct spool *spool, uint64_t at, const struct spool_op *op)
{
    struct spool_log *log = &spool->log;
    if (!log->on_reserve || !atomic_load(&log->is_full))
        return false;
    bool is_body = op->type == SPOOL_FRAME_COMMIT || op->type == SPOOL_FRAME_CHUNK;
    return !op->uses_reserve || (is_body && at > log->segment->bytes / 2 &&
                                 !atomic_load(&log->is_recovering));
}

/* Whether the op may go into the segment now, taking the next one if need be. */
static enum err find_room(struct spool *spool, struct spool_op *op)
{
    struct spool_log *log = &spool->log;
    if (log->segment == NULL || !fits(spool, log->offset, op)) {
        enum err error = next_segment(spool, op->uses_reserve);
        if (error != ERR_OK)
            return error;
        must(fits(spool, log->offset, op));
    }
    return is_refused(spool, log->offset, op) ? ERR_FULL : ERR_OK;
}

/* What is being laid out: one write. */
struct group {
    size_t ops;
    size_t parts;
    uint64_t end;     /* in the segment */
    bool needs_sync;
};

/* The header of a frame stands behind the zeros that fill up the frame before, so
 * that both are one part of the write. */
static void lay_frame(struct spool *spool, struct group *group, struct spool_op *op)
{
    struct spool_log *log = &spool->log;
    uint64_t at = spool_align(group->end, SPOOL_FRAME_ALIGN);
    size_t filling = (size_t)(at - group->end);
    char *header = log->headers[group->ops];
    struct spool_frame frame = {
        .segment = log->segment->id, .sequence = log->sequence++,
        .length = op->place.length, .crc = op->crc, .type = op->type,
    };
    memset(header, 0, SPOOL_FRAME_ALIGN);
    spool_frame_encode(&frame, spool->magic, header + SPOOL_FRAME_ALIGN);
    log->parts[group->parts++] = (struct iovec){
        .iov_base = header + SPOOL_FRAME_ALIGN - filling,
        .iov_len = filling + SPOOL_FRAME_HEADER,
    };
    for (size_t i = 0; i < SPOOL_OP_PARTS; i++)
        if (op->parts[i].len > 0)
            log->parts[group->parts++] = (struct iovec){
                .iov_base = (void *)(uintptr_t)op->parts[i].data,
                .iov_len = op->parts[i].len,
            };
    op->place.segment = (uint32_t)log->segment->id;
    op->place.offset = (uint32_t)at;
    group->end = at + SPOOL_FRAME_HEADER + op->place.length;
    group->needs_sync |= op->needs_sync;
    log->ops[group->ops++] = op;
}

static void fill_sector(struct spool *spool, struct group *group)
{
    uint64_t end = spool_align(group->end, SPOOL_SECTOR);
    if (end > group->end)
        spool->log.parts[group->parts++] = (struct iovec){
            .iov_base = (void *)(uintptr_t)zero_sector,
            .iov_len = (size_t)(end - group->end),
        };
    group->end = end;
}

/* Lays out as many as fit, in order; returns the first that is left. */
static struct spool_op *lay_group(struct spool *spool, struct spool_op *op,
                                  struct group *group)
{
    while (op != NULL && group->ops < SPOOL_GROUP_OPS) {
        struct spool_op *next = op->next;
        uint64_t at = spool_align(group->end, SPOOL_FRAME_ALIGN);
        bool refused = is_refused(spool, at, op);
        if (!refused && !fits(spool, at, op))
            break;
        if (refused)
            answer_one(op, ERR_FULL);
        else
            lay_frame(spool, group, op);
        op = next;
    }
    fill_sector(spool, group);
    return op;
}

static void apply_group(struct spool *spool, const struct group *group)
{
    struct spool_log *log = &spool->log;
    pthread_mutex_lock(&spool->lock);
    for (size_t i = 0; i < group->ops; i++) {
        log->ops[i]->result = ERR_OK;
        if (log->ops[i]->apply != NULL)
            log->ops[i]->apply(spool, log->ops[i]);
    }
    log->applied = log->sequence;
    log->applied_segment = log->segment->id;
    log->since_checkpoint += group->end - log->offset;
    bool was_busy = log->written >= SPOOL_BUSY_BYTES;
    log->written += group->end - log->offset;
    if (!was_busy && log->written >= SPOOL_BUSY_BYTES)
        pthread_cond_signal(&spool->preparer.wake);
    log->groups++;
    log->syncs += group->needs_sync;
    if (log->since_checkpoint >= spool->limits.checkpoint_bytes ||
        spool->segments.has_empty)
        pthread_cond_signal(&spool->keeper.wake);
    pthread_mutex_unlock(&spool->lock);
    log->offset = group->end;
}

static enum err reserve_index(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    bool reserved = spool_map_reserve(&spool->index.entries, SPOOL_GROUP_OPS);
    pthread_mutex_unlock(&spool->lock);
    return reserved ? ERR_OK : ERR_MEMORY;
}

/* Writes one group from the front of the list; returns what is left of it. */
static struct spool_op *write_group(struct spool *spool, struct spool_op *op)
{
    struct spool_log *log = &spool->log;
    struct spool_op *rest = op->next;
    enum err error = atomic_load(&log->is_failed) ? ERR_IO : find_room(spool, op);
    if (error == ERR_OK)
        error = reserve_index(spool);
    if (error != ERR_OK) {
        answer_one(op, error);
        return rest;
    }
    struct group group = { .end = log->offset };
    rest = lay_group(spool, op, &group);
    error = spool->fs->ops->write(spool->fs, log->segment->file, log->parts,
                                  (int)group.parts, log->offset);
    if (error == ERR_OK && group.needs_sync) {
        error = sync_log(spool, group.end);
        if (error != ERR_OK)
            error = ERR_IO;
    }
    if (error == ERR_OK) {
        apply_group(spool, &group);
        answer(spool, group.ops);
    } else if (error == ERR_FULL &&
               write_alone(spool, SPOOL_FRAME_VOID, slice_make(NULL, 0)) == ERR_OK) {
        /* What part of the group may be on disk is void now. */
        answer_all(spool, group.ops, ERR_FULL);
    } else {
        spool_fail(spool, error);
        answer_all(spool, group.ops, ERR_IO);
    }
    return rest;
}

static void *run_log(void *argument)
{
    struct spool *spool = argument;
    struct spool_op *op;
    while ((op = take_waiting(&spool->log)) != NULL)
        while (op != NULL)
            op = write_group(spool, op);
    return NULL;
}

enum err spool_log_start(struct spool *spool)
{
    enum err error = next_segment(spool, true);
    if (error != ERR_OK)
        return error;
    spool->log.applied = spool->log.sequence;
    spool->log.applied_segment = spool->log.segment->id;
    if (pthread_create(&spool->log.thread, NULL, run_log, spool) != 0)
        return ERR_MEMORY;
    spool->log.has_thread = true;
    return ERR_OK;
}

void spool_log_stop(struct spool *spool)
{
    struct spool_log *log = &spool->log;
    if (log->has_thread) {
        pthread_mutex_lock(&log->mutex);
        log->is_stopping = true;
        pthread_cond_signal(&log->wake);
        pthread_mutex_unlock(&log->mutex);
        pthread_join(log->thread, NULL);
        log->has_thread = false;
    }
    if (log->segment != NULL && !atomic_load(&log->is_failed) && seal(spool) == ERR_OK) {
        log->applied = log->sequence;
        return;
    }
    if (log->segment != NULL) {
        pthread_mutex_lock(&spool->lock);
        spool_map_remove(&spool->segments.all, log->segment->id);
        pthread_mutex_unlock(&spool->lock);
        spool_segment_free(spool, log->segment);
        log->segment = NULL;
    }
}
