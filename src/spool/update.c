/* update.c: batches of recipients' states. */
#include "spool/spool_private.h"

#include "base/crc32c.h"

#include <stdlib.h>

enum { BATCH_BYTES_MAX = 4 * 1024 * 1024 };

struct spool_changes *spool_changes_make(struct spool *spool,
                                         const struct recipient_update *updates,
                                         size_t count)
{
    struct spool_changes *changes = malloc(sizeof *changes +
                                           count * sizeof *changes->all);
    if (changes == NULL)
        return NULL;
    changes->count = 0;
    bool whole = true;
    pthread_mutex_lock(&spool->lock);
    while (whole && changes->count < count) {
        whole = spool_change_make(spool, &updates[changes->count],
                                  &changes->all[changes->count]);
        changes->count += whole;
    }
    pthread_mutex_unlock(&spool->lock);
    if (!whole) {
        spool_changes_free(spool, changes);
        return NULL;
    }
    return changes;
}

void spool_changes_apply(struct spool *spool, struct spool_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        spool_index_change(spool, &changes->all[i]);
    free(changes);
}

void spool_changes_free(struct spool *spool, struct spool_changes *changes)
{
    pthread_mutex_lock(&spool->lock);
    for (size_t i = 0; i < changes->count; i++)
        spool_reason_drop(spool, changes->all[i].state.reason);
    pthread_mutex_unlock(&spool->lock);
    free(changes);
}

struct update_op {
    struct spool_op op;
    struct spool *spool;
    struct buffer payload;
    struct spool_changes *changes;
    void (*done)(void *context, enum err result);
    void *context;
};

static void update_apply(struct spool *spool, struct spool_op *op)
{
    struct update_op *update = container_of(op, struct update_op, op);
    spool_changes_apply(spool, update->changes);
    update->changes = NULL;
}

static void update_free(struct update_op *update)
{
    if (update->changes != NULL)
        spool_changes_free(update->spool, update->changes);
    buffer_free(&update->payload);
    free(update);
}

static void update_done(struct task *task)
{
    struct update_op *update = container_of(task, struct update_op, op.task);
    if (update->done != NULL)
        update->done(update->context, update->op.result);
    update_free(update);
}

enum err spool_update(struct spool *spool, const struct spool_update *batch)
{
    if (batch->count == 0 || batch->count > SPOOL_UPDATES_MAX)
        return ERR_INVALID;
    struct update_op *update = malloc(sizeof *update);
    if (update == NULL)
        return ERR_MEMORY;
    *update = (struct update_op){ .spool = spool, .done = batch->done,
                                  .context = batch->context };
    buffer_init(&update->payload, BATCH_BYTES_MAX);
    for (size_t i = 0; i < batch->count; i++)
        spool_update_encode(&update->payload, &batch->updates[i]);
    if (!update->payload.overflow)
        update->changes = spool_changes_make(spool, batch->updates, batch->count);
    if (update->changes == NULL) {
        update_free(update);
        return ERR_MEMORY;
    }
    if (buffer_len(&update->payload) > spool_log_payload_max(spool)) {
        update_free(update);
        return ERR_INVALID;
    }
    update->op.type = SPOOL_FRAME_UPDATE;
    update->op.needs_sync = update->op.uses_reserve = true;
    update->op.is_patient = true;
    update->op.home = batch->done == NULL ? NULL : batch->home;
    update->op.parts[0] = buffer_slice(&update->payload);
    update->op.place.length = (uint32_t)update->op.parts[0].len;
    update->op.crc = crc32c(0, update->op.parts[0]);
    update->op.apply = update_apply;
    update->op.task.run = update_done;
    spool_log_push(spool, &update->op);
    return ERR_OK;
}
