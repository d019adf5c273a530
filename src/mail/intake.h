/* intake.h: where a message goes in. The spool is one, the sandbox another; the
 * signer is one around another.
 *
 *   begin -> write* (rewind -> write*)? -> commit | abort
 *
 * A writer belongs to the thread that began it; every call and every callback is
 * on that thread, whose home was given to begin. Nothing becomes visible to
 * anybody before commit has answered ERR_OK, and after that it is kept through
 * kill -9 and power loss (where the intake is durable).
 */
#ifndef GODWIT_MAIL_INTAKE_H
#define GODWIT_MAIL_INTAKE_H

#include "base/err.h"
#include "base/task.h"
#include "mail/envelope.h"
#include "mail/outcome.h"

struct intake;
struct intake_writer;

enum intake_flow {
    INTAKE_MORE,   /* taken, go on */
    INTAKE_WAIT,   /* taken, but write no more until resume() was called */
    INTAKE_FAILED, /* not taken: the reason comes with commit; go on draining */
};

struct intake_begin {
    struct home *home;              /* where the callbacks run */
    void (*resume)(void *context);  /* after INTAKE_WAIT: room again, or failed */
    void *context;
    uint64_t size_hint;             /* SIZE= of the client, 0 when not said; never
                                       allocated by */
    uint64_t session_id;            /* 0: from no session */
    bool is_ours;                   /* from who has logged in, from a trusted client, or
                                       of our own making: may bear our signature */
    bool is_report;                 /* of what became of another message: may use what
                                       is kept for a full disk; said again by the
                                       envelope */
};

/* What a commit says besides the content. Borrowed until commit returns. */
struct intake_commit {
    struct slice prefix;             /* header fields to stand before the content:
                                        whole lines with CRLF, at most 64 KiB; trace
                                        fields alone, for a signature covers none */
    const struct envelope *envelope; /* at least one recipient */
    int64_t received_wall_ms;
    int64_t not_before_wall_ms;      /* 0: at once */
    bool hold;
    const struct recipient_update *updates; /* of other messages, that become
                                               durable with this one: one batch */
    size_t updates_count;
    void (*done)(void *context, enum err result, struct mail_id id);
    void *context;
};

struct intake_ops {
    /* ERR_FULL: the budget or the disk is used up (452 4.3.1); ERR_CLOSED: going
     * down (421). *out_writer on ERR_OK only. */
    enum err (*begin)(struct intake *intake, const struct intake_begin *begin,
                      struct intake_writer **out_writer);
};

struct intake {
    const struct intake_ops *ops;
};

struct intake_writer_ops {
    /* Content bytes, as they are to be sent on: CRLF line ends, dots unstuffed. */
    enum intake_flow (*write)(struct intake_writer *writer, struct slice bytes);
    /* Forgets all that was written, keeps the id. */
    void (*rewind)(struct intake_writer *writer);
    /* Takes the writer (*writer becomes NULL); done() follows exactly once, later,
     * never from inside this call: ERR_OK means durable. ERR_FULL, ERR_IO and all
     * others mean: nothing kept, answer 4xx. */
    void (*commit)(struct intake_writer **writer, const struct intake_commit *commit);
    /* Forgets the message; takes the writer. NULL inside is allowed. */
    void (*abort)(struct intake_writer **writer);
};

struct intake_writer {
    const struct intake_writer_ops *ops;
    struct mail_id id;
};

static inline enum err intake_begin(struct intake *intake,
                                    const struct intake_begin *begin,
                                    struct intake_writer **out_writer)
{
    return intake->ops->begin(intake, begin, out_writer);
}

static inline enum intake_flow intake_write(struct intake_writer *writer,
                                            struct slice bytes)
{
    return writer->ops->write(writer, bytes);
}

static inline void intake_rewind(struct intake_writer *writer)
{
    writer->ops->rewind(writer);
}

static inline void intake_commit(struct intake_writer **writer,
                                 const struct intake_commit *commit)
{
    (*writer)->ops->commit(writer, commit);
}

static inline void intake_abort(struct intake_writer **writer)
{
    if (*writer != NULL)
        (*writer)->ops->abort(writer);
}

#endif
