/* loop.h: one thread's event loop.
 *
 * A loop belongs to the thread that runs it; all functions here are for that thread
 * but where they say otherwise. Time stands still during one turn: loop_now() is
 * what the clocks said at its start. A virtual loop has no descriptors and no
 * clock: it jumps from timer to timer, so that four days of retries run in a
 * millisecond, with the same code on top.
 */
#ifndef GODWIT_EVENT_LOOP_H
#define GODWIT_EVENT_LOOP_H

#include "base/err.h"
#include "base/list.h"
#include "base/moment.h"
#include "base/task.h"

struct loop;

/* ERR_MEMORY, ERR_DESCRIPTORS or ERR_IO. The caller closes it. */
enum err loop_open(struct loop **out_loop);

/* A loop in virtual time that begins at `start`. */
enum err loop_open_virtual(struct moment start, struct loop **out_loop);

/* After its thread has left loop_run(); runs what was deferred. NULL is allowed. */
void loop_close(struct loop **loop);

/* Runs until loop_stop(). */
void loop_run(struct loop *loop);

/* From inside a callback: loop_run() returns at the end of this turn. */
void loop_stop(struct loop *loop);

/* Virtual loops only: runs everything due up to `until_mono_ms`, or until nothing
 * is left to do. Returns true while timers remain. */
bool loop_run_virtual(struct loop *loop, int64_t until_mono_ms);

struct moment loop_now(const struct loop *loop);

/* The loop's mailbox: tasks posted to it, from any thread, run on the loop. */
struct home *loop_home(struct loop *loop);

/* A piece of work for the end of the turn, when no callback of the object is on the
 * stack any more: the way to free what an event arrived for. */
struct deferred {
    struct list_node node;
    void (*run)(struct deferred *deferred);
};

/* Nothing happens when it is deferred already. */
void loop_defer(struct loop *loop, struct deferred *deferred);

/* Something to be ended with the loop, because nobody else knows of it any more. */
struct loop_end {
    struct list_node node;
    void (*run)(struct loop_end *end); /* from loop_close() */
};

/* Unlink it with list_remove() when it ends by itself. */
void loop_at_close(struct loop *loop, struct loop_end *end);

/* Memory of this loop that a callback may use until it returns: every connection
 * reads into it, so that an idle one holds no buffer. */
enum { LOOP_SCRATCH_BYTES = 128 * 1024 };
char *loop_scratch(struct loop *loop);

#endif
