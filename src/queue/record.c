/* record.c: changes of recipients on their way into the store.
 *
 * A change that the store cannot take now (a full disk) is kept and asked for again:
 * were it lost, a delivered recipient would be attempted again after a restart.
 */
#include "queue/queue_private.h"

#include "log/log.h"

#include <stdlib.h>

struct record {
    struct list_node node;
    struct queue *queue;
    size_t count;
    struct recipient_update updates[];
};

static void submit(struct record *r);

static void on_retry(struct timer *timer)
{
    struct queue *q = container_of(timer, struct queue, record_retry);
    struct list again;
    struct list_node *node;
    list_init(&again);
    while ((node = list_take(&q->unrecorded)) != NULL)
        list_append(&again, node);
    while ((node = list_take(&again)) != NULL)
        submit(container_of(node, struct record, node));
}

static void keep(struct record *r, enum err error)
{
    struct queue *q = r->queue;
    log_fault("update-delayed", "spool", error);
    list_append(&q->unrecorded, &r->node);
    if (!timer_is_set(&q->record_retry))
        timer_set(&q->record_retry, SECOND_MS);
}

static void on_recorded(void *context, enum err result)
{
    struct record *r = context;
    if (result != ERR_OK) {
        keep(r, result);
        return;
    }
    r->queue->records--;
    free(r);
}

static void submit(struct record *r)
{
    struct queue *q = r->queue;
    struct spool_update update = {
        .updates = r->updates, .count = r->count, .home = loop_home(q->loop),
        .done = on_recorded, .context = r,
    };
    enum err error = q->store->update(q->store, &update);
    if (error != ERR_OK)
        keep(r, error);
}

void record_init(struct queue *q)
{
    list_init(&q->unrecorded);
    timer_init(&q->record_retry, q->loop, on_retry);
}

void record_write(struct queue *q, const struct recipient_update *updates, size_t count)
{
    size_t texts = 0;
    for (size_t i = 0; i < count; i++)
        texts += updates[i].reason.len;
    size_t array = count * sizeof(struct recipient_update);
    struct record *r = malloc(sizeof *r + array + texts);
    if (r == NULL) {
        /* Without memory to wait with, at least one try. */
        struct spool_update update = { .updates = updates, .count = count };
        log_fault("queue-memory", "update", ERR_MEMORY);
        q->store->update(q->store, &update);
        return;
    }
    *r = (struct record){ .queue = q, .count = count };
    char *text = (char *)&r->updates[count];
    for (size_t i = 0; i < count; i++) {
        r->updates[i] = updates[i];
        if (updates[i].reason.len > 0)
            memcpy(text, updates[i].reason.data, updates[i].reason.len);
        r->updates[i].reason = slice_make(text, updates[i].reason.len);
        text += updates[i].reason.len;
    }
    q->records++;
    if (list_is_empty(&q->unrecorded))
        submit(r);
    else
        list_append(&q->unrecorded, &r->node); /* behind those before it */
}

void record_free(struct queue *q)
{
    struct list_node *node;
    timer_clear(&q->record_retry);
    while ((node = list_take(&q->unrecorded)) != NULL)
        free(container_of(node, struct record, node));
}
