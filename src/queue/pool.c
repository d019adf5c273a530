/* pool.c: idle connections, as values. The sockets are others'. */
#include "queue/queue_private.h"

#include <stdlib.h>

static struct slice key_of(struct idle_connection *record)
{
    memcpy(record->key, &record->connection.id, 8);
    memcpy(record->key + 8, &record->connection.thread, 4);
    return slice_make(record->key, sizeof record->key);
}

static void one_less(struct queue_site *s)
{
    s->connections--;
    s->shape->connections--;
}

static void forget(struct idle_connection *record)
{
    list_remove(&record->node);
    list_remove(&record->shape_node);
    one_less(record->site);
    record->site->established--;
    free(record);
}

static void close_now(struct idle_connection *record)
{
    struct queue *q = record->site->queue;
    q->attempt->ops->close(q->attempt, record->connection);
    forget(record);
}

static bool may_go_on(const struct idle_connection *record)
{
    return !record->is_dead &&
           record->messages + record->jobs < record->site->shape->rule->messages_per_connection;
}

/* Where it belongs, now that a job on it is done. */
static void sort_in(struct idle_connection *record)
{
    struct queue *q = record->site->queue;
    list_remove(&record->node);
    if (record->jobs > 0) {
        if (may_go_on(record))
            list_append(&record->site->one_job, &record->node);
        return;
    }
    if (record->is_dead) {
        forget(record);
    } else if (!may_go_on(record) || q->draining ||
               !table_insert(&q->idle, &record->entry, key_of(record))) {
        close_now(record);
    } else {
        list_prepend(&record->site->idle, &record->node);
        list_append(&record->site->shape->idle, &record->shape_node);
    }
}

void pool_done(struct queue_site *s, struct idle_connection *record,
                     const struct attempt_connection *kept)
{
    if (record == NULL) {
        if (kept == NULL) {
            one_less(s);
            return;
        }
        record = calloc(1, sizeof *record);
        if (record == NULL) {
            s->queue->attempt->ops->close(s->queue->attempt, *kept);
            one_less(s);
            return;
        }
        record->site = s;
        record->jobs = 1;
        s->established++;
    }
    record->jobs--;
    record->messages++;
    record->is_dead = kept == NULL;
    if (kept != NULL) {
        bool is_new = record->connection.id != kept->id;
        record->messages = is_new ? 1 : record->messages;
        record->connection = *kept;
    }
    sort_in(record);
}

bool pool_site_may_open(const struct queue_site *s)
{
    return s->connections < s->connections_most;
}

static bool may_open(const struct queue_site *s)
{
    const struct queue_shape *h = s->shape;
    return h->connections < h->rule->connections && h->connections < h->connections_most &&
           pool_site_may_open(s);
}

/* Other sites of the shape want a connection. */
static bool others_wait(const struct queue_site *s)
{
    const struct list_node *first = list_first(&s->shape->turns);
    return first != NULL &&
           (first != &s->turn_node || list_next(&s->shape->turns, first) != NULL);
}

/* A second job behind the first is for who has the connections to himself. */
bool pool_has_room(const struct queue_site *s)
{
    return !list_is_empty(&s->idle) || may_open(s) ||
           (!list_is_empty(&s->one_job) && !others_wait(s));
}

void pool_shrink(struct queue_site *s)
{
    s->connections_most = s->established;
}

void pool_grow(struct queue_site *s)
{
    if (s->connections_most < s->shape->rule->connections)
        s->connections_most++;
}

static struct idle_connection *take_idle(struct queue_site *s)
{
    struct list_node *node = list_take(&s->idle);
    if (node == NULL)
        return NULL;
    struct idle_connection *record = container_of(node, struct idle_connection, node);
    table_remove(&s->queue->idle, &record->entry);
    list_remove(&record->shape_node);
    return record;
}

struct idle_connection *pool_take(struct queue_site *s, bool *out_any)
{
    struct idle_connection *record = take_idle(s);
    *out_any = pool_has_room(s) || record != NULL;
    if (record == NULL && may_open(s)) {
        s->connections++;
        s->shape->connections++;
        return NULL;
    }
    if (record == NULL && *out_any)
        record = container_of(list_take(&s->one_job), struct idle_connection, node);
    if (record == NULL)
        return NULL;
    record->jobs++;
    if (record->jobs == 1 && may_go_on(record))
        list_append(&s->one_job, &record->node);
    return record;
}

bool pool_close_one(struct queue_shape *h)
{
    struct list_node *node = list_first(&h->idle);
    if (node == NULL)
        return false;
    struct idle_connection *record = container_of(node, struct idle_connection, shape_node);
    table_remove(&h->queue->idle, &record->entry);
    close_now(record);
    return true;
}

void pool_forget(struct queue_site *s)
{
    struct idle_connection *record;
    while ((record = take_idle(s)) != NULL)
        forget(record);
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
    struct queue_site *s = record->site;
    table_remove(&q->idle, &record->entry);
    forget(record);
    site_dispatch(s);
}
