/* record.c: changes of recipients on their way into the store.
 *
 * A change that the store cannot take now (a full disk) is kept and asked for again:
 * were it lost, a delivered recipient would be attempted again after a restart. The
 * states in it are absolute, so of two changes of one recipient the later one must be
 * the last to be kept: a record stays known until all before it are durable, and what
 * failed leaves out what a later record says by now.
 */
#include "queue/queue_private.h"

#include "log/log.h"

#include <stdlib.h>

enum progress {
    PROGRESS_SUBMITTED,
    PROGRESS_DURABLE,
    PROGRESS_REFUSED,  /* to be asked for again */
};

struct record {
    struct list_node node;    /* in the queue's list, in the order of the changes */
    struct queue *queue;
    enum progress progress;
    size_t count;
    struct recipient_update updates[];
};

static struct record *record_of(struct list_node *node)
{
    return node == NULL ? NULL : container_of(node, struct record, node);
}

/* The records at the front that are durable are needed no more. */
static void retire(struct queue *q)
{
    struct record *r;
    while ((r = record_of(list_first(&q->records))) != NULL &&
           r->progress == PROGRESS_DURABLE) {
        list_remove(&r->node);
        q->records_count--;
        free(r);
    }
}

static bool is_said_later(struct record *r, const struct recipient_update *update)
{
    struct list *all = &r->queue->records;
    struct record *later = r;
    while ((later = record_of(list_next(all, &later->node))) != NULL)
        for (size_t i = 0; i < later->count; i++)
            if (mail_id_equal(later->updates[i].id, update->id) &&
                later->updates[i].recipient == update->recipient)
                return true;
    return false;
}

static void leave_out_stale(struct record *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++)
        if (!is_said_later(r, &r->updates[i]))
            r->updates[kept++] = r->updates[i];
    r->count = kept;
    if (kept == 0)
        r->progress = PROGRESS_DURABLE;
}

static void keep(struct record *r, enum err error)
{
    struct queue *q = r->queue;
    log_fault("update-delayed", "spool", error);
    r->progress = PROGRESS_REFUSED;
    if (!timer_is_set(&q->record_retry))
        timer_set(&q->record_retry, SECOND_MS);
}

static void on_recorded(void *context, enum err result)
{
    struct record *r = context;
    struct queue *q = r->queue;
    if (result != ERR_OK)
        keep(r, result);
    else
        r->progress = PROGRESS_DURABLE;
    retire(q);
    sentences_go_on(q);
}

static void submit(struct record *r)
{
    struct queue *q = r->queue;
    struct spool_update update = {
        .updates = r->updates, .count = r->count, .home = loop_home(q->loop),
        .done = on_recorded, .context = r,
    };
    r->progress = PROGRESS_SUBMITTED;
    enum err error = q->store->update(q->store, &update);
    if (error != ERR_OK)
        keep(r, error);
}

static void on_retry(struct timer *timer)
{
    struct queue *q = container_of(timer, struct queue, record_retry);
    struct record *r = record_of(list_first(&q->records));
    for (; r != NULL; r = record_of(list_next(&q->records, &r->node))) {
        if (r->progress != PROGRESS_REFUSED)
            continue;
        leave_out_stale(r);
        if (r->progress == PROGRESS_REFUSED)
            submit(r);
    }
    retire(q);
}

void record_init(struct queue *q)
{
    list_init(&q->records);
    timer_init(&q->record_retry, q->loop, on_retry);
}

static struct record *record_make(struct queue *q, const struct recipient_update *updates,
                                  size_t count)
{
    size_t texts = 0;
    for (size_t i = 0; i < count; i++)
        texts += updates[i].reason.len;
    size_t array = count * sizeof(struct recipient_update);
    struct record *r = malloc(sizeof *r + array + texts);
    if (r == NULL)
        return NULL;
    *r = (struct record){ .queue = q, .count = count };
    char *text = (char *)&r->updates[count];
    for (size_t i = 0; i < count; i++) {
        r->updates[i] = updates[i];
        if (updates[i].reason.len > 0)
            memcpy(text, updates[i].reason.data, updates[i].reason.len);
        r->updates[i].reason = slice_make(text, updates[i].reason.len);
        text += updates[i].reason.len;
    }
    return r;
}

void record_write(struct queue *q, const struct recipient_update *updates, size_t count)
{
    struct record *r = record_make(q, updates, count);
    if (r == NULL) {
        /* Without memory to wait with, at least one try. */
        struct spool_update update = { .updates = updates, .count = count };
        log_fault("queue-memory", "update", ERR_MEMORY);
        q->store->update(q->store, &update);
        return;
    }
    list_append(&q->records, &r->node);
    q->records_count++;
    submit(r);
}

void record_free(struct queue *q)
{
    struct list_node *node;
    timer_clear(&q->record_retry);
    while ((node = list_take(&q->records)) != NULL)
        free(record_of(node));
}
