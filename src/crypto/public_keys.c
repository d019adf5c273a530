/* public_keys.c: a table by the kind and octets of a key, and a list by last use, under one
 * mutex that is never held while a key is read or used.
 */
#include "crypto/public_keys.h"

#include "base/list.h"
#include "base/must.h"
#include "base/table.h"
#include "crypto/key_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct kept_key {
    struct table_entry entry;
    struct list_node node;
    struct public_key *key;
    char name[];                /* the kind, then the octets */
};

struct public_keys {
    pthread_mutex_t mutex;
    struct table table;         /* under the mutex, with all below */
    struct list by_use;         /* the last used stands first */
    size_t most;
};

enum err public_keys_new(size_t most, struct public_keys **out)
{
    must(most > 0);
    struct public_keys *keys = calloc(1, sizeof *keys);
    if (keys == NULL)
        return ERR_MEMORY;
    must(pthread_mutex_init(&keys->mutex, NULL) == 0);
    table_init(&keys->table);
    list_init(&keys->by_use);
    keys->most = most;
    *out = keys;
    return ERR_OK;
}

static void forget(struct public_keys *keys, struct kept_key *kept)
{
    table_remove(&keys->table, &kept->entry);
    list_remove(&kept->node);
    public_key_free(&kept->key);
    free(kept);
}

static struct kept_key *last_used(struct public_keys *keys)
{
    return container_of(keys->by_use.head.previous, struct kept_key, node);
}

void public_keys_free(struct public_keys **keys)
{
    struct public_keys *k = *keys;
    *keys = NULL;
    if (k == NULL)
        return;
    while (!list_is_empty(&k->by_use))
        forget(k, last_used(k));
    table_free(&k->table);
    pthread_mutex_destroy(&k->mutex);
    free(k);
}

static struct public_key *find(struct public_keys *keys, struct slice name)
{
    struct public_key *key = NULL;
    pthread_mutex_lock(&keys->mutex);
    struct table_entry *entry = table_find(&keys->table, name);
    if (entry != NULL) {
        struct kept_key *kept = container_of(entry, struct kept_key, entry);
        list_remove(&kept->node);
        list_prepend(&keys->by_use, &kept->node);
        key = public_key_hold(kept->key);
    }
    pthread_mutex_unlock(&keys->mutex);
    return key;
}

/* Without memory it is not kept: the next one reads it again. */
static void keep(struct public_keys *keys, struct slice name, struct public_key *key)
{
    struct kept_key *kept = calloc(1, sizeof *kept + name.len);
    if (kept == NULL)
        return;
    memcpy(kept->name, name.data, name.len);
    pthread_mutex_lock(&keys->mutex);
    bool is_new = table_find(&keys->table, name) == NULL;
    if (is_new && keys->table.count >= keys->most)
        forget(keys, last_used(keys));
    is_new = is_new && table_insert(&keys->table, &kept->entry, slice_make(kept->name, name.len));
    if (is_new) {
        kept->key = public_key_hold(key);
        list_prepend(&keys->by_use, &kept->node);
    }
    pthread_mutex_unlock(&keys->mutex);
    if (!is_new)
        free(kept);
}

enum err public_keys_read(struct public_keys *keys, enum key_kind kind, struct slice octets,
                          struct public_key **out)
{
    char name[1 + KEY_PUBLIC_MAX];
    if (keys == NULL || octets.len == 0 || octets.len > KEY_PUBLIC_MAX)
        return public_key_read(kind, octets, out);
    name[0] = (char)kind;
    memcpy(name + 1, octets.data, octets.len);
    struct slice whole = slice_make(name, octets.len + 1);
    struct public_key *key = find(keys, whole);
    if (key == NULL) {
        enum err error = public_key_read(kind, octets, &key);
        if (error != ERR_OK)
            return error;
        keep(keys, whole, key);
    }
    *out = key;
    return ERR_OK;
}

size_t public_keys_count(struct public_keys *keys)
{
    pthread_mutex_lock(&keys->mutex);
    size_t count = keys->table.count;
    pthread_mutex_unlock(&keys->mutex);
    return count;
}
