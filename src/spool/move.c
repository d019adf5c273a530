/* move.c: writing messages again.
 *
 * Compaction moves what is live out of sparse segments; recovery writes again all
 * that lay in a segment which was never sealed. Both read the message through a
 * view, which keeps the old bytes where they are until the new ones count.
 */
#include "spool/spool_private.h"

#include "base/crc32c.h"
#include "base/must.h"

#include <stdlib.h>

enum { PAYLOAD_MAX = 256 * 1024 * 1024 };

static void mover_post(struct home *home, struct task *first, struct task *last)
{
    struct spool_mover *mover = container_of(home, struct spool_mover, home);
    last->next = NULL;
    pthread_mutex_lock(&mover->mutex);
    *mover->last = first;
    mover->last = &last->next;
    pthread_cond_signal(&mover->wake);
    pthread_mutex_unlock(&mover->mutex);
}

void spool_mover_init(struct spool_mover *mover)
{
    *mover = (struct spool_mover){ .home.post = mover_post };
    pthread_mutex_init(&mover->mutex, NULL);
    pthread_cond_init(&mover->wake, NULL);
    mover->last = &mover->first;
}

void spool_mover_free(struct spool_mover *mover)
{
    must(mover->pending == 0);
    pthread_cond_destroy(&mover->wake);
    pthread_mutex_destroy(&mover->mutex);
}

static void hand_over_held(struct spool *spool, struct spool_mover *mover)
{
    if (mover->held == NULL)
        return;
    spool_log_push_chain(spool, mover->held, mover->held_last);
    mover->held = mover->held_last = NULL;
    mover->held_count = 0;
}

void spool_mover_wait(struct spool *spool, struct spool_mover *mover, size_t left)
{
    if (mover->pending > left)
        hand_over_held(spool, mover);
    while (mover->pending > left) {
        pthread_mutex_lock(&mover->mutex);
        while (mover->first == NULL)
            pthread_cond_wait(&mover->wake, &mover->mutex);
        struct task *task = mover->first;
        mover->first = NULL;
        mover->last = &mover->first;
        pthread_mutex_unlock(&mover->mutex);
        while (task != NULL) {
            struct task *next = task->next;
            task->run(task);
            task = next;
        }
    }
}

/* A frame on its way, with its payload. */
struct move_op {
    struct spool_op op;
    struct spool *spool;
    struct spool_mover *mover;
    struct message_view *view;    /* of a message */
    struct buffer payload;
    struct spool_chunk *chunks;   /* of a message: its chunks in their new places */
    size_t chunks_count;
    struct spool_pin *pins;
    size_t pins_count;
    struct spool_chunk *place;    /* of a chunk: where to tell its place */
};

static struct move_op *op_make(struct spool *spool, struct spool_mover *mover,
                               enum spool_frame_type type)
{
    struct move_op *move = malloc(sizeof *move);
    if (move == NULL)
        return NULL;
    *move = (struct move_op){ .spool = spool, .mover = mover };
    move->op.type = type;
    move->op.home = &mover->home;
    buffer_init(&move->payload, PAYLOAD_MAX);
    return move;
}

/* Under the lock. */
static void unpin_chunks(struct move_op *move)
{
    for (size_t i = 0; i < move->chunks_count; i++)
        if (move->chunks[i].segment != 0)
            spool_segment_unpin(move->spool,
                                spool_map_find(&move->spool->segments.all,
                                               move->chunks[i].segment));
    move->chunks_count = 0;
}

static void op_free(struct move_op *move)
{
    if (move->chunks_count > 0) {
        pthread_mutex_lock(&move->spool->lock);
        unpin_chunks(move);
        pthread_mutex_unlock(&move->spool->lock);
    }
    message_close(&move->view);
    buffer_free(&move->payload);
    free(move->chunks);
    free(move->pins);
    free(move);
}

static void op_done(struct task *task)
{
    struct move_op *move = container_of(task, struct move_op, op.task);
    struct spool_mover *mover = move->mover;
    enum err result = move->op.result;
    mover->pending--;
    if (result != ERR_OK && mover->error == ERR_OK)
        mover->error = result;
    if (result == ERR_OK && move->place != NULL) {
        move->place->segment = move->op.place.segment;
        move->place->offset = move->op.place.offset;
    }
    op_free(move);
}

static void op_push(struct move_op *move)
{
    struct slice payload = buffer_slice(&move->payload);
    move->op.parts[0] = payload;
    move->op.place.length = (uint32_t)payload.len;
    move->op.crc = crc32c(0, payload);
    move->op.task.run = op_done;
    struct spool_mover *mover = move->mover;
    move->op.next = NULL;
    if (mover->held == NULL)
        mover->held = &move->op;
    else
        mover->held_last->next = &move->op;
    mover->held_last = &move->op;
    mover->pending++;
    if (++mover->held_count == SPOOL_GROUP_OPS)
        hand_over_held(move->spool, mover);
}

enum err spool_mover_frame(struct spool *spool, struct spool_mover *mover,
                           enum spool_frame_type type, struct slice payload)
{
    struct move_op *move = op_make(spool, mover, type);
    if (move == NULL)
        return ERR_MEMORY;
    buffer_append(&move->payload, payload);
    if (move->payload.overflow) {
        op_free(move);
        return ERR_MEMORY;
    }
    move->op.needs_sync = move->op.uses_reserve = true;
    op_push(move);
    return ERR_OK;
}

static void message_apply(struct spool *spool, struct spool_op *op)
{
    struct move_op *move = container_of(op, struct move_op, op);
    struct spool_entry *entry = spool_map_find(&spool->index.entries,
                                               move->view->id.value);
    if (entry != NULL) {
        must(entry->pins_count == move->pins_count);
        spool_index_move(spool, entry, op->place, move->pins);
        spool->keeper.moved++;
    }
    unpin_chunks(move);
}

/* What recovery leaves where it is: a chunk in a segment that was sealed. Pinned like
 * one that was written. */
static bool stays(struct move_op *move, uint32_t segment)
{
    bool stays = false;
    if (move->op.type != SPOOL_FRAME_COMMIT)
        return false;
    pthread_mutex_lock(&move->spool->lock);
    struct spool_segment *s = spool_map_find(&move->spool->segments.all, segment);
    if (s != NULL && s->is_sealed) {
        s->references++;
        stays = true;
    }
    pthread_mutex_unlock(&move->spool->lock);
    return stays;
}

/* The body from `offset` on, as a frame; its place is told to `place`. */
static enum err move_chunk(struct move_op *move, uint64_t offset,
                           struct spool_chunk *place)
{
    struct move_op *part = op_make(move->spool, move->mover, SPOOL_FRAME_CHUNK);
    if (part == NULL)
        return ERR_MEMORY;
    char *room = buffer_reserve(&part->payload, place->length);
    size_t have = 0;
    enum err error = room == NULL ? ERR_MEMORY
                                  : message_read(move->view, offset, room, place->length,
                                                 &have);
    if (error != ERR_OK) {
        op_free(part);
        return error;
    }
    must(have == place->length);
    buffer_added(&part->payload, have);
    part->place = place;
    part->op.apply = spool_chunk_apply;
    part->op.uses_reserve = move->op.uses_reserve;
    op_push(part);
    return ERR_OK;
}

/* Writes the chunks that lie in the log again, and waits for their places. Those
 * that were written are pinned. */
static enum err move_chunks(struct move_op *move, const struct spool_commit *commit)
{
    uint64_t offset = 0;
    enum err error = ERR_OK;
    for (size_t i = 0; i < commit->chunks_count && error == ERR_OK; i++) {
        struct spool_chunk chunk = spool_chunk_at(commit, i);
        struct spool_chunk *place = &move->chunks[i];
        *place = chunk;
        move->chunks_count = i + 1;
        if (chunk.segment != 0 && !stays(move, chunk.segment)) {
            place->segment = 0;
            error = move_chunk(move, offset, place);
        }
        offset += chunk.length;
    }
    spool_mover_wait(move->spool, move->mover, 0);
    return error == ERR_OK ? move->mover->error : error;
}

/* What the index will say of the chunks. */
static void list_pins(struct move_op *move)
{
    for (size_t i = 0; i < move->chunks_count; i++)
        if (move->chunks[i].segment != 0)
            move->pins[move->pins_count++] = (struct spool_pin){
                .segment = move->chunks[i].segment,
                .bytes = (uint32_t)spool_frame_bytes(move->chunks[i].length),
            };
}

static enum err move_message(struct move_op *move)
{
    const struct spool_commit *commit = spool_view_commit(move->view);
    size_t count = commit->chunks_count;
    if (count > 0) {
        move->chunks = calloc(count, sizeof *move->chunks);
        move->pins = calloc(count, sizeof *move->pins);
        if (move->chunks == NULL || move->pins == NULL)
            return ERR_MEMORY;
        enum err error = move_chunks(move, commit);
        if (error != ERR_OK)
            return error;
        list_pins(move);
    }
    spool_commit_encode_again(&move->payload, commit, move->chunks, count);
    return move->payload.overflow ? ERR_MEMORY : ERR_OK;
}

enum err spool_mover_message(struct spool *spool, struct spool_mover *mover,
                             struct mail_id id, enum spool_frame_type type)
{
    struct move_op *move = op_make(spool, mover, type);
    if (move == NULL)
        return ERR_MEMORY;
    move->op.uses_reserve = type == SPOOL_FRAME_COMMIT ||
                            atomic_load(&spool->log.is_full);
    enum err error = message_open(&spool->source, id, &move->view);
    if (error == ERR_OK)
        error = move_message(move);
    if (error != ERR_OK) {
        op_free(move);
        return error;
    }
    move->op.needs_sync = true;
    move->op.apply = message_apply;
    op_push(move);
    return ERR_OK;
}
