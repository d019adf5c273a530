/* notes.c: the small map of the one who schedules. */
#include "spool/spool_private.h"

#include "base/crc32c.h"

#include <stdlib.h>

enum { NOTE_COST = 64 }; /* counted for each on top of its bytes */

uint64_t spool_note_bytes(struct slice key, struct slice value)
{
    return value.len == 0 ? 0 : NOTE_COST + key.len + value.len;
}

static struct spool_note *note_of(struct table_entry *entry)
{
    return container_of(entry, struct spool_note, entry);
}

static void note_remove(struct spool *spool, struct spool_note *note)
{
    table_remove(&spool->notes.table, &note->entry);
    spool->notes.bytes -= NOTE_COST + note->key_len + note->value_len;
    free(note);
}

bool spool_notes_set(struct spool *spool, struct slice key, struct slice value)
{
    struct table_entry *old = table_find(&spool->notes.table, key);
    struct spool_note *note = NULL;
    if (value.len > 0) {
        note = malloc(sizeof *note + key.len + value.len);
        if (note == NULL)
            return false;
        *note = (struct spool_note){ .key_len = key.len, .value_len = value.len };
        memcpy(note->bytes, key.data, key.len);
        memcpy(note->bytes + key.len, value.data, value.len);
    }
    if (old != NULL)
        note_remove(spool, note_of(old));
    if (note == NULL)
        return true;
    if (!table_insert(&spool->notes.table, &note->entry,
                      slice_make(note->bytes, key.len))) {
        free(note);
        return false;
    }
    spool->notes.bytes += spool_note_bytes(key, value);
    return true;
}

void spool_notes_free(struct spool *spool)
{
    struct table_entry *entry;
    while ((entry = table_next(&spool->notes.table, NULL)) != NULL)
        note_remove(spool, note_of(entry));
    table_free(&spool->notes.table);
}

void spool_notes_each(struct spool *spool,
                      void (*each)(void *context, struct slice key, struct slice value),
                      void *context)
{
    pthread_mutex_lock(&spool->lock);
    struct table_entry *entry = NULL;
    while ((entry = table_next(&spool->notes.table, entry)) != NULL) {
        const struct spool_note *note = note_of(entry);
        each(context, entry->key, slice_make(note->bytes + note->key_len,
                                             note->value_len));
    }
    pthread_mutex_unlock(&spool->lock);
}

struct note_op {
    struct spool_op op;
    struct spool *spool;
    struct buffer payload;
};

static void note_apply(struct spool *spool, struct spool_op *op)
{
    struct slice key;
    struct slice value;
    if (spool_note_parse(op->parts[0], &key, &value) &&
        !spool_notes_set(spool, key, value))
        spool_problem(spool, "no memory for a note: it is kept on disk only");
}

static void note_done(struct task *task)
{
    struct note_op *note = container_of(task, struct note_op, op.task);
    buffer_free(&note->payload);
    free(note);
}

enum err spool_note_set(struct spool *spool, struct slice key, struct slice value)
{
    if (key.len == 0 || key.len > SPOOL_NOTE_KEY_MAX || value.len > SPOOL_NOTE_MAX)
        return ERR_INVALID;
    pthread_mutex_lock(&spool->lock);
    bool full = spool->notes.bytes + spool_note_bytes(key, value) >
                spool->limits.notes_bytes;
    pthread_mutex_unlock(&spool->lock);
    if (full && value.len > 0)
        return ERR_FULL;
    struct note_op *note = malloc(sizeof *note);
    if (note == NULL)
        return ERR_MEMORY;
    *note = (struct note_op){ .spool = spool };
    buffer_init(&note->payload, SPOOL_NOTE_KEY_MAX + SPOOL_NOTE_MAX + 2);
    spool_note_encode(&note->payload, key, value);
    if (note->payload.overflow) {
        note_done(&note->op.task);
        return ERR_MEMORY;
    }
    note->op.type = SPOOL_FRAME_NOTE;
    note->op.needs_sync = note->op.uses_reserve = true;
    note->op.parts[0] = buffer_slice(&note->payload);
    note->op.place.length = (uint32_t)note->op.parts[0].len;
    note->op.crc = crc32c(0, note->op.parts[0]);
    note->op.apply = note_apply;
    note->op.task.run = note_done;
    spool_log_push(spool, &note->op);
    return ERR_OK;
}
