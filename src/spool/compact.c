/* compact.c: moving what is live out of sparse segments, so that they become free.
 *
 * The moves go through the writer like everything else. A move is durable before it
 * counts, so that the old segment stays as long as it is needed.
 */
#include "spool/spool_private.h"

enum {
    VICTIMS_MAX = 16,
    IDS_AT_ONCE = 256,
    MOVES_AT_ONCE = 32,
    SPARSE_PART = 4,        /* a segment with less than a quarter live is sparse */
    SPARSE_PART_FULL = 16,  /* on a full disk, where moves take from the reserve */
};

struct victims {
    uint64_t ids[VICTIMS_MAX];
    size_t count;
};

/* One that the newest checkpoint does not know may yet become empty by itself, and
 * looking for its messages means a walk over all. */
static bool is_sparse(const struct spool *spool, const struct spool_segment *s,
                      uint64_t part)
{
    return s->last_sequence < spool->keeper.newest_sequence && s->live_count > 0 &&
           s->references == 0 && !s->is_damaged && s->live_bytes < s->bytes / part;
}

/* Under the lock: sparse segments, as many as fit into half of one; on a full disk into
 * a small part of the reserve, which comes back with the first that is freed. */
static void choose(struct spool *spool, struct victims *victims)
{
    uint64_t sealed = 0;
    uint64_t live = 0;
    bool is_full = atomic_load(&spool->log.is_full);
    uint64_t part = is_full ? SPARSE_PART_FULL : SPARSE_PART;
    struct list_node *node = list_first(&spool->segments.sealed);
    for (; node != NULL; node = list_next(&spool->segments.sealed, node))
        sealed += container_of(node, struct spool_segment, node)->bytes;
    if (sealed < spool->limits.compact_floor_bytes && !is_full)
        return;
    node = list_first(&spool->segments.sealed);
    while (node != NULL && victims->count < VICTIMS_MAX) {
        struct spool_segment *s = container_of(node, struct spool_segment, node);
        node = list_next(&spool->segments.sealed, node);
        if (!is_sparse(spool, s, part) || live + s->live_bytes > s->bytes * 2 / part)
            continue;
        live += s->live_bytes;
        victims->ids[victims->count++] = s->id;
    }
    /* One alone is copied for nothing when the rest is dense. */
    if (victims->count == 1 && live > spool->limits.segment_bytes / 8)
        victims->count = 0;
}

static bool is_victim(const struct victims *victims, uint64_t segment)
{
    for (size_t i = 0; i < victims->count; i++)
        if (victims->ids[i] == segment)
            return true;
    return false;
}

static bool lies_in(struct spool_entry *entry, const struct victims *victims)
{
    if (is_victim(victims, entry->place.segment))
        return true;
    for (size_t i = 0; i < entry->pins_count; i++)
        if (is_victim(victims, spool_entry_pins(entry)[i].segment))
            return true;
    return false;
}

struct walk {
    size_t slot;
    uint64_t rebuilt;
};

/* The next few messages of the victims. */
static size_t find_messages(struct spool *spool, const struct victims *victims,
                            struct walk *walk, uint64_t *ids)
{
    struct spool_entry *entry;
    size_t count = 0;
    pthread_mutex_lock(&spool->lock);
    if (walk->rebuilt != spool->index.entries.rebuilt)
        *walk = (struct walk){ .rebuilt = spool->index.entries.rebuilt };
    while (count < IDS_AT_ONCE &&
           (entry = spool_map_walk(&spool->index.entries, &walk->slot)) != NULL)
        if ((entry->flags & SPOOL_ENTRY_CORRUPT) == 0 && lies_in(entry, victims))
            ids[count++] = entry->id;
    pthread_mutex_unlock(&spool->lock);
    return count;
}

static void mark_damaged(struct spool *spool, const struct victims *victims)
{
    pthread_mutex_lock(&spool->lock);
    for (size_t i = 0; i < victims->count; i++) {
        struct spool_segment *s = spool_map_find(&spool->segments.all, victims->ids[i]);
        if (s != NULL && s->live_count > 0)
            s->is_damaged = true;
    }
    pthread_mutex_unlock(&spool->lock);
}

void spool_compact(struct spool *spool)
{
    struct victims victims = { 0 };
    struct walk walk = { 0 };
    struct spool_mover mover;
    uint64_t ids[IDS_AT_ONCE];
    size_t count;
    bool damaged = false;
    pthread_mutex_lock(&spool->lock);
    choose(spool, &victims);
    pthread_mutex_unlock(&spool->lock);
    if (victims.count == 0)
        return;
    spool_mover_init(&mover);
    do {
        count = find_messages(spool, &victims, &walk, ids);
        for (size_t i = 0; i < count && mover.error == ERR_OK; i++) {
            enum err error = spool_mover_message(spool, &mover, (struct mail_id){ ids[i] },
                                                 SPOOL_FRAME_MOVE);
            damaged |= error == ERR_CORRUPT;
            if (error != ERR_OK && error != ERR_ABSENT && error != ERR_CORRUPT)
                mover.error = error;
            spool_mover_wait(spool, &mover, MOVES_AT_ONCE);
        }
    } while (count > 0 && mover.error == ERR_OK);
    spool_mover_wait(spool, &mover, 0);
    if (damaged)
        mark_damaged(spool, &victims);
    spool_mover_free(&mover);
}
