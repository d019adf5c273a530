/* mailbox.h: tasks from other threads, run in order on the thread of a loop, or on
 * any thread that waits on it with mailbox_wait().
 *
 * Posting is lock-free and wakes the receiver only when the mailbox was empty, so
 * that under load a whole batch costs one wake.
 */
#ifndef GODWIT_EVENT_MAILBOX_H
#define GODWIT_EVENT_MAILBOX_H

#include "base/err.h"
#include "base/task.h"

#include <stdatomic.h>
#include <stdbool.h>

struct mailbox {
    struct home home;
    _Atomic(struct task *) newest;
    int descriptor; /* an eventfd, or -1 */
};

/* With a descriptor: readable when there is mail. ERR_DESCRIPTORS or ERR_IO. */
enum err mailbox_open(struct mailbox *mailbox, bool with_descriptor);

/* What was posted and not run is dropped: its owners outlive the mailbox. */
void mailbox_close(struct mailbox *mailbox);

/* The receiver's thread: runs all that is there. False when there was nothing. */
bool mailbox_run(struct mailbox *mailbox);

/* The receiver's thread, without a loop: waits until there is mail or `wait_ms`
 * have passed (-1: no limit), then runs what is there. */
bool mailbox_wait(struct mailbox *mailbox, int wait_ms);

#endif
