/* heap.h: a binary heap of due times, entries embedded by their owners.
 *
 * Each entry knows its place, so that it can be moved or removed in O(log n).
 * One thread.
 */
#ifndef GODWIT_BASE_HEAP_H
#define GODWIT_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_entry {
    int64_t due;
    size_t place; /* its index + 1; 0 when it is in no heap */
};

struct heap {
    struct heap_entry **entries;
    size_t count;
    size_t capacity;
};

static inline void heap_init(struct heap *h)
{
    *h = (struct heap){ 0 };
}

/* Frees the array, not the entries. */
void heap_free(struct heap *h);

/* The entry with the smallest due time, or NULL. */
static inline struct heap_entry *heap_first(const struct heap *h)
{
    return h->count == 0 ? NULL : h->entries[0];
}

/* Puts the entry in, or moves it when it is there. False when memory is out;
 * moving never fails. */
bool heap_set(struct heap *h, struct heap_entry *entry, int64_t due);

/* Harmless on an entry that is in no heap. */
void heap_remove(struct heap *h, struct heap_entry *entry);

#endif
