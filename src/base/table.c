/* table.c: chained buckets and SipHash-2-4 (Aumasson and Bernstein, 2012). */
#include "base/table.h"

#include "base/must.h"

#include <endian.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

static uint64_t hash_key[2];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void draw_hash_key(void)
{
    must(getrandom(hash_key, sizeof hash_key, 0) == (ssize_t)sizeof hash_key);
}

static inline uint64_t rotate(uint64_t x, unsigned by)
{
    return (x << by) | (x >> (64 - by));
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static inline void sip_absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

uint64_t table_hash(struct slice key)
{
    pthread_once(&hash_key_once, draw_hash_key);
    uint64_t v[4] = {
        hash_key[0] ^ 0x736f6d6570736575u, hash_key[1] ^ 0x646f72616e646f6du,
        hash_key[0] ^ 0x6c7967656e657261u, hash_key[1] ^ 0x7465646279746573u,
    };
    uint64_t word = 0;
    size_t whole = key.len / 8 * 8;
    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, key.data + i, 8);
        sip_absorb(v, le64toh(word));
    }
    word = 0;
    if (key.len > whole)
        memcpy(&word, key.data + whole, key.len - whole);
    sip_absorb(v, le64toh(word) | (uint64_t)key.len << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void table_free(struct table *t)
{
    free(t->buckets);
    table_init(t);
}

struct table_entry *table_find(const struct table *t, struct slice key)
{
    if (t->count == 0)
        return NULL;
    uint64_t hash = table_hash(key);
    struct table_entry *e = t->buckets[hash & (t->bucket_count - 1)];
    while (e != NULL && (e->hash != hash || !slice_equal(e->key, key)))
        e = e->next;
    return e;
}

static bool table_grow(struct table *t)
{
    size_t count = t->bucket_count == 0 ? 16 : t->bucket_count * 2;
    struct table_entry **buckets = calloc(count, sizeof *buckets);
    if (buckets == NULL)
        return t->bucket_count > 0; /* a fuller table still works */
    for (size_t i = 0; i < t->bucket_count; i++) {
        struct table_entry *e = t->buckets[i];
        while (e != NULL) {
            struct table_entry *next = e->next;
            struct table_entry **place = &buckets[e->hash & (count - 1)];
            e->next = *place;
            *place = e;
            e = next;
        }
    }
    free(t->buckets);
    t->buckets = buckets;
    t->bucket_count = count;
    return true;
}

bool table_insert(struct table *t, struct table_entry *entry, struct slice key)
{
    if (t->count >= t->bucket_count && !table_grow(t))
        return false;
    entry->key = key;
    entry->hash = table_hash(key);
    struct table_entry **place =
        &t->buckets[entry->hash & (t->bucket_count - 1)];
    entry->next = *place;
    *place = entry;
    t->count++;
    return true;
}

void table_remove(struct table *t, struct table_entry *entry)
{
    must(t->count > 0);
    struct table_entry **place =
        &t->buckets[entry->hash & (t->bucket_count - 1)];
    while (*place != entry) {
        must(*place != NULL);
        place = &(*place)->next;
    }
    *place = entry->next;
    entry->next = NULL;
    t->count--;
}

struct table_entry *table_next(const struct table *t,
                               const struct table_entry *entry)
{
    size_t bucket = 0;
    if (entry != NULL) {
        if (entry->next != NULL)
            return entry->next;
        bucket = (entry->hash & (t->bucket_count - 1)) + 1;
    }
    for (; bucket < t->bucket_count; bucket++)
        if (t->buckets[bucket] != NULL)
            return t->buckets[bucket];
    return NULL;
}
