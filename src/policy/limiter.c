/* limiter.c: counters in keyed tables, sharded by network, a lock a shard; and the
 * count of all, which nothing else depends on: relaxed order is enough. */
#include "policy/limiter.h"

#include "base/list.h"
#include "base/must.h"
#include "base/table.h"
#include "policy/client_keys.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SHARDS = 16 };

struct counter {
    struct table_entry entry;
    uint32_t count;
    char key[CLIENT_KEY_MAX];
};

struct shard {
    pthread_mutex_t lock;
    struct table counters;
};

struct limiter {
    _Atomic uint32_t all;
    struct shard shards[SHARDS];
    size_t entries_max; /* in one shard */
};

static struct shard *shard_of(struct limiter *l, const struct client_keys *keys)
{
    /* The table uses the low bits of the same hash. */
    uint64_t hash = table_hash(slice_make(keys->network, keys->network_len));
    return &l->shards[hash >> 60];
}

_Static_assert(SHARDS == 1 << 4, "shard_of() takes four bits");

/* The counter, new with 0 where there is none; NULL without room. */
static struct counter *get(struct limiter *l, struct shard *s, const char *key, size_t len)
{
    struct table_entry *e = table_find(&s->counters, slice_make(key, len));
    if (e != NULL)
        return container_of(e, struct counter, entry);
    struct counter *c = s->counters.count >= l->entries_max ? NULL : calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    memcpy(c->key, key, len);
    if (!table_insert(&s->counters, &c->entry, slice_make(c->key, len))) {
        free(c);
        return NULL;
    }
    return c;
}

static void drop_if_unused(struct shard *s, struct counter *c)
{
    if (c == NULL || c->count > 0)
        return;
    table_remove(&s->counters, &c->entry);
    free(c);
}

enum err limiter_open(size_t entries_max, struct limiter **out)
{
    struct limiter *l = calloc(1, sizeof *l);
    if (l == NULL)
        return ERR_MEMORY;
    atomic_init(&l->all, 0);
    l->entries_max = entries_max / SHARDS + 1;
    for (size_t i = 0; i < SHARDS; i++) {
        must(pthread_mutex_init(&l->shards[i].lock, NULL) == 0);
        table_init(&l->shards[i].counters);
    }
    *out = l;
    return ERR_OK;
}

void limiter_close(struct limiter **limiter)
{
    struct limiter *l = *limiter;
    *limiter = NULL;
    if (l == NULL)
        return;
    must(atomic_load_explicit(&l->all, memory_order_relaxed) == 0);
    for (size_t i = 0; i < SHARDS; i++) {
        must(l->shards[i].counters.count == 0);
        table_free(&l->shards[i].counters);
        pthread_mutex_destroy(&l->shards[i].lock);
    }
    free(l);
}

bool limiter_enter_all(struct limiter *limiter, uint32_t max)
{
    uint32_t all = atomic_load_explicit(&limiter->all, memory_order_relaxed);
    while (all < max)
        if (atomic_compare_exchange_weak_explicit(&limiter->all, &all, all + 1,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    return false;
}

void limiter_leave_all(struct limiter *limiter)
{
    uint32_t before =
        atomic_fetch_sub_explicit(&limiter->all, 1, memory_order_relaxed);
    must(before > 0);
}

uint32_t limiter_count(const struct limiter *limiter)
{
    return atomic_load_explicit(&limiter->all, memory_order_relaxed);
}

static bool count_in(struct limiter *l, struct shard *s, const struct client_keys *keys,
                     uint32_t max)
{
    bool by_address = keys->address_len > 0;
    struct counter *network = get(l, s, keys->network, keys->network_len);
    struct counter *address =
        by_address ? get(l, s, keys->address, keys->address_len) : NULL;
    uint64_t network_max = (uint64_t)max * (by_address ? CLIENT_NETWORK_FACTOR : 1);
    bool may = network != NULL && network->count < network_max &&
               (!by_address || (address != NULL && address->count < max));
    if (may) {
        network->count++;
        if (by_address)
            address->count++;
    }
    drop_if_unused(s, network);
    drop_if_unused(s, address);
    return may;
}

bool limiter_enter(struct limiter *limiter, const struct net_address *client,
                   uint32_t max_per_client)
{
    struct client_keys keys;
    if (!client_keys_make(client, &keys))
        return true;
    struct shard *s = shard_of(limiter, &keys);
    pthread_mutex_lock(&s->lock);
    bool may = count_in(limiter, s, &keys, max_per_client);
    pthread_mutex_unlock(&s->lock);
    return may;
}

static void count_out(struct shard *s, const char *key, size_t len)
{
    struct table_entry *e = table_find(&s->counters, slice_make(key, len));
    must(e != NULL);
    struct counter *c = container_of(e, struct counter, entry);
    c->count--;
    drop_if_unused(s, c);
}

void limiter_leave(struct limiter *limiter, const struct net_address *client)
{
    struct client_keys keys;
    if (!client_keys_make(client, &keys))
        return;
    struct shard *s = shard_of(limiter, &keys);
    pthread_mutex_lock(&s->lock);
    count_out(s, keys.network, keys.network_len);
    if (keys.address_len > 0)
        count_out(s, keys.address, keys.address_len);
    pthread_mutex_unlock(&s->lock);
}
