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

/* What is to be written again: a recipient whose state stands in an unsealed segment,
 * or the message itself. */
struct spool_touch {
    uint64_t id;
    uint32_t recipient;                /* or SPOOL_TOUCH_MESSAGE */
};
#define SPOOL_TOUCH_MESSAGE UINT32_MAX

struct spool_touches {
    struct spool_touch *all;
    size_t count;
    size_t capacity;
};

/* A file of the log, known by its first frame. */
struct spool_head {
    uint64_t id;
    uint64_t sequence;                 /* 0: it has no frame */
    uint64_t generation;
    uint64_t bytes;
    enum spool_mark mark;
    bool is_known;                     /* all of it lies before the checkpoint */
    bool is_free;                      /* nothing in it counts */
};

struct spool_recovery {
    struct spool *spool;
    struct spool_numbers segments;     /* files of the log */
    struct spool_numbers checkpoints;
    struct spool_numbers large;        /* files of bodies */
    struct spool_head *heads;          /* of the log's files, in order of use */
    size_t heads_count;
    uint64_t last_finished;            /* generation whose recovery ended */
    struct spool_numbers released;     /* segments that recoveries let go */
    struct spool_touches touched;      /* in unsealed segments */
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

bool spool_touches_add(struct spool_touches *touches, uint64_t id, uint32_t recipient);
/* By id and recipient, each once; a message's own behind its recipients. */
void spool_touches_sort(struct spool_touches *touches);

/* recover_order.c: puts the files of the log in the order of their frames. */
enum err spool_recover_order(struct spool_recovery *recovery);

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
