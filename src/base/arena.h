/* arena.h: memory that is freed as one.
 *
 * A session and each of its transactions own an arena; what is allocated in it
 * lives until arena_reset() or arena_free(). An arena has a maximum; beyond it,
 * or without memory, an allocation returns NULL. One owner, one thread.
 */
#ifndef GODWIT_BASE_ARENA_H
#define GODWIT_BASE_ARENA_H

#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *newest;
    char *at;
    char *end;
    size_t used;
    size_t max;
};

/* Allocates nothing. `max` bounds the sum of all allocations. */
static inline void arena_init(struct arena *a, size_t max)
{
    *a = (struct arena){ .max = max };
}

/* Frees everything; the arena is usable again. */
void arena_free(struct arena *a);

/* Forgets everything but keeps one small block for the next use. */
void arena_reset(struct arena *a);

/* Zeroed memory aligned for any type, or NULL. */
void *arena_alloc(struct arena *a, size_t size);

/* `count` zeroed things of `size`, or NULL, also when the product overflows. */
void *arena_alloc_many(struct arena *a, size_t count, size_t size);

/* Copies the bytes; false, out untouched, when there is no room. */
bool arena_copy(struct arena *a, struct slice s, struct slice *out_copy);

#endif
