/* arena.c: a chain of blocks, the newest in front. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

struct arena_block {
    struct arena_block *older;
    size_t size; /* of the memory after this header */
    alignas(max_align_t) char memory[];
};

enum { ARENA_BLOCK_BYTES = 1024 - sizeof(struct arena_block) };

void arena_free(struct arena *a)
{
    while (a->newest != NULL) {
        struct arena_block *older = a->newest->older;
        free(a->newest);
        a->newest = older;
    }
    arena_init(a, a->max);
}

void arena_reset(struct arena *a)
{
    struct arena_block *block = a->newest;
    if (block == NULL)
        return;
    if (block->older != NULL || block->size > ARENA_BLOCK_BYTES) {
        arena_free(a);
        return;
    }
    a->at = block->memory;
    a->used = 0;
}

static bool arena_grow(struct arena *a, size_t needed)
{
    size_t size = needed > ARENA_BLOCK_BYTES ? needed : ARENA_BLOCK_BYTES;
    struct arena_block *block = malloc(sizeof *block + size);
    if (block == NULL)
        return false;
    block->size = size;
    block->older = a->newest;
    a->newest = block;
    a->at = block->memory;
    a->end = block->memory + size;
    return true;
}

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t unit = alignof(max_align_t);
    if (size > SIZE_MAX - unit)
        return NULL;
    size = size == 0 ? unit : (size + unit - 1) / unit * unit;
    if (a->used > a->max || size > a->max - a->used)
        return NULL;
    if ((size_t)(a->end - a->at) < size && !arena_grow(a, size))
        return NULL;
    void *memory = a->at;
    a->at += size;
    a->used += size;
    memset(memory, 0, size);
    return memory;
}

void *arena_alloc_many(struct arena *a, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return arena_alloc(a, total);
}

bool arena_copy(struct arena *a, struct slice s, struct slice *out_copy)
{
    char *memory = arena_alloc(a, s.len);
    if (memory == NULL)
        return false;
    if (s.len > 0)
        memcpy(memory, s.data, s.len);
    *out_copy = slice_make(memory, s.len);
    return true;
}
