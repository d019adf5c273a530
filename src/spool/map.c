/* map.c: linear probing with markers for removed items. */
#include "spool/map_private.h"

#include "base/must.h"

#include <stdlib.h>

static uint64_t removed_item;
#define REMOVED (&removed_item)

enum { FIRST_SLOTS = 64 };

static size_t slot_of(const struct spool_map *map, uint64_t key)
{
    key ^= key >> 32;
    key *= 0x9e3779b97f4a7c15u;
    key ^= key >> 29;
    return (size_t)key & (map->slot_count - 1);
}

void spool_map_free(struct spool_map *map)
{
    free(map->slots);
    *map = (struct spool_map){ 0 };
}

static void place(struct spool_map *map, uint64_t *item)
{
    size_t slot = slot_of(map, *item);
    while (map->slots[slot] != NULL)
        slot = (slot + 1) & (map->slot_count - 1);
    map->slots[slot] = item;
    map->used++;
}

static bool rebuild(struct spool_map *map, size_t slot_count)
{
    struct spool_map next = { .slot_count = slot_count, .count = map->count,
                              .rebuilt = map->rebuilt + 1 };
    next.slots = calloc(slot_count, sizeof *next.slots);
    if (next.slots == NULL)
        return false;
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i] != NULL && map->slots[i] != REMOVED)
            place(&next, map->slots[i]);
    free(map->slots);
    *map = next;
    return true;
}

/* At most three quarters of the slots are used. */
static bool has_room(size_t slot_count, size_t needed)
{
    return needed <= slot_count / 4 * 3;
}

bool spool_map_reserve(struct spool_map *map, size_t more)
{
    if (has_room(map->slot_count, map->used + more))
        return true;
    size_t slot_count = map->slot_count == 0 ? FIRST_SLOTS : map->slot_count;
    /* Half full after a rebuild, so that the next one is far. */
    while (slot_count / 2 < map->count + more) {
        if (slot_count > SIZE_MAX / 2 / sizeof *map->slots)
            return false;
        slot_count *= 2;
    }
    return rebuild(map, slot_count);
}

static uint64_t **find_slot(const struct spool_map *map, uint64_t key)
{
    if (map->slot_count == 0)
        return NULL;
    size_t slot = slot_of(map, key);
    while (map->slots[slot] != NULL) {
        if (map->slots[slot] != REMOVED && *map->slots[slot] == key)
            return &map->slots[slot];
        slot = (slot + 1) & (map->slot_count - 1);
    }
    return NULL;
}

void *spool_map_find(const struct spool_map *map, uint64_t key)
{
    uint64_t **slot = find_slot(map, key);
    return slot == NULL ? NULL : *slot;
}

void spool_map_insert(struct spool_map *map, void *item)
{
    must(has_room(map->slot_count, map->used + 1));
    place(map, item);
    map->count++;
}

void *spool_map_remove(struct spool_map *map, uint64_t key)
{
    uint64_t **slot = find_slot(map, key);
    if (slot == NULL)
        return NULL;
    void *item = *slot;
    *slot = REMOVED;
    map->count--;
    return item;
}

void *spool_map_walk(const struct spool_map *map, size_t *slot)
{
    while (*slot < map->slot_count) {
        uint64_t *item = map->slots[(*slot)++];
        if (item != NULL && item != REMOVED)
            return item;
    }
    return NULL;
}
