/* table.h: an intrusive hash table keyed by bytes.
 *
 * The hash is SipHash-2-4 under a key drawn from the kernel at start, so that a
 * peer cannot make names collide (HOSTILE 48). The caller owns the entries; the
 * key's bytes must live in the entry. One thread.
 */
#ifndef GODWIT_BASE_TABLE_H
#define GODWIT_BASE_TABLE_H

#include "base/slice.h"

struct table_entry {
    struct table_entry *next;
    uint64_t hash;
    struct slice key;
};

struct table {
    struct table_entry **buckets;
    size_t bucket_count; /* a power of two, or 0 before the first insertion */
    size_t count;
};

/* SipHash-2-4 of the bytes under the process's key. */
uint64_t table_hash(struct slice key);

static inline void table_init(struct table *t)
{
    *t = (struct table){ 0 };
}

/* Frees the buckets, not the entries. */
void table_free(struct table *t);

/* The entry, or NULL. */
struct table_entry *table_find(const struct table *t, struct slice key);

/* Sets entry->key and links it; the key must not be there yet. False when memory
 * is out (then nothing changed). */
bool table_insert(struct table *t, struct table_entry *entry, struct slice key);

/* Unlinks the entry, which must be there. */
void table_remove(struct table *t, struct table_entry *entry);

/* Walks all entries: pass NULL first, then the entry before. The order means
 * nothing. The table must not change in between, but that the entry just given
 * may be removed after the next one was asked for. */
struct table_entry *table_next(const struct table *t,
                               const struct table_entry *entry);

#endif
