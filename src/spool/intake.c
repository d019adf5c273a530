/* intake.c: a message on its way in.
 *
 * The writer holds at most one chunk of the body; a full one goes to the log (or,
 * past large_bytes, to the message's file) and the session is told to wait when a
 * second one fills up. Everything here runs on the session's thread, but
 * spool_chunk_apply() and commit_apply(), which run on the log's. The session does the
 * work: it encodes the commit and computes the CRCs, so that the log's thread does
 * little.
 */
#include "spool/spool_private.h"

#include "base/crc32c.h"
#include "base/must.h"

#include <stdlib.h>

enum {
    FIRST_BODY_BYTES = 4096,
    SPILL_BYTES_MIN = 4096, /* under memory pressure a body this large is spilled */
    IN_FLIGHT_MAX = 1,      /* chunks; with one more the session waits */
    HEAD_MAX = 64 * 1024 * 1024,
};

struct spool_writer {
    struct intake_writer base;
    struct spool *spool;
    struct home *home;
    void (*resume)(void *context);
    void *context;
    char *body;
    size_t body_len;
    size_t body_capacity;
    struct spool_chunk *chunks; /* segment 0: in the file, or not placed yet */
    size_t chunks_count;
    size_t chunks_capacity;
    uint64_t size;              /* of the whole content so far */
    uint64_t logged;            /* of it in chunks of the log */
    uint64_t filed;             /* of it in the file */
    uint32_t in_flight;
    uint32_t round;             /* rewinds so far */
    bool wants_file;
    bool has_file;
    bool is_report;
    bool waits;
    bool is_aborted;
    bool is_committing;
    enum err trouble;
    int file;                   /* the worker's own */
    struct spool_large_job job;
    /* the commit */
    struct spool_op op;
    struct buffer head;
    struct spool_entry *entry;
    struct spool_changes *changes;
    size_t reserved;
    void (*done)(void *context, enum err result, struct mail_id id);
    void *done_context;
};

/* A chunk on its way to the disk; owns its bytes. */
struct chunk_job {
    struct spool_op op;
    struct spool_large_job job;
    struct spool_writer *writer;
    char *bytes;
    size_t capacity;
    size_t index;
    uint32_t round;
};

static struct spool_writer *writer_of(struct intake_writer *base)
{
    return container_of(base, struct spool_writer, base);
}

int *spool_writer_file(struct spool_writer *writer)
{
    return &writer->file;
}

struct mail_id spool_writer_id(const struct spool_writer *writer)
{
    return writer->base.id;
}

static void body_free(struct spool_writer *w)
{
    free(w->body);
    atomic_fetch_sub(&w->spool->budget, w->body_capacity);
    w->body = NULL;
    w->body_len = w->body_capacity = 0;
}

void spool_writer_free(struct spool_writer *w)
{
    body_free(w);
    buffer_free(&w->head);
    free(w->chunks);
    atomic_fetch_sub(&w->spool->writers, 1);
    free(w);
}

static void unpin(struct spool *spool, uint32_t segment)
{
    struct spool_segment *s = spool_map_find(&spool->segments.all, segment);
    must(s != NULL);
    spool_segment_unpin(spool, s);
}

/* Under the lock: lets go of the segments that hold chunks. */
static void unpin_chunks(struct spool_writer *w)
{
    for (size_t i = 0; i < w->chunks_count; i++)
        if (w->chunks[i].segment != 0) {
            unpin(w->spool, w->chunks[i].segment);
            w->chunks[i].segment = 0;
        }
}

static void drop_chunks(struct spool_writer *w)
{
    if (w->chunks_count == 0)
        return;
    pthread_mutex_lock(&w->spool->lock);
    unpin_chunks(w);
    pthread_mutex_unlock(&w->spool->lock);
    w->chunks_count = 0;
}

/* The end of a writer that has nothing in flight and no message on disk. */
static void dispose(struct spool_writer *w)
{
    drop_chunks(w);
    if (!w->has_file) {
        spool_writer_free(w);
        return;
    }
    w->job = (struct spool_large_job){ .kind = SPOOL_LARGE_DISCARD, .writer = w };
    spool_large_push(w->spool, &w->job);
}

static void finish_commit(struct spool_writer *w);

static void chunk_done(struct task *task)
{
    struct chunk_job *job = container_of(task, struct chunk_job, op.task);
    struct spool_writer *w = job->writer;
    struct spool *spool = w->spool;
    bool in_log = job->op.type == SPOOL_FRAME_CHUNK;
    w->in_flight--;
    if (job->op.result != ERR_OK) {
        w->trouble = w->trouble == ERR_OK ? job->op.result : w->trouble;
    } else if (in_log && job->round == w->round && !w->is_aborted) {
        w->chunks[job->index].segment = job->op.place.segment;
        w->chunks[job->index].offset = job->op.place.offset;
    } else if (in_log) {
        pthread_mutex_lock(&spool->lock);
        unpin(spool, job->op.place.segment);
        pthread_mutex_unlock(&spool->lock);
    }
    free(job->bytes);
    atomic_fetch_sub(&spool->budget, job->capacity);
    free(job);
    if (w->is_aborted && w->in_flight == 0) {
        dispose(w);
    } else if (w->is_committing && w->in_flight == 0) {
        finish_commit(w);
    } else if (w->waits && w->in_flight <= IN_FLIGHT_MAX) {
        w->waits = false;
        if (w->resume != NULL)
            w->resume(w->context);
    }
}

void spool_chunk_apply(struct spool *spool, struct spool_op *op)
{
    struct spool_segment *s = spool_map_find(&spool->segments.all, op->place.segment);
    must(s != NULL);
    s->references++;
}

static bool chunks_grow(struct spool_writer *w)
{
    if (w->chunks_count < w->chunks_capacity)
        return true;
    size_t capacity = w->chunks_capacity == 0 ? 8 : w->chunks_capacity * 2;
    struct spool_chunk *chunks = realloc(w->chunks, capacity * sizeof *chunks);
    if (chunks == NULL || w->chunks_count >= SPOOL_CHUNKS_MAX)
        return false;
    w->chunks = chunks;
    w->chunks_capacity = capacity;
    return true;
}

static void chunk_send(struct spool_writer *w, struct chunk_job *job, size_t len)
{
    struct slice bytes = slice_make(job->bytes, len);
    bool to_file = w->wants_file || w->logged + len > w->spool->limits.large_bytes;
    job->op.task.run = chunk_done;
    job->op.home = w->home;
    job->op.place.length = (uint32_t)len;
    job->op.crc = crc32c(0, bytes);
    w->chunks[w->chunks_count++] = (struct spool_chunk){
        .length = (uint32_t)len, .crc = job->op.crc,
    };
    w->in_flight++;
    if (!to_file) {
        w->logged += len;
        job->op.type = SPOOL_FRAME_CHUNK;
        job->op.parts[0] = bytes;
        job->op.apply = spool_chunk_apply;
        job->op.uses_reserve = w->is_report;
        spool_log_push(w->spool, &job->op);
        return;
    }
    job->job = (struct spool_large_job){ .kind = SPOOL_LARGE_WRITE, .writer = w,
                                         .bytes = bytes, .offset = w->filed,
                                         .op = &job->op };
    w->wants_file = w->has_file = true;
    w->filed += len;
    spool_large_push(w->spool, &job->job);
}

/* Sends the body that is held; the next one begins empty. */
static void push_body(struct spool_writer *w)
{
    struct chunk_job *job = malloc(sizeof *job);
    if (job == NULL || !chunks_grow(w)) {
        free(job);
        w->trouble = ERR_MEMORY;
        return;
    }
    *job = (struct chunk_job){ .writer = w, .bytes = w->body,
                               .capacity = w->body_capacity,
                               .index = w->chunks_count, .round = w->round };
    size_t len = w->body_len;
    w->body = NULL;
    w->body_len = w->body_capacity = 0;
    chunk_send(w, job, len);
}

static bool body_reserve(struct spool_writer *w, size_t more)
{
    size_t needed = w->body_len + more;
    size_t capacity = w->body_capacity == 0 ? FIRST_BODY_BYTES : w->body_capacity;
    if (needed <= w->body_capacity)
        return true;
    while (capacity < needed)
        capacity *= 2;
    if (capacity > w->spool->limits.chunk_bytes)
        capacity = (size_t)w->spool->limits.chunk_bytes;
    char *body = realloc(w->body, capacity);
    if (body == NULL)
        return false;
    atomic_fetch_add(&w->spool->budget, capacity - w->body_capacity);
    w->body = body;
    w->body_capacity = capacity;
    return true;
}

static void take_bytes(struct spool_writer *w, struct slice bytes)
{
    size_t chunk_bytes = (size_t)w->spool->limits.chunk_bytes;
    while (bytes.len > 0 && w->trouble == ERR_OK) {
        struct slice part = slice_part(bytes, 0, chunk_bytes - w->body_len);
        if (!body_reserve(w, part.len)) {
            w->trouble = ERR_MEMORY;
            return;
        }
        memcpy(w->body + w->body_len, part.data, part.len);
        w->body_len += part.len;
        bytes = slice_from(bytes, part.len);
        if (w->body_len == chunk_bytes)
            push_body(w);
    }
}

static enum intake_flow writer_write(struct intake_writer *base, struct slice bytes)
{
    struct spool_writer *w = writer_of(base);
    struct spool *spool = w->spool;
    if (w->trouble == ERR_OK && bytes.len > spool->limits.message_bytes - w->size)
        w->trouble = ERR_FULL;
    if (w->trouble == ERR_OK) {
        w->size += bytes.len;
        take_bytes(w, bytes);
    }
    if (w->trouble != ERR_OK) {
        body_free(w);
        return INTAKE_FAILED;
    }
    bool presses = atomic_load(&spool->budget) > spool->limits.budget_soft_bytes;
    if (presses && w->body_len >= SPILL_BYTES_MIN)
        push_body(w);
    w->waits = w->in_flight > IN_FLIGHT_MAX || (presses && w->in_flight > 0);
    return w->waits ? INTAKE_WAIT : INTAKE_MORE;
}

static void writer_rewind(struct intake_writer *base)
{
    struct spool_writer *w = writer_of(base);
    drop_chunks(w);
    w->round++;
    w->body_len = 0;
    w->size = w->logged = w->filed = 0;
}

static void writer_abort(struct intake_writer **base)
{
    struct spool_writer *w = writer_of(*base);
    *base = NULL;
    w->is_aborted = true;
    if (w->in_flight == 0)
        dispose(w);
}

static void commit_apply(struct spool *spool, struct spool_op *op)
{
    struct spool_writer *w = container_of(op, struct spool_writer, op);
    struct spool_entry *entry = w->entry;
    struct spool_pin *pin = spool_entry_pins(entry);
    entry->place = op->place;
    for (size_t i = 0; i < w->chunks_count; i++)
        if (w->chunks[i].segment != 0)
            *pin++ = (struct spool_pin){
                .segment = w->chunks[i].segment,
                .bytes = (uint32_t)spool_frame_bytes(w->chunks[i].length),
            };
    spool_index_add(spool, entry);
    w->entry = NULL;
    if (w->changes != NULL)
        spool_changes_apply(spool, w->changes);
    w->changes = NULL;
    unpin_chunks(w);
}

static void commit_done(struct task *task)
{
    struct spool_writer *w = container_of(task, struct spool_writer, op.task);
    struct spool *spool = w->spool;
    enum err result = w->op.result;
    if (result != ERR_OK) {
        if (w->reserved > 0 && spool->sink->release != NULL)
            spool->sink->release(spool->sink, w->reserved);
        if (w->op.arrival != NULL)
            spool_arrival_free(container_of(w->op.arrival, struct spool_arrival, task));
        free(w->entry);
        if (w->changes != NULL)
            spool_changes_free(spool, w->changes);
    }
    w->done(w->done_context, result, w->base.id);
    if (result == ERR_OK)
        spool_writer_free(w);
    else
        dispose(w);
}

static void fail_commit(struct spool_writer *w, enum err error)
{
    w->op.result = error;
    home_post(w->home, &w->op.task);
}

/* What the index and the sink will need, made before the frame is queued: after
 * that nothing may fail but the disk. */
static enum err prepare_commit(struct spool_writer *w)
{
    struct spool_brief brief;
    struct slice bytes;
    size_t pins = 0;
    for (size_t i = 0; i < w->chunks_count; i++)
        pins += w->chunks[i].segment != 0;
    spool_chunks_encode(&w->head, w->chunks, w->chunks_count);
    if (w->head.overflow)
        return ERR_MEMORY;
    must(spool_brief_find(buffer_slice(&w->head), &bytes) &&
         spool_brief_parse(bytes, &brief));
    if (buffer_len(&w->head) + w->body_len > spool_log_payload_max(w->spool))
        return ERR_INVALID;
    struct spool_arrival *arrival = spool_arrival_make(w->spool, &brief, NULL);
    w->entry = spool_entry_make(&brief, pins, w->has_file);
    if (arrival == NULL || w->entry == NULL) {
        spool_arrival_free(arrival);
        return ERR_MEMORY;
    }
    w->op.arrival = &arrival->task;
    return ERR_OK;
}

static void finish_commit(struct spool_writer *w)
{
    struct spool_op *op = &w->op;
    enum err error = w->trouble == ERR_OK ? prepare_commit(w) : w->trouble;
    if (error != ERR_OK) {
        fail_commit(w, error);
        return;
    }
    op->type = SPOOL_FRAME_COMMIT;
    op->needs_sync = true;
    op->apply = commit_apply;
    op->parts[0] = buffer_slice(&w->head);
    op->parts[1] = slice_make(w->body, w->body_len);
    op->place.length = (uint32_t)(op->parts[0].len + op->parts[1].len);
    op->crc = crc32c(crc32c(0, op->parts[0]), op->parts[1]);
    if (!w->has_file) {
        spool_log_push(w->spool, op);
        return;
    }
    w->job = (struct spool_large_job){ .kind = SPOOL_LARGE_SYNC, .writer = w,
                                       .offset = w->filed, .op = op };
    spool_large_push(w->spool, &w->job);
}

/* The borrowed part of a commit: copied, counted, reserved. */
static enum err take_commit(struct spool_writer *w, const struct intake_commit *commit)
{
    struct spool *spool = w->spool;
    size_t recipients = commit->envelope->recipients_count;
    if (w->trouble != ERR_OK)
        return w->trouble;
    if (commit->updates_count > SPOOL_UPDATES_MAX ||
        !spool_commit_encode(&w->head, w->base.id, w->size, commit))
        return ERR_INVALID;
    if (w->head.overflow)
        return ERR_MEMORY;
    if (commit->updates_count > 0) {
        w->changes = spool_changes_make(spool, commit->updates, commit->updates_count);
        if (w->changes == NULL)
            return ERR_MEMORY;
    }
    if (spool->sink->reserve != NULL && !spool->sink->reserve(spool->sink, recipients))
        return ERR_FULL;
    w->reserved = recipients;
    w->op.uses_reserve = commit->envelope->is_report;
    return ERR_OK;
}

static void writer_commit(struct intake_writer **base, const struct intake_commit *commit)
{
    struct spool_writer *w = writer_of(*base);
    *base = NULL;
    w->done = commit->done;
    w->done_context = commit->context;
    w->op.home = w->home;
    w->op.task.run = commit_done;
    w->trouble = take_commit(w, commit);
    w->is_committing = true;
    if (w->in_flight == 0)
        finish_commit(w);
}

static enum err spool_begin(struct intake *intake, const struct intake_begin *begin,
                            struct intake_writer **out_writer)
{
    static const struct intake_writer_ops ops = {
        .write = writer_write, .rewind = writer_rewind,
        .commit = writer_commit, .abort = writer_abort,
    };
    struct spool *spool = container_of(intake, struct spool, intake);
    if (atomic_load(&spool->log.is_failed))
        return ERR_IO;
    if (atomic_load(&spool->is_closing))
        return ERR_CLOSED;
    if ((atomic_load(&spool->log.is_full) && !begin->is_report) ||
        atomic_load(&spool->budget) > spool->limits.budget_hard_bytes)
        return ERR_FULL;
    struct spool_writer *w = malloc(sizeof *w);
    if (w == NULL)
        return ERR_MEMORY;
    *w = (struct spool_writer){
        .base.ops = &ops,
        .spool = spool, .home = begin->home, .resume = begin->resume,
        .context = begin->context, .file = -1, .is_report = begin->is_report,
        .wants_file = begin->size_hint > spool->limits.large_bytes,
    };
    w->base.id.value = (uint64_t)spool->generation << SPOOL_GENERATION_SHIFT |
                       atomic_fetch_add(&spool->next_message, 1);
    buffer_init(&w->head, HEAD_MAX);
    atomic_fetch_add(&spool->writers, 1);
    *out_writer = &w->base;
    return ERR_OK;
}

void spool_intake_init(struct spool *spool)
{
    static const struct intake_ops ops = { .begin = spool_begin };
    spool->intake.ops = &ops;
}
