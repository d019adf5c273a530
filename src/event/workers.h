/* workers.h: a bounded pool of threads for what blocks: file syncs, password
 * hashes, key loading. Never for waiting on a peer. */
#ifndef GODWIT_EVENT_WORKERS_H
#define GODWIT_EVENT_WORKERS_H

#include "base/err.h"
#include "base/task.h"

#include <stdbool.h>

struct workers;

/* Embedded in what it is about; belongs to the pool from submit to done. */
struct work {
    struct task task;
    struct home *home;               /* where done() runs */
    void (*run)(struct work *work);  /* on a thread of the pool */
    void (*done)(struct work *work); /* on the home's thread */
};

enum err workers_open(unsigned threads, unsigned waiting_max, struct workers **out);

/* Finishes what was submitted, then ends the threads. NULL inside is allowed. */
void workers_close(struct workers **workers);

/* Any thread. False, and nothing happens, when too much is waiting already. */
bool workers_submit(struct workers *workers, struct work *work);

#endif
