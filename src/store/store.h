/* store.h: tables that outlive a start: one SQLite file, one thread.
 *
 * What is kept here may be lost without a message being lost: mail itself is the spool's.
 * Each module brings tables of its own, with their history; the store knows none of them. A
 * job is a function that is run on the store's thread, reads or writes with statements of
 * its own, and is answered at its home. All that waits shares one transaction; a job that
 * fails is undone alone.
 *
 *     static bool run(struct store_job *job, struct store *store) {
 *         sqlite3_stmt *add = store_statement(store, "INSERT INTO seen VALUES (?1)");
 *         ...
 *     }
 *     store_post(store, &seen->job);
 *
 * A file that is damaged is set aside and a new one begun, at the start or as soon as a job meets
 * the damage, with which its batch fails: mail goes on. While the disk is
 * full, or the file has all it may have, jobs fail, and nothing else does. WAL; a durable job is
 * synced before it is answered.
 */
#ifndef GODWIT_STORE_STORE_H
#define GODWIT_STORE_STORE_H

#include "base/err.h"
#include "base/task.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct store;

/* The tables of a module. A file of version N has seen the first N steps; each is SQL, run
 * once, and never changed after it was released. */
struct store_module {
    const char *name;           /* static; of letters */
    const char *const *steps;   /* NULL ends them */
};

/* Told on the store's thread, or in store_open(): something for the log; borrowed. */
struct store_watcher {
    void (*problem)(struct store_watcher *watcher, const char *text);
};

struct store_options {
    const char *path;           /* of the file; its folder exists */
    const struct store_module *const *modules; /* NULL ends them; outlive the store */
    struct store_watcher *watcher;
    uint32_t waiting_max;       /* jobs; 0: 10,000 */
    uint64_t bytes_max;         /* of the file; 0: 1 GiB */
};

struct store_job {
    struct task task;           /* the store's, then done()'s */
    struct home *home;
    /* On the store's thread; false: it failed, what it wrote is undone. SQLite's own error
     * is kept for `result`. */
    bool (*run)(struct store_job *job, struct store *store);
    /* At home, once; NULL: nobody waits, and the job may free itself in forget(). */
    void (*done)(struct store_job *job);
    /* On the store's thread, in place of done(). */
    void (*forget)(struct store_job *job);
    bool is_durable;            /* synced to the disk before done() */
    enum err result;            /* ERR_OK; ERR_FULL: the disk; ERR_CORRUPT; ERR_IO;
                                   ERR_CLOSED: it was never run */
};

/* Opens or makes the file, and brings its tables up to date. ERR_VERSION: it was written by
 * a newer godwit; ERR_FULL, ERR_IO, ERR_DENIED, ERR_MEMORY. */
enum err store_open(const struct store_options *options, struct store **out);

/* Runs what waits, then ends the thread. NULL inside is allowed. */
void store_close(struct store **store);

/* Any thread. False: too many wait, or it is closing: the job is the caller's still. */
bool store_post(struct store *store, struct store_job *job);

/* How many jobs were turned away since the start. */
uint64_t store_turned_away(const struct store *store);

/* In run(): the statement for this text, which is static: reset, without bindings, made once.
 * NULL: it cannot be made. */
sqlite3_stmt *store_statement(struct store *store, const char *sql);

/* In run(): runs a statement that answers nothing. */
bool store_step(sqlite3_stmt *statement);

/* In run(), for the last insertion. */
int64_t store_last_id(const struct store *store);

#endif
