/* heap.c: the array, sifted up and down. */
#include "base/heap.h"

#include "base/must.h"

#include <stdlib.h>

void heap_free(struct heap *h)
{
    free(h->entries);
    heap_init(h);
}

static void heap_place(struct heap *h, size_t at, struct heap_entry *entry)
{
    h->entries[at] = entry;
    entry->place = at + 1;
}

static size_t heap_sift_up(struct heap *h, size_t at, struct heap_entry *entry)
{
    while (at > 0 && h->entries[(at - 1) / 2]->due > entry->due) {
        heap_place(h, at, h->entries[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_place(h, at, entry);
    return at;
}

static void heap_sift_down(struct heap *h, size_t at, struct heap_entry *entry)
{
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count &&
            h->entries[child + 1]->due < h->entries[child]->due)
            child++;
        if (h->entries[child]->due >= entry->due)
            break;
        heap_place(h, at, h->entries[child]);
        at = child;
    }
    heap_place(h, at, entry);
}

bool heap_set(struct heap *h, struct heap_entry *entry, int64_t due)
{
    if (entry->place == 0) {
        if (h->count == h->capacity) {
            size_t capacity = h->capacity == 0 ? 64 : h->capacity * 2;
            struct heap_entry **entries =
                reallocarray(h->entries, capacity, sizeof *entries);
            if (entries == NULL)
                return false;
            h->entries = entries;
            h->capacity = capacity;
        }
        heap_place(h, h->count++, entry);
    }
    entry->due = due;
    size_t at = heap_sift_up(h, entry->place - 1, entry);
    heap_sift_down(h, at, entry);
    return true;
}

void heap_remove(struct heap *h, struct heap_entry *entry)
{
    if (entry->place == 0)
        return;
    size_t at = entry->place - 1;
    must(at < h->count && h->entries[at] == entry);
    struct heap_entry *last = h->entries[--h->count];
    entry->place = 0;
    if (last == entry)
        return;
    at = heap_sift_up(h, at, last);
    heap_sift_down(h, at, last);
}
