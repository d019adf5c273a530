/* large.c: the worker for bodies too large for the log.
 *
 * A file large/<id> holds what follows the parts in the log. It is made at the first
 * write, synced with its folder before the commit is queued, and removed after the
 * last outcome is on disk. Jobs run in order on one thread, so that nothing here
 * ever makes the log or a session wait for a disk.
 */
#include "spool/spool_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void spool_large_path(struct mail_id id, char out[SPOOL_PATH_MAX])
{
    snprintf(out, SPOOL_PATH_MAX, "large/%016" PRIx64, id.value);
}

void spool_large_push(struct spool *spool, struct spool_large_job *job)
{
    struct spool_large *large = &spool->large;
    job->next = NULL;
    pthread_mutex_lock(&large->mutex);
    *large->last = job;
    large->last = &job->next;
    pthread_cond_signal(&large->wake);
    pthread_mutex_unlock(&large->mutex);
}

void spool_large_remove(struct spool *spool, struct mail_id id)
{
    struct spool_large_job *job = malloc(sizeof *job);
    if (job == NULL)
        return;
    *job = (struct spool_large_job){ .kind = SPOOL_LARGE_REMOVE, .id = id };
    spool_large_push(spool, job);
}

static enum err write_part(struct spool *spool, struct spool_large_job *job)
{
    int *file = spool_writer_file(job->writer);
    if (*file < 0) {
        char path[SPOOL_PATH_MAX];
        spool_large_path(spool_writer_id(job->writer), path);
        enum err error = spool->fs->ops->open(spool->fs, path, SPOOL_FS_CREATE, file);
        if (error != ERR_OK) {
            *file = -1;
            return error;
        }
    }
    struct iovec part = { .iov_base = (void *)(uintptr_t)job->bytes.data,
                          .iov_len = job->bytes.len };
    return spool->fs->ops->write(spool->fs, *file, &part, 1, job->offset);
}

/* The file gets its exact size: before a rewind it may have been longer. */
static enum err sync_file(struct spool *spool, struct spool_large_job *job)
{
    int *file = spool_writer_file(job->writer);
    uint64_t bytes;
    enum err error = spool->fs->ops->size(spool->fs, *file, &bytes);
    if (error == ERR_OK && bytes != job->offset)
        error = spool->fs->ops->truncate(spool->fs, *file, job->offset);
    if (error == ERR_OK)
        error = spool->fs->ops->sync(spool->fs, *file);
    spool->fs->ops->close(spool->fs, *file);
    *file = -1;
    return error;
}

static void discard_file(struct spool *spool, struct spool_large_job *job)
{
    char path[SPOOL_PATH_MAX];
    int *file = spool_writer_file(job->writer);
    if (*file >= 0)
        spool->fs->ops->close(spool->fs, *file);
    spool_large_path(spool_writer_id(job->writer), path);
    /* Where a device failed its commit may be there nevertheless: recovery knows. */
    if (!atomic_load(&spool->log.is_failed))
        spool->fs->ops->remove(spool->fs, path);
    spool_writer_free(job->writer);
}

static void remove_file(struct spool *spool, struct spool_large_job *job)
{
    char path[SPOOL_PATH_MAX];
    spool_large_path(job->id, path);
    enum err error = spool->fs->ops->remove(spool->fs, path);
    if (error != ERR_OK && error != ERR_ABSENT)
        spool_problem(spool, "cannot remove %s: %s", path, err_text(error));
    free(job);
}

static void tell(struct spool_op *op, enum err result)
{
    op->result = result;
    home_post(op->home, &op->task);
}

/* Runs the job; true when it has to wait for the folder's sync. */
static bool run_job(struct spool *spool, struct spool_large_job *job)
{
    switch (job->kind) {
    case SPOOL_LARGE_WRITE:
        tell(job->op, write_part(spool, job));
        return false;
    case SPOOL_LARGE_SYNC: {
        enum err error = sync_file(spool, job);
        if (error == ERR_OK)
            return true;
        if (error == ERR_IO)
            spool_fail(spool, error);
        tell(job->op, error);
        return false;
    }
    case SPOOL_LARGE_DISCARD:
        discard_file(spool, job);
        return false;
    case SPOOL_LARGE_REMOVE:
        remove_file(spool, job);
        return false;
    }
    return false;
}

/* One sync of the folder serves all files of a batch. */
static void run_batch(struct spool *spool, struct spool_large_job *job)
{
    struct spool_large_job *synced = NULL;
    struct spool_large_job **last = &synced;
    while (job != NULL) {
        struct spool_large_job *next = job->next;
        if (run_job(spool, job)) {
            job->next = NULL;
            *last = job;
            last = &job->next;
        }
        job = next;
    }
    if (synced == NULL)
        return;
    enum err error = spool->fs->ops->sync_folder(spool->fs, "large");
    if (error == ERR_IO)
        spool_fail(spool, error);
    while (synced != NULL) {
        struct spool_large_job *next = synced->next;
        if (error == ERR_OK)
            spool_log_push(spool, synced->op);
        else
            tell(synced->op, error);
        synced = next;
    }
}

static void *run_large(void *argument)
{
    struct spool *spool = argument;
    struct spool_large *large = &spool->large;
    for (;;) {
        pthread_mutex_lock(&large->mutex);
        while (large->first == NULL && !large->is_stopping)
            pthread_cond_wait(&large->wake, &large->mutex);
        struct spool_large_job *job = large->first;
        large->first = NULL;
        large->last = &large->first;
        pthread_mutex_unlock(&large->mutex);
        if (job == NULL)
            return NULL;
        run_batch(spool, job);
    }
}

enum err spool_large_start(struct spool *spool)
{
    if (pthread_create(&spool->large.thread, NULL, run_large, spool) != 0)
        return ERR_MEMORY;
    spool->large.has_thread = true;
    return ERR_OK;
}

void spool_large_stop(struct spool *spool)
{
    struct spool_large *large = &spool->large;
    if (!large->has_thread)
        return;
    pthread_mutex_lock(&large->mutex);
    large->is_stopping = true;
    pthread_cond_signal(&large->wake);
    pthread_mutex_unlock(&large->mutex);
    pthread_join(large->thread, NULL);
    large->has_thread = false;
}
