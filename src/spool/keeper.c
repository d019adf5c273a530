/* keeper.c: the two threads that keep the log in order.
 *
 * The preparer has segments ready before the writer needs them. It waits for nobody
 * but the disk, so that the writer may wait for it. The keeper writes checkpoints
 * when they are due, gives free segments back and compacts sparse ones; it waits for
 * the writer. What fails for want of space is tried again every second.
 */
#include "spool/spool_private.h"

#include <time.h>

enum { SPARE_MAX = 16, LOG_PER_CHECKPOINT = 3 };

void spool_segment_retire(struct spool *spool, struct spool_segment *segment)
{
    char path[SPOOL_PATH_MAX];
    uint64_t wanted = spool->limits.checkpoint_bytes / spool->limits.segment_bytes * 2 + 2;
    if (segment->file >= 0)
        spool->fs->ops->close(spool->fs, segment->file);
    segment->file = -1;
    pthread_mutex_lock(&spool->lock);
    bool keep = segment->bytes == spool->limits.segment_bytes &&
                spool->segments.spare_count < wanted &&
                spool->segments.spare_count < SPARE_MAX;
    if (keep) {
        list_append(&spool->segments.spare, &segment->node);
        spool->segments.spare_count++;
    }
    pthread_mutex_unlock(&spool->lock);
    if (keep)
        return;
    spool_segment_path(segment->id, path);
    enum err error = spool->fs->ops->remove(spool->fs, path);
    if (error != ERR_OK)
        spool_problem(spool, "cannot remove %s: %s", path, err_text(error));
    spool_segment_free(spool, segment);
}

/* Behind which sequence a segment may go: the older checkpoint's, so that it can
 * still serve if the newest turns out bad. On a full disk that comfort is given up. */
static uint64_t free_before(struct spool *spool)
{
    struct spool_keeper *keeper = &spool->keeper;
    if (!atomic_load(&spool->log.is_full))
        return keeper->older_sequence;
    if (keeper->older_number != 0) {
        char path[SPOOL_PATH_MAX];
        spool_checkpoint_path(keeper->older_number, false, path);
        spool->fs->ops->remove(spool->fs, path);
        keeper->older_number = 0;
    }
    keeper->older_sequence = keeper->newest_sequence;
    return keeper->newest_sequence;
}

void spool_free_segments(struct spool *spool)
{
    struct list free;
    struct list_node *node;
    uint64_t before = free_before(spool);
    list_init(&free);
    pthread_mutex_lock(&spool->lock);
    spool->segments.has_empty = false;
    node = list_first(&spool->segments.sealed);
    while (node != NULL) {
        struct spool_segment *s = container_of(node, struct spool_segment, node);
        node = list_next(&spool->segments.sealed, node);
        if (s->live_count > 0 || s->references > 0 || s->last_sequence >= before)
            continue;
        list_remove(&s->node);
        spool_map_remove(&spool->segments.all, s->id);
        spool->segments.open_count -= s->file >= 0;
        list_append(&free, &s->node);
    }
    pthread_mutex_unlock(&spool->lock);
    if (list_is_empty(&free))
        return;
    while ((node = list_take(&free)) != NULL)
        spool_segment_retire(spool, container_of(node, struct spool_segment, node));
    pthread_mutex_lock(&spool->lock);
    pthread_cond_signal(&spool->preparer.wake);
    pthread_mutex_unlock(&spool->lock);
}

static void wait_a_second(pthread_cond_t *wake, pthread_mutex_t *lock)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    pthread_cond_timedwait(wake, lock, &until);
}

/* Under the lock. What is taken with no reserve behind it could be delivered, and its
 * outcome not be kept: so a disk too small for that is full from the start. */
static void judge_room(struct spool *spool, enum err error)
{
    size_t ready = spool->segments.ready_count;
    size_t wanted = spool->preparer.wants_next ? SPOOL_READY_TARGET : SPOOL_READY_IDLE;
    if (error == ERR_OK && ready >= wanted)
        atomic_store(&spool->log.is_full, false);
    else if (error != ERR_OK && ready < SPOOL_READY_IDLE)
        atomic_store(&spool->log.is_full, true);
}

/* Under the lock, which is let go meanwhile. */
static void prepare_one(struct spool *spool, bool zeros)
{
    struct spool_preparer *preparer = &spool->preparer;
    pthread_mutex_unlock(&spool->lock);
    enum err error = spool_segment_prepare(spool, !zeros);
    pthread_mutex_lock(&spool->lock);
    bool is_news = error != preparer->error;
    preparer->error = error;
    judge_room(spool, error);
    pthread_cond_signal(&preparer->done);
    if (is_news && error != ERR_OK)
        spool_problem(spool, "cannot prepare a segment of the log: %s", err_text(error));
}

/* Under the lock. */
static size_t ready_target(const struct spool *spool, bool is_busy)
{
    if (is_busy)
        return SPOOL_READY_TARGET + 1;
    return spool->preparer.wants_next ? SPOOL_READY_TARGET : SPOOL_READY_IDLE;
}

static void *run_preparer(void *argument)
{
    struct spool *spool = argument;
    struct spool_preparer *preparer = &spool->preparer;
    pthread_mutex_lock(&spool->lock);
    while (!preparer->is_stopping) {
        bool is_busy = spool->log.written >= SPOOL_BUSY_BYTES;
        size_t ready = spool->segments.ready_count;
        if (ready >= ready_target(spool, is_busy))
            pthread_cond_wait(&preparer->wake, &spool->lock);
        else
            prepare_one(spool, is_busy && ready >= SPOOL_READY_TARGET);
        if (preparer->error != ERR_OK && !preparer->is_stopping)
            wait_a_second(&preparer->wake, &spool->lock);
    }
    pthread_mutex_unlock(&spool->lock);
    return NULL;
}

enum err spool_preparer_start(struct spool *spool)
{
    if (pthread_create(&spool->preparer.thread, NULL, run_preparer, spool) != 0)
        return ERR_MEMORY;
    pthread_mutex_lock(&spool->lock);
    spool->preparer.has_thread = true;
    pthread_mutex_unlock(&spool->lock);
    return ERR_OK;
}

void spool_preparer_stop(struct spool *spool)
{
    struct spool_preparer *preparer = &spool->preparer;
    if (!preparer->has_thread)
        return;
    pthread_mutex_lock(&spool->lock);
    preparer->is_stopping = true;
    pthread_cond_signal(&preparer->wake);
    pthread_mutex_unlock(&spool->lock);
    pthread_join(preparer->thread, NULL);
    preparer->has_thread = false;
}

/* A checkpoint costs by what is held, the log since the last one costs at the next
 * start: with much held the log may grow to some times the checkpoint. */
static bool checkpoint_is_due(struct spool *spool)
{
    uint64_t due = spool->limits.checkpoint_bytes;
    if (due < LOG_PER_CHECKPOINT * spool->keeper.checkpoint_bytes)
        due = LOG_PER_CHECKPOINT * spool->keeper.checkpoint_bytes;
    pthread_mutex_lock(&spool->lock);
    uint64_t since = spool->log.since_checkpoint;
    pthread_mutex_unlock(&spool->lock);
    return since >= due || (since > 0 && atomic_load(&spool->log.is_full));
}

static void checkpoint(struct spool *spool)
{
    if (!checkpoint_is_due(spool))
        return;
    enum err error = spool_checkpoint_write(spool);
    if (error != ERR_OK)
        spool_problem(spool, "cannot write a checkpoint: %s", err_text(error));
}

static void work(struct spool *spool)
{
    if (atomic_load(&spool->log.is_failed))
        return;
    checkpoint(spool);
    spool_checkpoint_reserve(spool);
    pthread_mutex_lock(&spool->lock);
    bool has_empty = spool->segments.has_empty;
    pthread_mutex_unlock(&spool->lock);
    if (has_empty)
        spool_free_segments(spool);
    spool_compact(spool);
}

static void *run_keeper(void *argument)
{
    struct spool *spool = argument;
    pthread_mutex_lock(&spool->lock);
    while (!spool->keeper.is_stopping) {
        pthread_mutex_unlock(&spool->lock);
        work(spool);
        pthread_mutex_lock(&spool->lock);
        if (!spool->keeper.is_stopping)
            wait_a_second(&spool->keeper.wake, &spool->lock);
    }
    pthread_mutex_unlock(&spool->lock);
    return NULL;
}

enum err spool_keeper_start(struct spool *spool)
{
    if (pthread_create(&spool->keeper.thread, NULL, run_keeper, spool) != 0)
        return ERR_MEMORY;
    spool->keeper.has_thread = true;
    return ERR_OK;
}

void spool_keeper_stop(struct spool *spool)
{
    struct spool_keeper *keeper = &spool->keeper;
    if (!keeper->has_thread)
        return;
    pthread_mutex_lock(&spool->lock);
    keeper->is_stopping = true;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&spool->lock);
    pthread_join(keeper->thread, NULL);
    keeper->has_thread = false;
}
