/* task.h: work handed to another thread, and the place it runs.
 *
 * A task is embedded in what it is about; it stands in at most one home at a
 * time. A home runs its tasks one after another on one thread, in the order in
 * which each sender posted them. The event loop's mailbox is a home; so is the
 * fake of the tests. Interfaces of `mail/` name homes, never loops.
 */
#ifndef GODWIT_BASE_TASK_H
#define GODWIT_BASE_TASK_H

#include <stddef.h>

struct task {
    struct task *next;
    void (*run)(struct task *task); /* on the home's thread; may free the task */
};

struct home {
    /* Any thread. Takes the chain first..last (linked by next, last->next is
     * set here); never blocks, never fails. */
    void (*post)(struct home *home, struct task *first, struct task *last);
};

static inline void home_post(struct home *home, struct task *task)
{
    home->post(home, task, task);
}

#endif
