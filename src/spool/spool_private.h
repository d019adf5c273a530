/* spool_private.h: the spool itself, for the files of this folder.
 *
 * Threads: the writer (log.c), the preparer and the keeper (keeper.c), the worker for
 * large bodies (large.c), and whoever calls. `lock` guards the index, the segments
 * and the notes; it is held for short and never over a write or a sync.
 */
#ifndef GODWIT_SPOOL_SPOOL_PRIVATE_H
#define GODWIT_SPOOL_SPOOL_PRIVATE_H

#include "spool/log_private.h"
#include "spool/spool.h"

struct spool_note {
    struct table_entry entry;
    size_t key_len;
    size_t value_len;
    char bytes[]; /* key, value */
};

struct spool_notes {
    struct table table;
    uint64_t bytes;
};

enum spool_large_kind {
    SPOOL_LARGE_WRITE,
    SPOOL_LARGE_SYNC,
    SPOOL_LARGE_DISCARD, /* of a writer that ended without a message */
    SPOOL_LARGE_REMOVE,  /* of a message that is gone */
};

struct spool_writer;

struct spool_large_job {
    struct spool_large_job *next;
    enum spool_large_kind kind;
    struct spool_writer *writer;  /* not for REMOVE */
    struct mail_id id;            /* REMOVE */
    struct slice bytes;           /* WRITE */
    uint64_t offset;              /* WRITE; SYNC: the size of the file */
    struct spool_op *op;          /* WRITE: told when written; SYNC: pushed after */
};

struct spool_large {
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct spool_large_job *first;
    struct spool_large_job **last;
    bool is_stopping;
};

struct spool_preparer {
    pthread_t thread;
    /* under the spool's lock */
    bool has_thread;
    bool is_stopping;
    bool wants_next;             /* the writer has asked for one */
    pthread_cond_t wake;         /* there may be something to do */
    pthread_cond_t done;         /* there is a ready segment more, or there cannot be */
    enum err error;              /* of the last try */
};

struct spool_keeper {
    pthread_t thread;
    bool has_thread;
    /* under the spool's lock */
    pthread_cond_t wake;         /* there may be something to do */
    bool is_stopping;
    uint64_t checkpoints;
    uint64_t moved;
    /* the keeper's own */
    uint64_t checkpoint_number;  /* of the last whole one, 0 for none */
    uint64_t checkpoint_bytes;
    uint64_t newest_sequence;    /* at which it began */
    uint64_t older_sequence;     /* at which the one before began */
    uint64_t older_number;
    uint64_t checkpoint_entries;
    uint64_t reserve_bytes;      /* of checkpoint/reserve, 0 for none, 1 for unknown */
    pthread_mutex_t room;        /* while blocks for a segment are taken, or given up */
    atomic_bool owes_reserve;    /* it was given up: it comes before a new segment */
    bool cannot_reserve;         /* the file system allocates nothing ahead */
    uint8_t pass;                /* marks the entries that are in the newest one */
    uint32_t tries;              /* marks the reasons that are numbered in it */
};

struct spool {
    struct intake intake;
    struct message_source source;
    struct spool_fs *fs;
    struct spool_sink *sink;
    struct spool_watcher *watcher;
    struct spool_limits limits;
    int lock_file;
    uint64_t magic;
    uint32_t generation;
    atomic_uint_fast64_t next_message; /* counts below the generation */
    atomic_uint_fast64_t budget;       /* bytes of bodies in memory */
    atomic_uint_fast64_t writers;
    atomic_bool is_closing;
    pthread_mutex_t lock;
    struct spool_index index;
    struct spool_segments segments;
    struct spool_notes notes;
    struct spool_log log;
    struct spool_preparer preparer;
    struct spool_keeper keeper;
    struct spool_large large;
};

enum { SPOOL_GENERATION_SHIFT = 40 };

static inline uint32_t spool_generation_of(uint64_t id)
{
    return (uint32_t)(id >> SPOOL_GENERATION_SHIFT);
}

/* One line to the watcher. */
void spool_problem(struct spool *spool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Nothing can be promised any more: tells the watcher once. */
void spool_fail(struct spool *spool, enum err error);

/* Puts a copy of bad bytes into corrupt/, under a name that tells the place. */
void spool_quarantine(struct spool *spool, uint64_t segment, uint64_t offset,
                      struct slice bytes);

/* Reads a whole file into memory of its own (free()). */
enum err spool_read_file(struct spool *spool, const char *path, char **out_bytes,
                         size_t *out_len);

/* intake.c and source.c: fill in the two interfaces. */
void spool_intake_init(struct spool *spool);
void spool_source_init(struct spool *spool);
/* Frees the writer on the worker's thread after its file is gone. */
void spool_writer_free(struct spool_writer *writer);
/* The file of the writer's body: -1 before the first write. Worker's thread. */
int *spool_writer_file(struct spool_writer *writer);
struct mail_id spool_writer_id(const struct spool_writer *writer);

/* A chunk keeps its segment from being freed until a commit counts for it. */
void spool_chunk_apply(struct spool *spool, struct spool_op *op);
/* The parsed commit behind a view of this spool. */
const struct spool_commit *spool_view_commit(struct message_view *view);

/* arrival.c: the message as the sink gets it; NULL without memory. The entry's
 * states, or the brief's when `entry` is NULL. Under the lock if there is one. */
struct spool_arrival *spool_arrival_make(struct spool *spool,
                                         const struct spool_brief *brief,
                                         const struct spool_entry *entry);

/* large.c */
enum err spool_large_start(struct spool *spool);
void spool_large_stop(struct spool *spool);
void spool_large_push(struct spool *spool, struct spool_large_job *job);
/* Removes the file of a message that is gone; without memory, recovery does. */
void spool_large_remove(struct spool *spool, struct mail_id id);
void spool_large_path(struct mail_id id, char out[SPOOL_PATH_MAX]);

/* notes.c, under the lock */
bool spool_notes_set(struct spool *spool, struct slice key, struct slice value);
void spool_notes_free(struct spool *spool);
uint64_t spool_note_bytes(struct slice key, struct slice value);

/* update.c: the changes of a batch, applied by the writer. */
struct spool_changes {
    size_t count;
    struct spool_change all[];
};
/* Not under the lock. NULL without memory. */
struct spool_changes *spool_changes_make(struct spool *spool,
                                         const struct recipient_update *updates,
                                         size_t count);
void spool_changes_apply(struct spool *spool, struct spool_changes *changes);
/* Gives up changes that were not applied. Not under the lock. */
void spool_changes_free(struct spool *spool, struct spool_changes *changes);

/* move.c: writing messages again, where the keeper or recovery wants them. */
struct spool_mover {
    struct home home;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct task *first;          /* finished ones */
    struct task **last;
    struct spool_op *held;       /* not handed to the writer yet, so as to fill groups */
    struct spool_op *held_last;
    size_t held_count;
    size_t pending;              /* held ones among them */
    enum err error;              /* the first that was met */
};
void spool_mover_init(struct spool_mover *mover);
void spool_mover_free(struct spool_mover *mover);
/* Hands over what is held, if more than `left` are pending, and waits for the rest. */
void spool_mover_wait(struct spool *spool, struct spool_mover *mover, size_t left);
/* Starts to write the message again: `type` is COMMIT or MOVE. ERR_ABSENT: it is
 * gone. An error of the op itself comes with mover->error. */
enum err spool_mover_message(struct spool *spool, struct spool_mover *mover,
                             struct mail_id id, enum spool_frame_type type);
/* Starts to write a frame whose payload is copied. */
enum err spool_mover_frame(struct spool *spool, struct spool_mover *mover,
                           enum spool_frame_type type, struct slice payload);

/* source.c: the frame that a place says, whole and checked (free()). The segment is
 * pinned by the caller. */
enum err spool_frame_read(struct spool *spool, const struct spool_segment *segment,
                          uint64_t offset, uint32_t length, char **out_payload);

/* keeper.c */
enum err spool_preparer_start(struct spool *spool);
void spool_preparer_stop(struct spool *spool);
enum err spool_keeper_start(struct spool *spool);
void spool_keeper_stop(struct spool *spool);

/* Takes every sealed segment that nobody needs out of the log. Keeper's thread. */
void spool_free_segments(struct spool *spool);
/* Keeps the file to be used again, or removes it. Takes the segment, which is in no
 * list and not in the map. */
void spool_segment_retire(struct spool *spool, struct spool_segment *segment);

/* checkpoint.c: writes one; the keeper's thread, or close's after it ended. */
enum err spool_checkpoint_write(struct spool *spool);
/* Takes the marks of all before off the entries. */
void spool_checkpoint_forget(struct spool *spool);
/* Keeps the room for the next one, as the index grows. Same threads. */
void spool_checkpoint_reserve(struct spool *spool);
/* Gives that room back to the disk; false: there was none. Same threads, and recovery. */
bool spool_checkpoint_give_reserve(struct spool *spool);
void spool_checkpoint_path(uint64_t number, bool temporary, char out[SPOOL_PATH_MAX]);

/* compact.c: one round, keeper's thread. */
void spool_compact(struct spool *spool);

/* recover.c: everything of open between the lock and the return. */
enum err spool_recover(struct spool *spool);

#endif
