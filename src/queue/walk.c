/* walk.c: over all messages in slices, while they come and go.
 *
 * The buckets are taken in the order of their numbers read backwards. When they double in
 * between, those that were seen are the two halves of seen ones, so that every message that
 * is there all the time is seen, and none twice.
 */
#include "queue/queue_private.h"

static size_t next_backwards(size_t at, size_t count)
{
    size_t bit = count >> 1;
    while (bit > 0 && (at & bit) != 0) {
        at ^= bit;
        bit >>= 1;
    }
    return at | bit;
}

bool queue_walk(struct queue *q, struct queue_walk *walk, size_t most, walk_function *see,
                void *context)
{
    size_t seen = 0;
    while (seen < most) {
        if (q->buckets_count == 0)
            return false;
        struct queue_message *m = q->buckets[walk->at & (q->buckets_count - 1)];
        for (; m != NULL; m = m->next) {
            seen += m->recipients_count;
            see(context, m);
        }
        seen++;
        walk->at = next_backwards(walk->at & (q->buckets_count - 1), q->buckets_count);
        if (walk->at == 0)
            return false;
    }
    return true;
}
