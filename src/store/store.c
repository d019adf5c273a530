/* store.c: the thread, and the jobs that wait for it.
 *
 * It takes all that waits at once. A job runs between savepoints, so that one that fails is
 * undone alone; the commit at the end is everybody's, and so is its failure.
 */
#include "store/store_private.h"

#include "base/list.h"
#include "base/must.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 10000, BATCH_MAX = 1000 };

static struct store_job *job_of(struct task *task)
{
    return container_of(task, struct store_job, task);
}

/* ---- in a job ---- */

sqlite3_stmt *store_statement(struct store *store, const char *sql)
{
    for (size_t i = 0; i < store->statements_count; i++) {
        struct kept_statement *kept = &store->statements[i];
        if (kept->sql == sql) {
            sqlite3_reset(kept->statement);
            sqlite3_clear_bindings(kept->statement);
            return kept->statement;
        }
    }
    must(store->statements_count < STATEMENTS_MAX);
    sqlite3_stmt *made = NULL;
    if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, NULL) !=
        SQLITE_OK)
        return NULL;
    store->statements[store->statements_count++] = (struct kept_statement){ sql, made };
    return made;
}

bool store_step(sqlite3_stmt *statement)
{
    return statement != NULL && sqlite3_step(statement) == SQLITE_DONE;
}

int64_t store_last_id(const struct store *store)
{
    return sqlite3_last_insert_rowid(store->db);
}

/* ---- a batch ---- */

static void reset_statements(struct store *store)
{
    for (size_t i = 0; i < store->statements_count; i++)
        sqlite3_reset(store->statements[i].statement);
}

static void run_one(struct store *store, struct store_job *job)
{
    if (!store_exec(store, "SAVEPOINT job")) {
        job->result = store_error(sqlite3_errcode(store->db));
        return;
    }
    bool good = job->run(job, store);
    int code = sqlite3_errcode(store->db);
    reset_statements(store);
    job->result = ERR_OK;
    if (!good) {
        enum err error = store_error(code);
        job->result = error == ERR_OK ? ERR_INVALID : error;
        store_exec(store, "ROLLBACK TO job");
    }
    store_exec(store, "RELEASE job");
}

static bool any_durable(struct task *batch)
{
    for (struct task *t = batch; t != NULL; t = t->next)
        if (job_of(t)->is_durable)
            return true;
    return false;
}

/* The results of a batch whose commit failed are all of that kind. */
static void fail_all(struct task *batch, enum err error)
{
    for (struct task *t = batch; t != NULL; t = t->next)
        if (job_of(t)->result == ERR_OK)
            job_of(t)->result = error;
}

static void run_batch(struct store *store, struct task *batch)
{
    bool is_durable = any_durable(batch);
    if (is_durable)
        store_exec(store, "PRAGMA synchronous = FULL");
    if (store_exec(store, "BEGIN IMMEDIATE")) {
        for (struct task *t = batch; t != NULL; t = t->next)
            run_one(store, job_of(t));
        if (!store_exec(store, "COMMIT")) {
            fail_all(batch, store_error(sqlite3_errcode(store->db)));
            store_exec(store, "ROLLBACK");
        }
    } else {
        fail_all(batch, store_error(sqlite3_errcode(store->db)));
    }
    if (is_durable)
        store_exec(store, "PRAGMA synchronous = NORMAL");
}

static bool met_damage(struct task *batch)
{
    for (struct task *t = batch; t != NULL; t = t->next)
        if (job_of(t)->result == ERR_CORRUPT)
            return true;
    return false;
}

static void run_done(struct task *task)
{
    struct store_job *job = job_of(task);
    job->done(job);
}

static void answer(struct task *batch)
{
    while (batch != NULL) {
        struct task *next = batch->next;
        struct store_job *job = job_of(batch);
        if (job->done != NULL) {
            job->task.run = run_done;
            home_post(job->home, &job->task);
        } else if (job->forget != NULL) {
            job->forget(job);
        }
        batch = next;
    }
}

/* ---- the thread ---- */

/* What waits, at most BATCH_MAX of it; NULL when it is time to end. */
static struct task *take_batch(struct store *store)
{
    pthread_mutex_lock(&store->mutex);
    while (store->first == NULL && !store->closing)
        pthread_cond_wait(&store->wake, &store->mutex);
    struct task *batch = store->first, *last = batch;
    uint32_t count = batch == NULL ? 0 : 1;
    while (last != NULL && last->next != NULL && count < BATCH_MAX) {
        last = last->next;
        count++;
    }
    if (last != NULL) {
        store->first = last->next;
        last->next = NULL;
    }
    if (store->first == NULL)
        store->last = NULL;
    store->waiting -= count;
    pthread_mutex_unlock(&store->mutex);
    return batch;
}

static void *run_thread(void *argument)
{
    struct store *store = argument;
    struct task *batch;
    while ((batch = take_batch(store)) != NULL) {
        for (struct task *t = batch; t != NULL; t = t->next)
            job_of(t)->result = ERR_OK;
        run_batch(store, batch);
        if (met_damage(batch)) {
            fail_all(batch, ERR_CORRUPT); /* what they wrote goes with the file */
            store_file_renew(store);
        }
        answer(batch);
    }
    return NULL;
}

bool store_post(struct store *store, struct store_job *job)
{
    pthread_mutex_lock(&store->mutex);
    bool good = !store->closing && store->waiting < store->options.waiting_max;
    if (good) {
        job->task.next = NULL;
        if (store->last == NULL)
            store->first = &job->task;
        else
            store->last->next = &job->task;
        store->last = &job->task;
        store->waiting++;
        pthread_cond_signal(&store->wake);
    }
    pthread_mutex_unlock(&store->mutex);
    if (!good)
        atomic_fetch_add(&store->turned_away, 1);
    return good;
}

uint64_t store_turned_away(const struct store *store)
{
    return atomic_load(&store->turned_away);
}

static bool start_thread(struct store *store)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    store->started = pthread_create(&store->thread, NULL, run_thread, store) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return store->started;
}

enum err store_open(const struct store_options *options, struct store **out)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return ERR_MEMORY;
    store->options = *options;
    if (store->options.waiting_max == 0)
        store->options.waiting_max = WAITING_MAX;
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->wake, NULL);
    store->path = strdup(options->path);
    enum err error = store->path == NULL ? ERR_MEMORY : store_file_open(store);
    if (error == ERR_OK && !start_thread(store))
        error = ERR_MEMORY;
    if (error == ERR_OK)
        *out = store;
    else
        store_close(&store);
    return error;
}

void store_close(struct store **place)
{
    struct store *store = *place;
    *place = NULL;
    if (store == NULL)
        return;
    if (store->started) {
        pthread_mutex_lock(&store->mutex);
        store->closing = true;
        pthread_cond_signal(&store->wake);
        pthread_mutex_unlock(&store->mutex);
        pthread_join(store->thread, NULL);
    }
    store_file_close(store);
    pthread_cond_destroy(&store->wake);
    pthread_mutex_destroy(&store->mutex);
    free(store->path);
    free(store);
}
