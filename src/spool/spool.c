/* spool.c: opening, closing, and what all parts share. */
#include "spool/spool_private.h"

#include "base/must.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { QUARANTINE_MAX = 1024 * 1024, PROBLEM_MAX = 512 };

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)

void spool_problem(struct spool *spool, const char *format, ...)
{
    char text[PROBLEM_MAX];
    va_list arguments;
    if (spool->watcher == NULL || spool->watcher->problem == NULL)
        return;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    must(len >= 0);
    spool->watcher->problem(spool->watcher, slice_part(slice_make(text, sizeof text - 1),
                                                       0, (size_t)len));
}

void spool_fail(struct spool *spool, enum err error)
{
    if (atomic_exchange(&spool->log.is_failed, true))
        return;
    if (spool->watcher != NULL && spool->watcher->failed != NULL)
        spool->watcher->failed(spool->watcher, error);
}

void spool_quarantine(struct spool *spool, uint64_t segment, uint64_t offset,
                      struct slice bytes)
{
    char path[SPOOL_PATH_MAX];
    int file;
    snprintf(path, sizeof path, "corrupt/%08" PRIx64 "-%08" PRIx64, segment, offset);
    spool_problem(spool, "segment %" PRIx64 ", offset %" PRIu64 ": %zu bytes do not "
                         "check, see %s", segment, offset, bytes.len, path);
    if (spool->fs->ops->open(spool->fs, path, SPOOL_FS_CREATE, &file) != ERR_OK)
        return;
    bytes = slice_part(bytes, 0, QUARANTINE_MAX);
    struct iovec part = { .iov_base = (void *)(uintptr_t)bytes.data,
                          .iov_len = bytes.len };
    spool->fs->ops->write(spool->fs, file, &part, 1, 0);
    spool->fs->ops->close(spool->fs, file);
}

enum err spool_read_file(struct spool *spool, const char *path, char **out_bytes,
                         size_t *out_len)
{
    int file;
    uint64_t size;
    size_t have = 0;
    char *bytes = NULL;
    enum err error = spool->fs->ops->open(spool->fs, path, SPOOL_FS_READ, &file);
    if (error != ERR_OK)
        return error;
    error = spool->fs->ops->size(spool->fs, file, &size);
    if (error == ERR_OK) {
        bytes = malloc(size == 0 ? 1 : (size_t)size);
        error = bytes == NULL ? ERR_MEMORY
                              : spool->fs->ops->read(spool->fs, file, bytes,
                                                     (size_t)size, 0, &have);
    }
    spool->fs->ops->close(spool->fs, file);
    if (error != ERR_OK) {
        free(bytes);
        return error;
    }
    *out_bytes = bytes;
    *out_len = have;
    return ERR_OK;
}

struct intake *spool_intake(struct spool *spool)
{
    return &spool->intake;
}

struct message_source *spool_source(struct spool *spool)
{
    return &spool->source;
}

static uint64_t or_default(uint64_t value, uint64_t standard)
{
    return value == 0 ? standard : value;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* On a small disk they are small, so that eight of them find room there. */
static uint64_t segment_for_disk(struct spool *spool)
{
    enum { PARTS = 32 };
    uint64_t segment = 16 * MIB;
    uint64_t disk;
    if (spool->fs->ops->disk_size(spool->fs, &disk) != ERR_OK)
        return segment;
    while (segment > 256 * KIB && segment > disk / PARTS)
        segment /= 2;
    return segment;
}

static enum err set_limits(struct spool *spool, const struct spool_limits *wanted)
{
    struct spool_limits *l = &spool->limits;
    l->segment_bytes = or_default(wanted->segment_bytes, segment_for_disk(spool));
    l->chunk_bytes = or_default(wanted->chunk_bytes,
                                smaller(64 * KIB, l->segment_bytes / 8));
    l->large_bytes = or_default(wanted->large_bytes, smaller(MIB, l->segment_bytes / 2));
    l->message_bytes = or_default(wanted->message_bytes, 64 * MIB);
    l->budget_soft_bytes = or_default(wanted->budget_soft_bytes, 64 * MIB);
    l->budget_hard_bytes = or_default(wanted->budget_hard_bytes, 128 * MIB);
    l->checkpoint_bytes = or_default(wanted->checkpoint_bytes, 4 * l->segment_bytes);
    l->compact_floor_bytes =
        or_default(wanted->compact_floor_bytes, 16 * l->segment_bytes);
    l->notes_bytes = or_default(wanted->notes_bytes, 16 * MIB);
    bool good = l->segment_bytes % (4 * KIB) == 0 && l->segment_bytes >= 64 * KIB &&
                l->segment_bytes <= 1024 * MIB && l->chunk_bytes >= 4 * KIB &&
                l->chunk_bytes <= l->segment_bytes / 4 && l->large_bytes <= 64 * MIB &&
                l->message_bytes <= 240 * MIB && l->notes_bytes <= 64 * MIB &&
                l->budget_soft_bytes <= l->budget_hard_bytes;
    return good ? ERR_OK : ERR_INVALID;
}

static void init_locks(struct spool *spool)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&spool->lock, NULL);
    pthread_mutex_init(&spool->keeper.room, NULL);
    pthread_mutex_init(&spool->log.mutex, NULL);
    pthread_cond_init(&spool->log.wake, &monotonic);
    pthread_mutex_init(&spool->large.mutex, NULL);
    pthread_cond_init(&spool->large.wake, NULL);
    pthread_cond_init(&spool->keeper.wake, &monotonic);
    pthread_cond_init(&spool->preparer.wake, &monotonic);
    pthread_cond_init(&spool->preparer.done, NULL);
    pthread_condattr_destroy(&monotonic);
}

static struct spool *make(const struct spool_options *options)
{
    struct spool *spool = malloc(sizeof *spool);
    if (spool == NULL)
        return NULL;
    *spool = (struct spool){ .fs = options->fs, .sink = options->sink,
                             .watcher = options->watcher, .lock_file = -1 };
    spool->log.last = &spool->log.first;
    spool->large.last = &spool->large.first;
    spool->log.sequence = 1;
    spool->keeper.reserve_bytes = 1;
    list_init(&spool->segments.sealed);
    list_init(&spool->segments.ready);
    list_init(&spool->segments.spare);
    table_init(&spool->index.reasons);
    table_init(&spool->notes.table);
    atomic_init(&spool->next_message, 1);
    init_locks(spool);
    spool_intake_init(spool);
    spool_source_init(spool);
    return spool;
}

/* Also of one that was never wholly opened. All threads have ended. */
static void destroy(struct spool *spool)
{
    spool_index_free(&spool->index);
    spool_notes_free(spool);
    spool_segments_free(spool);
    if (spool->lock_file >= 0)
        spool->fs->ops->close(spool->fs, spool->lock_file);
    pthread_cond_destroy(&spool->preparer.done);
    pthread_cond_destroy(&spool->preparer.wake);
    pthread_cond_destroy(&spool->keeper.wake);
    pthread_cond_destroy(&spool->large.wake);
    pthread_mutex_destroy(&spool->large.mutex);
    pthread_cond_destroy(&spool->log.wake);
    pthread_mutex_destroy(&spool->log.mutex);
    pthread_mutex_destroy(&spool->keeper.room);
    pthread_mutex_destroy(&spool->lock);
    free(spool);
}

/* The keeper's moves need the log, the log needs the preparer. */
static void stop_threads(struct spool *spool)
{
    spool_keeper_stop(spool);
    spool_log_stop(spool);
    spool_preparer_stop(spool);
    spool_large_stop(spool);
}

enum err spool_open(const struct spool_options *options, struct spool **out_spool)
{
    struct spool *spool = make(options);
    if (spool == NULL)
        return ERR_MEMORY;
    enum err error = set_limits(spool, &options->limits);
    if (error == ERR_OK)
        error = spool->fs->ops->lock(spool->fs, "lock", &spool->lock_file);
    if (error == ERR_OK)
        error = spool_recover(spool);
    if (error != ERR_OK) {
        stop_threads(spool);
        destroy(spool);
        return error;
    }
    *out_spool = spool;
    return ERR_OK;
}

void spool_close(struct spool **out_spool)
{
    struct spool *spool = *out_spool;
    if (spool == NULL)
        return;
    *out_spool = NULL;
    atomic_store(&spool->is_closing, true);
    must(atomic_load(&spool->writers) == 0);
    stop_threads(spool);
    if (!atomic_load(&spool->log.is_failed)) {
        enum err error = spool_checkpoint_write(spool);
        if (error != ERR_OK)
            spool_problem(spool, "cannot write the last checkpoint: %s",
                          err_text(error));
    }
    destroy(spool);
}

struct spool_stats spool_stats(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    struct spool_stats stats = {
        .messages = spool->index.entries.count,
        .recipients_live = spool->index.recipients_live,
        .live_bytes = spool->segments.live_bytes,
        .segments = spool->segments.all.count,
        .segments_ready = spool->segments.ready_count,
        .groups = spool->log.groups,
        .syncs = spool->log.syncs,
        .checkpoints = spool->keeper.checkpoints,
        .moved = spool->keeper.moved,
    };
    pthread_mutex_unlock(&spool->lock);
    stats.budget_bytes = atomic_load(&spool->budget);
    stats.writers = atomic_load(&spool->writers);
    stats.is_full = atomic_load(&spool->log.is_full);
    stats.is_failed = atomic_load(&spool->log.is_failed);
    return stats;
}
