#include "accounts/throttle.h"

#include "base/list.h"
#include "base/table.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    FREE_FAILURES = 3,
    FAILURES_MAX = 40,
    HALF_MS = 10 * MINUTE_MS,
    KEY_MAX = 640,
    PREFIX_BYTES_V6 = 8,
};

struct entry {
    struct table_entry entry;
    struct list_node node;       /* by last use, oldest first */
    uint32_t failures;
    bool is_known;               /* a pair that has logged in */
    int64_t since_mono_ms;       /* of the failures */
    char key[];
};

struct throttle {
    pthread_mutex_t mutex;
    struct table table;
    struct list used;
    size_t entries_max;
};

enum err throttle_open(size_t entries_max, struct throttle **out)
{
    struct throttle *t = calloc(1, sizeof *t);
    if (t == NULL)
        return ERR_MEMORY;
    pthread_mutex_init(&t->mutex, NULL);
    table_init(&t->table);
    list_init(&t->used);
    t->entries_max = entries_max;
    *out = t;
    return ERR_OK;
}

static void drop(struct throttle *t, struct entry *e)
{
    table_remove(&t->table, &e->entry);
    list_remove(&e->node);
    free(e);
}

void throttle_close(struct throttle **throttle)
{
    struct throttle *t = *throttle;
    if (t == NULL)
        return;
    while (!list_is_empty(&t->used))
        drop(t, container_of(list_first(&t->used), struct entry, node));
    table_free(&t->table);
    pthread_mutex_destroy(&t->mutex);
    free(t);
    *throttle = NULL;
}

static void append_client(struct buffer *key, const struct net_address *client)
{
    if (client->any.sa_family == AF_INET)
        buffer_append(key, slice_make(&client->v4.sin_addr, sizeof client->v4.sin_addr));
    else if (client->any.sa_family == AF_INET6)
        buffer_append(key, slice_make(&client->v6.sin6_addr, PREFIX_BYTES_V6));
}

/* 'c' client / 'a' account / 'p' client account */
static struct slice make_key(struct buffer *key, char kind, const struct throttle_try *try)
{
    buffer_clear(key);
    buffer_append_byte(key, kind);
    if (kind != 'a')
        append_client(key, try->client);
    if (kind != 'c')
        buffer_append(key, slice_part(try->account, 0, KEY_MAX - 32));
    return buffer_slice(key);
}

static struct entry *find(struct throttle *t, struct slice key)
{
    struct table_entry *e = table_find(&t->table, key);
    return e == NULL ? NULL : container_of(e, struct entry, entry);
}

static struct entry *find_or_make(struct throttle *t, struct slice key, int64_t now)
{
    struct entry *e = find(t, key);
    if (e == NULL) {
        e = calloc(1, sizeof *e + key.len);
        if (e == NULL)
            return NULL;
        memcpy(e->key, key.data, key.len);
        e->since_mono_ms = now;
        if (!table_insert(&t->table, &e->entry, slice_make(e->key, key.len))) {
            free(e);
            return NULL;
        }
        list_append(&t->used, &e->node);
        if (t->table.count > t->entries_max)
            drop(t, container_of(list_first(&t->used), struct entry, node));
    }
    list_remove(&e->node);
    list_append(&t->used, &e->node);
    return e;
}

static uint32_t failures_now(const struct entry *e, int64_t now)
{
    int64_t halvings = e == NULL ? 0 : (now - e->since_mono_ms) / HALF_MS;
    if (e == NULL || halvings > 31)
        return 0;
    return e->failures >> (halvings < 0 ? 0 : halvings);
}

static void add_failure(struct throttle *t, struct slice key, int64_t now)
{
    struct entry *e = find_or_make(t, key, now);
    if (e == NULL)
        return;
    e->failures = failures_now(e, now);
    e->failures += e->failures < FAILURES_MAX;
    e->since_mono_ms = now;
}

static int64_t delay_for(uint32_t failures, const struct config_login *rules)
{
    int64_t delay = rules->delay_ms;
    if (failures < FREE_FAILURES)
        return 0;
    for (uint32_t i = FREE_FAILURES; i < failures && delay < rules->delay_max_ms; i++)
        delay *= 2;
    return delay < rules->delay_max_ms ? delay : rules->delay_max_ms;
}

int64_t throttle_delay_ms(struct throttle *t, const struct throttle_try *try)
{
    char bytes[KEY_MAX];
    struct buffer key = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    int64_t now = try->now.mono_ms;
    pthread_mutex_lock(&t->mutex);
    uint32_t client = failures_now(find(t, make_key(&key, 'c', try)), now);
    uint32_t account = failures_now(find(t, make_key(&key, 'a', try)), now);
    struct entry *pair = find(t, make_key(&key, 'p', try));
    bool is_known = pair != NULL && pair->is_known;
    pthread_mutex_unlock(&t->mutex);
    if (is_known)
        account = 0;
    return delay_for(client > account ? client : account, try->rules);
}

void throttle_failed(struct throttle *t, const struct throttle_try *try)
{
    char bytes[KEY_MAX];
    struct buffer key = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    pthread_mutex_lock(&t->mutex);
    add_failure(t, make_key(&key, 'c', try), try->now.mono_ms);
    add_failure(t, make_key(&key, 'a', try), try->now.mono_ms);
    pthread_mutex_unlock(&t->mutex);
}

void throttle_succeeded(struct throttle *t, const struct throttle_try *try)
{
    char bytes[KEY_MAX];
    struct buffer key = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    pthread_mutex_lock(&t->mutex);
    struct entry *pair = find_or_make(t, make_key(&key, 'p', try), try->now.mono_ms);
    if (pair != NULL)
        pair->is_known = true;
    pthread_mutex_unlock(&t->mutex);
}
