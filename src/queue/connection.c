/* connection.c: idle connections, as values. The sockets are others'. */
#include "queue/queue_private.h"

#include <stdlib.h>

static struct slice key_of(struct idle_connection *record)
{
    memcpy(record->key, &record->connection.id, 8);
    memcpy(record->key + 8, &record->connection.thread, 4);
    return slice_make(record->key, sizeof record->key);
}

void connection_idle(struct queue_site *s, struct idle_connection *record,
                     struct attempt_connection connection)
{
    struct queue *q = s->queue;
    if (record == NULL)
        record = calloc(1, sizeof *record);
    if (record == NULL) {
        q->attempt->ops->close(q->attempt, connection);
        s->connections--;
        return;
    }
    record->site = s;
    record->connection = connection;
    record->messages++;
    if (record->messages >= s->limits.messages_per_connection || q->draining ||
        !table_insert(&q->idle, &record->entry, key_of(record))) {
        q->attempt->ops->close(q->attempt, connection);
        connection_gone(record);
        return;
    }
    list_prepend(&s->idle, &record->node);
}

struct idle_connection *connection_take(struct queue_site *s)
{
    struct list_node *node = list_take(&s->idle);
    if (node == NULL)
        return NULL;
    struct idle_connection *record = container_of(node, struct idle_connection, node);
    table_remove(&s->queue->idle, &record->entry);
    return record;
}

void connection_gone(struct idle_connection *record)
{
    record->site->connections--;
    free(record);
}

void connections_close(struct queue_site *s)
{
    struct idle_connection *record;
    while ((record = connection_take(s)) != NULL) {
        s->queue->attempt->ops->close(s->queue->attempt, record->connection);
        connection_gone(record);
    }
}

void on_connection_lost(struct attempt_watcher *watcher,
                        struct attempt_connection connection)
{
    struct queue *q = container_of(watcher, struct queue, watcher);
    struct idle_connection wanted = { .connection = connection };
    struct table_entry *entry = table_find(&q->idle, key_of(&wanted));
    if (entry == NULL)
        return;
    struct idle_connection *record = container_of(entry, struct idle_connection, entry);
    table_remove(&q->idle, &record->entry);
    list_remove(&record->node);
    connection_gone(record);
}
