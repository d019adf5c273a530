/* spool.h: the durable store of messages and of what became of each recipient.
 *
 * One append-only log of frames holds bodies, commits and outcomes; one thread
 * writes it in groups, each made durable by one sync, and only then tells those
 * who wait. docs/SPOOL.md states the states, the transitions and what recovery
 * does for each; ARCHITECTURE ("what a 250 means") the promise.
 *
 * Messages come in through spool_intake(), are read back through spool_source(),
 * and change only by spool_update() and by the updates of a commit. A message is
 * gone when its last recipient has a final state on disk.
 *
 * Threads: every function may be called on any thread, except where it says
 * otherwise; an intake writer and a view belong to one thread at a time.
 */
#ifndef GODWIT_SPOOL_SPOOL_H
#define GODWIT_SPOOL_SPOOL_H

#include "base/err.h"
#include "base/task.h"
#include "mail/intake.h"
#include "mail/source.h"
#include "spool/spool_fs.h"

struct spool;

/* One recipient of an arrival. The slices live as long as the arrival. */
struct spool_recipient {
    struct slice address;
    uint8_t notify;            /* DSN_NOTIFY_* */
    bool forwarded;            /* as in the envelope */
    enum recipient_state state;
    uint16_t attempts;
    uint16_t code;             /* of the last reply, 0 for none */
    struct smtp_status status;
    int64_t next_due_wall_ms;
    struct slice reason;       /* of the last attempt, or empty */
    bool told;                 /* the sender knows that it is delayed */
};

/* A message that is durable now. One block of memory: whoever is given one frees
 * it with spool_arrival_free(). */
struct spool_arrival {
    struct task task;
    struct spool_sink *sink;
    struct mail_id id;
    int64_t received_wall_ms;
    int8_t priority;           /* as in the envelope, as the next three */
    int64_t deliver_by_wall_ms;
    bool by_returns;
    bool by_traces;
    int64_t not_before_wall_ms; /* when its time begins; 0: as it was received */
    uint64_t content_size;     /* without the prefix */
    bool is_report;
    struct slice sender;
    size_t recipients_count;   /* all of the envelope, in its order, ended ones too */
    struct spool_recipient recipients[];
};

void spool_arrival_free(struct spool_arrival *arrival);

/* Who takes the messages over: the queue. */
struct spool_sink {
    struct home *home;
    /* For a new message: on `home`, after it is durable. For a message found by
     * recovery: on the thread in spool_open(), before that returns. Takes the
     * arrival. */
    void (*arrived)(struct spool_sink *sink, struct spool_arrival *arrival);
    /* Asked by a commit on the session's thread: room for so many recipients?
     * False answers the commit with ERR_FULL. Recovered messages are not asked
     * for. NULL: always. */
    bool (*reserve)(struct spool_sink *sink, size_t recipients);
    /* A commit that had reserved has failed. Any thread. */
    void (*release)(struct spool_sink *sink, size_t recipients);
};

/* What the spool has to say to the operator. Any thread; must not call back. */
struct spool_watcher {
    /* Once, when nothing can be promised any more (a write or sync failed): from
     * then on everything is answered ERR_IO; the process should end and recover. */
    void (*failed)(struct spool_watcher *watcher, enum err error);
    /* Something was lost, put aside or could not be done; one line of text. */
    void (*problem)(struct spool_watcher *watcher, struct slice text);
};

/* 0 stands for the default. */
struct spool_limits {
    uint64_t segment_bytes;       /* 16 MiB; on a disk below 512 MiB a 32nd of it, but
                                     256 KiB; a multiple of 4 KiB, 64 KiB at least */
    uint64_t chunk_bytes;         /* 64 KiB: the most of one body held in memory */
    uint64_t large_bytes;         /* 1 MiB, or half a segment: a body beyond goes on in a
                                     file */
    uint64_t message_bytes;       /* 64 MiB: the largest content */
    uint64_t budget_soft_bytes;   /* 64 MiB: bodies in memory; over it INTAKE_WAIT */
    uint64_t budget_hard_bytes;   /* 128 MiB: over it begin is ERR_FULL */
    uint64_t checkpoint_bytes;    /* 4 segments: log between two checkpoints, at least */
    uint64_t compact_floor_bytes; /* 16 segments: below, sparse ones are left alone */
    uint64_t notes_bytes;         /* 16 MiB: keys and values of all notes */
};

struct spool_options {
    struct spool_fs *fs;           /* lives longer than the spool */
    struct spool_sink *sink;       /* likewise */
    struct spool_watcher *watcher; /* likewise, or NULL */
    struct spool_limits limits;
};

/* Recovers what is there and hands every live message to the sink, then returns.
 * ERR_BUSY: another process has it open. ERR_VERSION: a newer format. ERR_DENIED:
 * the folder belongs to somebody else. ERR_INVALID: limits that cannot be.
 * ERR_FULL, ERR_IO, ERR_MEMORY, ERR_DESCRIPTORS, ERR_CORRUPT (nothing usable in
 * the file `format`). Blocks on the disk. */
enum err spool_open(const struct spool_options *options, struct spool **out_spool);

/* Ends all threads after everything queued is on disk, and writes a checkpoint.
 * Every writer must have ended before (spool_stats.writers is 0) and every view
 * must be closed. *spool becomes NULL; NULL inside is allowed. Blocks. */
void spool_close(struct spool **spool);

/* begin() is ERR_FULL, ERR_CLOSED, ERR_IO (failed) or ERR_MEMORY. */
struct intake *spool_intake(struct spool *spool);
struct message_source *spool_source(struct spool *spool);

/* Makes the updates durable as one batch, all or none. done(), unless NULL, runs
 * once on `home`, never from inside the call: ERR_OK means durable. The updates
 * are borrowed until the call returns; those of unknown messages or recipients are
 * ignored. Anything but ERR_OK returned: nothing was queued, no done(). May use the
 * reserve of a full disk; done(ERR_FULL) when that is used up too: nothing was kept,
 * ask again later. */
struct spool_update {
    const struct recipient_update *updates;
    size_t count;                 /* 1 to SPOOL_UPDATES_MAX */
    struct home *home;
    void (*done)(void *context, enum err result);
    void *context;
};
enum { SPOOL_UPDATES_MAX = 4096 };

enum err spool_update(struct spool *spool, const struct spool_update *update);

/* A small durable map for the one who schedules. Both are copied; an empty value
 * takes the key away. Durable with the next group; no answer. ERR_INVALID: a key of
 * 0 or more than 255 bytes, a value of more than SPOOL_NOTE_MAX. ERR_FULL: more
 * notes than allowed. */
enum { SPOOL_NOTE_KEY_MAX = 255, SPOOL_NOTE_MAX = 16384 };
enum err spool_note_set(struct spool *spool, struct slice key, struct slice value);

/* Every note, in no order, under the spool's lock: `each` must not call back. */
void spool_notes_each(struct spool *spool,
                      void (*each)(void *context, struct slice key, struct slice value),
                      void *context);

struct spool_stats {
    uint64_t messages;
    uint64_t recipients_live;
    uint64_t live_bytes;       /* of the log that live messages need */
    uint64_t segments;         /* files of the log that are in use */
    uint64_t segments_ready;   /* prepared, the reserve among them */
    uint64_t budget_bytes;     /* bodies in memory */
    uint64_t writers;          /* intake writers that have not ended */
    uint64_t groups;           /* writes of the log since the start */
    uint64_t syncs;
    uint64_t checkpoints;
    uint64_t moved;            /* messages moved by compaction */
    bool is_full;              /* only the reserve is left */
    bool is_failed;
};
struct spool_stats spool_stats(struct spool *spool);

#endif
