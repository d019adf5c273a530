/* recover_private.h: what recovery knows while it runs. One thread, but for the
 * writer and the preparer once they are started. */
#ifndef GODWIT_SPOOL_RECOVER_PRIVATE_H
#define GODWIT_SPOOL_RECOVER_PRIVATE_H

#include "spool/checkpoint_private.h"

/* Numbers that were met, in no order until sorted. */
struct spool_numbers {
    uint64_t *all;
    size_t count;
    size_t capacity;
};

struct spool_recovery {
    struct spool *spool;
    struct spool_numbers segments;     /* files of the log */
    struct spool_numbers checkpoints;
    struct spool_numbers large;        /* files of bodies */
    struct spool_numbers touched;      /* messages changed in an unsealed segment */
    struct list unsealed;              /* segments to be written again */
    struct buffer notes;               /* payloads met in one, each with its length */
    struct spool_checkpoint_header from;
    uint64_t checkpoint;               /* its number, 0 for none */
    struct spool_reason **reasons;     /* of the checkpoint, by number - 1 */
    size_t reasons_count;
    size_t reasons_capacity;
    uint64_t last_sequence;
    uint32_t last_generation;
    enum err error;                    /* memory, met in a callback */
};

bool spool_numbers_add(struct spool_numbers *numbers, uint64_t number);
/* Sorted, each once. */
void spool_numbers_sort(struct spool_numbers *numbers);
bool spool_numbers_have(const struct spool_numbers *numbers, uint64_t number);
void spool_numbers_free(struct spool_numbers *numbers);

/* recover_load.c: the newest whole checkpoint into the index; bad ones are put
 * aside. */
enum err spool_recover_checkpoint(struct spool_recovery *recovery);
/* Hands over every message: those of the checkpoint from it, the others from the
 * log. */
enum err spool_recover_arrivals(struct spool_recovery *recovery);

/* recover_log.c: what the log says since then. */
enum err spool_recover_log(struct spool_recovery *recovery);

/* recover_rewrite.c: what lay in unsealed segments, again; then lets go of them. */
enum err spool_recover_rewrite(struct spool_recovery *recovery);

#endif
