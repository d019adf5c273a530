/* map_private.h: a table of pointers keyed by a number of our own.
 *
 * Open addressing, 8 bytes a slot. Each item begins with its uint64_t key. Items
 * never change their slot but when the table is rebuilt (`rebuilt` counts that), so
 * that a walk by slot number may be interrupted. The keys are ours, not a peer's:
 * a good mix is enough. Under the spool's lock.
 */
#ifndef GODWIT_SPOOL_MAP_PRIVATE_H
#define GODWIT_SPOOL_MAP_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool_map {
    uint64_t **slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t count;
    size_t used;       /* with the slots of removed items */
    uint64_t rebuilt;
};

void spool_map_free(struct spool_map *map);

/* Room for `more` items: then that many insertions cannot fail. */
bool spool_map_reserve(struct spool_map *map, size_t more);

/* The item or NULL. */
void *spool_map_find(const struct spool_map *map, uint64_t key);

/* The key must not be there, and room must have been reserved. */
void spool_map_insert(struct spool_map *map, void *item);

/* Takes the item out, or NULL. */
void *spool_map_remove(struct spool_map *map, uint64_t key);

/* The next item at or after *slot, which moves behind it; NULL at the end. */
void *spool_map_walk(const struct spool_map *map, size_t *slot);

#endif
