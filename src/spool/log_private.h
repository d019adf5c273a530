/* log_private.h: the log's writer, and the segments it writes to.
 *
 * Anybody hands the writer an op: one frame. The writer thread takes all that wait,
 * lays them out, writes once, syncs once, applies each to the index in order and
 * then posts each op's task to its home.
 */
#ifndef GODWIT_SPOOL_LOG_PRIVATE_H
#define GODWIT_SPOOL_LOG_PRIVATE_H

#include "base/buffer.h"
#include "base/list.h"
#include "base/task.h"
#include "spool/frame_private.h"
#include "spool/index_private.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

enum {
    SPOOL_GROUP_OPS = 256,
    SPOOL_OP_PARTS = 2,
    SPOOL_GROUP_PARTS = SPOOL_GROUP_OPS * (SPOOL_OP_PARTS + 1) + 4,
    SPOOL_FOOTER_ROOM = 2 * SPOOL_SECTOR, /* kept free for the footer */
};

struct spool_op {
    struct spool_op *next;
    struct task task;
    struct home *home;            /* NULL: the task runs on the writer's thread */
    enum spool_frame_type type;
    bool uses_reserve;            /* may use what is kept for a full disk */
    bool needs_sync;
    bool is_patient;              /* nobody waits: it may wait for company */
    struct slice parts[SPOOL_OP_PARTS]; /* the payload; lives until the task runs */
    uint32_t crc;                 /* of the payload */
    /* Called by the writer when the frame is durable (or, without needs_sync,
     * written), under the spool's lock. NULL: nothing. */
    void (*apply)(struct spool *spool, struct spool_op *op);
    /* A new message for the sink; taken by the writer when it is durable. */
    struct task *arrival;
    /* the answer */
    enum err result;
    struct spool_place place;
};

struct spool_log {
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex; /* of the four below */
    pthread_cond_t wake;
    struct spool_op *first;
    struct spool_op **last;
    bool is_awaited;            /* one of them is not patient */
    bool is_stopping;
    /* the writer's own */
    struct spool_segment *segment;
    uint64_t offset;            /* where the next group goes */
    uint64_t sequence;          /* of the next frame */
    bool on_reserve;            /* the segment was the reserve: for uses_reserve only */
    struct iovec parts[SPOOL_GROUP_PARTS];
    char headers[SPOOL_GROUP_OPS + 2][SPOOL_FRAME_ALIGN + SPOOL_FRAME_HEADER];
    struct spool_op *ops[SPOOL_GROUP_OPS];
    /* What is written is what recovery writes again: its segments are marked, and it may
     * fill them wholly and take the last one. */
    atomic_bool is_recovering;
    /* under the spool's lock */
    uint64_t applied;           /* every frame before this one is in the index */
    uint64_t applied_segment;
    uint64_t since_checkpoint;  /* bytes */
    uint64_t written;           /* bytes since the start */
    uint64_t groups;
    uint64_t syncs;
    atomic_bool is_failed;
    atomic_bool is_full;        /* only the reserve is left */
};

/* A file of the log. Under the spool's lock, but `file` of the writer's own. */
struct spool_segment {
    uint64_t id;
    struct list_node node;      /* in one list of struct spool_segments */
    uint64_t live_bytes;
    uint32_t live_count;
    uint32_t references;        /* views, writers and readers that need it */
    uint64_t last_sequence;     /* when sealed */
    uint64_t bytes;             /* its size */
    uint64_t written;           /* so many of them were written once, by this process */
    int file;                   /* -1: not open */
    bool is_sealed;
    bool is_unsealed;           /* found by recovery without a footer */
    bool is_damaged;            /* compaction could not read it */
};

struct spool_segments {
    struct spool_map all;       /* sealed ones and the one being written */
    struct list sealed;         /* oldest first */
    struct list ready;          /* empty, prepared and durable */
    struct list spare;          /* files to be used again, under their old id */
    size_t ready_count;
    size_t spare_count;
    size_t open_count;          /* sealed ones with an open file */
    uint64_t live_bytes;
    uint64_t next_id;
    bool has_empty;             /* a sealed one may be free */
};

/* A spool that has written so much is busy: then the next segment and one more are kept
 * ready, that one written with zeros ahead, since overwriting syncs faster. An idle one
 * writes nothing and keeps only what a full disk would ask for. */
enum {
    SPOOL_PATH_MAX = 64,
    SPOOL_READY_KEPT = 1,     /* for a recovery: the writer never takes it */
    SPOOL_READY_IDLE = 2,     /* and the reserve */
    SPOOL_READY_TARGET = 3,   /* and the next one */
    SPOOL_OPEN_MAX = 256,
    SPOOL_BUSY_BYTES = 1024 * 1024,
};

/* What a SEGMENT frame says besides the generation. */
enum spool_mark {
    SPOOL_MARK_ORDINARY,
    SPOOL_MARK_REWRITE,   /* begun by a recovery: counts when that one has ended */
    SPOOL_MARK_FINISHED,  /* it has, and let go of the segments that follow: id(8)* */
};

/* mark = generation(8) mark(1) */
void spool_mark_encode(struct buffer *out, uint64_t generation, enum spool_mark mark);

void spool_segment_path(uint64_t id, char out[SPOOL_PATH_MAX]);
struct spool_segment *spool_segment_make(uint64_t id, uint64_t bytes);
/* Closes its file and frees it; it is in no list any more. */
void spool_segment_free(struct spool *spool, struct spool_segment *segment);
void spool_segments_free(struct spool *spool);

/* Under the lock: keeps the segment from being freed and its file open. */
enum err spool_segment_pin(struct spool *spool, uint64_t id,
                           struct spool_segment **out_segment);
/* Under the lock. */
void spool_segment_unpin(struct spool *spool, struct spool_segment *segment);

/* Makes one more ready segment durable, from a spare file or a new one: with blocks
 * allocated only, last in line, or written with zeros, first. Keeper's thread, or
 * open's. */
enum err spool_segment_prepare(struct spool *spool, bool allocate_only);

/* Takes the first ready segment, writes and syncs its first frame, starts the
 * thread. */
enum err spool_log_start(struct spool *spool);
/* Writes what waits, seals the segment, ends the thread. */
void spool_log_stop(struct spool *spool);

/* What an ordinary segment leaves free, so that all of it fits into one when a recovery
 * writes it again. */
uint64_t spool_log_slack(const struct spool *spool);

/* The largest payload that fits. */
uint64_t spool_log_payload_max(const struct spool *spool);

/* Any thread; must not hold the spool's lock. The op is the writer's until its task
 * was posted. */
void spool_log_push(struct spool *spool, struct spool_op *op);
/* The same for a chain of ops, linked by `next`, that stay together. */
void spool_log_push_chain(struct spool *spool, struct spool_op *first,
                          struct spool_op *last);

#endif
