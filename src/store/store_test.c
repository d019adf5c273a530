/* store_test.c: jobs, batches, versions, a damaged file, a full disk. */
#include "store/store_private.h"

#include "base/fake_folder.h"
#include "base/list.h"
#include "base/must.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A home whose tasks the test runs itself. */
struct fake_home {
    struct home home;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct task *first;
    unsigned count;
};

static void fake_post(struct home *home, struct task *first, struct task *last)
{
    struct fake_home *h = container_of(home, struct fake_home, home);
    pthread_mutex_lock(&h->mutex);
    last->next = h->first;
    h->first = first;
    h->count++;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->mutex);
}

struct scene {
    char path[1024];
    struct fake_home home;
    struct store_watcher watcher;
    struct store *store;
    char problems[2048];
};

static void note_problem(struct store_watcher *watcher, const char *text)
{
    struct scene *s = container_of(watcher, struct scene, watcher);
    strncat(s->problems, text, sizeof s->problems - strlen(s->problems) - 1);
}

static const char *const first_steps[] = {
    "CREATE TABLE numbers (n INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT", NULL,
};
static const char *const more_steps[] = {
    "CREATE TABLE numbers (n INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT",
    "ALTER TABLE numbers ADD COLUMN more INTEGER NOT NULL DEFAULT 7", NULL,
};
static const struct store_module first = { "numbers", first_steps };
static const struct store_module grown = { "numbers", more_steps };
static const struct store_module *const modules[] = { &first, NULL };
static const struct store_module *const grown_modules[] = { &grown, NULL };

static enum err open_store(struct scene *s, const struct store_module *const *with,
                           uint32_t waiting_max)
{
    struct store_options options = { .path = s->path, .modules = with,
                                     .watcher = &s->watcher, .waiting_max = waiting_max };
    return store_open(&options, &s->store);
}

static int begin(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    must(fake_folder_make(NULL) == 0);
    snprintf(s->path, sizeof s->path, "%s", fake_folder_at("store.db"));
    s->home.home.post = fake_post;
    pthread_mutex_init(&s->home.mutex, NULL);
    pthread_cond_init(&s->home.wake, NULL);
    s->watcher.problem = note_problem;
    *state = s;
    return open_store(s, modules, 0) == ERR_OK ? 0 : 1;
}

static int end(void **state)
{
    struct scene *s = *state;
    store_close(&s->store);
    free(s);
    return fake_folder_remove(NULL);
}

struct number {
    struct store_job job;
    int64_t n;
    const char *text;
    int64_t found;
    bool was_done;
};

static bool run_add(struct store_job *job, struct store *store)
{
    struct number *x = container_of(job, struct number, job);
    sqlite3_stmt *add = store_statement(store, "INSERT INTO numbers (n, text) VALUES (?1, ?2)");
    sqlite3_bind_int64(add, 1, x->n);
    sqlite3_bind_text(add, 2, x->text, -1, SQLITE_STATIC);
    return store_step(add);
}

static bool run_count(struct store_job *job, struct store *store)
{
    struct number *x = container_of(job, struct number, job);
    sqlite3_stmt *count = store_statement(store, "SELECT count(*) FROM numbers");
    if (count == NULL || sqlite3_step(count) != SQLITE_ROW)
        return false;
    x->found = sqlite3_column_int64(count, 0);
    return true;
}

static void on_done(struct store_job *job)
{
    container_of(job, struct number, job)->was_done = true;
}

static struct number make(struct scene *s, int64_t n, const char *text)
{
    return (struct number){ .n = n, .text = text,
                            .job = { .home = &s->home.home, .run = run_add, .done = on_done } };
}

/* Runs what was answered, until so many jobs were. */
static void wait_for(struct scene *s, unsigned count)
{
    pthread_mutex_lock(&s->home.mutex);
    while (s->home.count < count)
        pthread_cond_wait(&s->home.wake, &s->home.mutex);
    struct task *task = s->home.first;
    s->home.first = NULL;
    s->home.count = 0;
    pthread_mutex_unlock(&s->home.mutex);
    while (task != NULL) {
        struct task *next = task->next;
        task->run(task);
        task = next;
    }
}

static int64_t count_rows(struct scene *s)
{
    struct number x = make(s, 0, "");
    x.job.run = run_count;
    must(store_post(s->store, &x.job));
    wait_for(s, 1);
    must(x.was_done && x.job.result == ERR_OK);
    return x.found;
}

static void what_is_written_is_there_after_a_start(void **state)
{
    struct scene *s = *state;
    struct number one = make(s, 1, "one"), two = make(s, 2, "two");
    two.job.is_durable = true;
    assert_true(store_post(s->store, &one.job));
    assert_true(store_post(s->store, &two.job));
    wait_for(s, 2);
    assert_int_equal(one.job.result, ERR_OK);
    assert_int_equal(two.job.result, ERR_OK);
    store_close(&s->store);
    assert_int_equal(open_store(s, modules, 0), ERR_OK);
    assert_int_equal(count_rows(s), 2);
}

static void a_job_that_fails_is_undone_alone(void **state)
{
    struct scene *s = *state;
    struct number all[] = { make(s, 1, "one"), make(s, 1, "again"), make(s, 3, "three") };
    for (size_t i = 0; i < 3; i++)
        assert_true(store_post(s->store, &all[i].job));
    wait_for(s, 3);
    assert_int_equal(all[0].job.result, ERR_OK);
    assert_int_not_equal(all[1].job.result, ERR_OK);
    assert_int_equal(all[2].job.result, ERR_OK);
    assert_int_equal(count_rows(s), 2);
}

static void tables_grow_and_never_shrink(void **state)
{
    struct scene *s = *state;
    struct number one = make(s, 1, "one");
    assert_true(store_post(s->store, &one.job));
    wait_for(s, 1);
    store_close(&s->store);
    assert_int_equal(open_store(s, grown_modules, 0), ERR_OK);
    assert_int_equal(count_rows(s), 1);
    store_close(&s->store);
    assert_int_equal(open_store(s, modules, 0), ERR_VERSION);
    assert_null(s->store);
    assert_int_equal(open_store(s, grown_modules, 0), ERR_OK);
}

static void a_damaged_file_is_set_aside(void **state)
{
    static const char noise[] = "this is no database at all, however long it may be ........";
    struct scene *s = *state;
    for (int i = 1; i <= 2; i++) {
        store_close(&s->store);
        FILE *f = fopen(s->path, "wb");
        for (int n = 0; n < 200; n++)
            fwrite(noise, 1, sizeof noise, f);
        fclose(f);
        assert_int_equal(open_store(s, modules, 0), ERR_OK);
        assert_int_equal(count_rows(s), 0);
    }
    assert_non_null(strstr(s->problems, "store.db.damaged-1"));
    assert_non_null(strstr(s->problems, "store.db.damaged-2"));
}

static bool run_add_many(struct store_job *job, struct store *store)
{
    (void)job;
    return store_exec(store, "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c"
                             " WHERE n < 5000) INSERT INTO numbers SELECT n, 'number' FROM c");
}

/* The first pages are whole, so that it opens; who reads further meets the damage. */
static void a_file_damaged_within_is_set_aside(void **state)
{
    struct scene *s = *state;
    struct number many = make(s, 0, ""), reads = make(s, 0, "");
    many.job.run = run_add_many;
    reads.job.run = run_count;
    assert_true(store_post(s->store, &many.job));
    wait_for(s, 1);
    assert_int_equal(many.job.result, ERR_OK);
    store_close(&s->store);
    FILE *f = fopen(s->path, "r+b");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    assert_true(size > 10 * 4096);
    fseek(f, 5 * 4096, SEEK_SET);
    for (long at = 5 * 4096; at < size; at++)
        fputc('x', f);
    fclose(f);
    assert_int_equal(open_store(s, modules, 0), ERR_OK);
    assert_string_equal(s->problems, "");
    assert_true(store_post(s->store, &reads.job));
    wait_for(s, 1);
    assert_int_equal(reads.job.result, ERR_CORRUPT);
    assert_non_null(strstr(s->problems, "store.db.damaged-1"));
    assert_int_equal(count_rows(s), 0);
    store_close(&s->store);
    assert_int_equal(open_store(s, modules, 0), ERR_OK);
    assert_int_equal(count_rows(s), 0);
}

/* A job that says that it is run, and then waits. */
struct slow {
    struct number number;
    sem_t begun;
    sem_t may_end;
};

static bool run_slowly(struct store_job *job, struct store *store)
{
    struct slow *slow = container_of(job, struct slow, number.job);
    (void)store;
    sem_post(&slow->begun);
    while (sem_wait(&slow->may_end) != 0)
        ;
    return true;
}

static void too_many_are_turned_away(void **state)
{
    struct scene *s = *state;
    struct slow slow = { .number = make(s, 0, "") };
    struct number all[5];
    unsigned taken = 0;
    store_close(&s->store);
    must(open_store(s, modules, 3) == ERR_OK);
    sem_init(&slow.begun, 0, 0);
    sem_init(&slow.may_end, 0, 0);
    slow.number.job.run = run_slowly;
    must(store_post(s->store, &slow.number.job));
    while (sem_wait(&slow.begun) != 0)
        ;
    for (size_t i = 0; i < 5; i++) {
        all[i] = make(s, (int64_t)i + 1, "n");
        taken += store_post(s->store, &all[i].job);
    }
    uint64_t turned_away = store_turned_away(s->store);
    sem_post(&slow.may_end);
    wait_for(s, taken + 1);
    assert_int_equal(taken, 3);
    assert_int_equal(turned_away, 2);
    assert_int_equal(count_rows(s), 3);
}

static void a_close_runs_what_waits(void **state)
{
    struct scene *s = *state;
    static struct number all[1500];
    for (size_t i = 0; i < 1500; i++) {
        all[i] = make(s, (int64_t)i, "n");
        assert_true(store_post(s->store, &all[i].job));
    }
    store_close(&s->store);
    wait_for(s, 1500);
    for (size_t i = 0; i < 1500; i++)
        assert_true(all[i].was_done && all[i].job.result == ERR_OK);
    assert_int_equal(open_store(s, modules, 0), ERR_OK);
    assert_int_equal(count_rows(s), 1500);
}

static bool run_limit(struct store_job *job, struct store *store)
{
    (void)job;
    return store_exec(store, "PRAGMA max_page_count = 1"); /* at least what there is */
}

static void a_full_disk_fails_jobs_alone(void **state)
{
    static char large[100000];
    struct scene *s = *state;
    struct number limit = make(s, 0, ""), big = make(s, 1, large), small = make(s, 2, "s");
    memset(large, 'x', sizeof large - 1);
    limit.job.run = run_limit;
    assert_true(store_post(s->store, &limit.job));
    assert_true(store_post(s->store, &big.job));
    wait_for(s, 2);
    assert_int_equal(big.job.result, ERR_FULL);
    assert_true(store_post(s->store, &small.job));
    wait_for(s, 1);
    assert_int_equal(small.job.result, ERR_OK);
    assert_int_equal(count_rows(s), 1);
}

/* SQLite's temporary files have names of their own. */
static bool has_temporary_file(void)
{
    char path[300], name[300];
    bool found = false;
    DIR *d = opendir("/proc/self/fd");
    struct dirent *entry;
    while ((entry = readdir(d)) != NULL) {
        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        ssize_t len = readlink(path, name, sizeof name - 1);
        name[len > 0 ? len : 0] = '\0';
        found |= strstr(name, "etilqs") != NULL;
    }
    closedir(d);
    return found;
}

static bool run_fill(struct store_job *job, struct store *store)
{
    (void)job;
    return store_step(store_statement(store,
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 20000)"
        " INSERT INTO numbers (n, text) SELECT n, hex(zeroblob(100)) FROM c"));
}

static bool run_change_all(struct store_job *job, struct store *store)
{
    struct number *x = container_of(job, struct number, job);
    bool good = store_step(store_statement(store, "UPDATE numbers SET text = text || 'x'"));
    x->found = has_temporary_file();
    return good;
}

/* Were there one, the job would fail where nothing but the data folder may be written. */
static void a_large_job_needs_no_temporary_file(void **state)
{
    struct scene *s = *state;
    struct number fill = { .job = { .home = &s->home.home, .run = run_fill, .done = on_done } };
    struct number change = { .job = { .home = &s->home.home, .run = run_change_all,
                                      .done = on_done } };
    assert_true(store_post(s->store, &fill.job));
    wait_for(s, 1);
    assert_true(store_post(s->store, &change.job));
    wait_for(s, 1);
    assert_int_equal(fill.job.result, ERR_OK);
    assert_int_equal(change.job.result, ERR_OK);
    assert_int_equal(change.found, false);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_there_after_a_start),
        TEST(a_job_that_fails_is_undone_alone),
        TEST(tables_grow_and_never_shrink),
        TEST(a_damaged_file_is_set_aside),
        TEST(a_file_damaged_within_is_set_aside),
        TEST(too_many_are_turned_away),
        TEST(a_close_runs_what_waits),
        TEST(a_full_disk_fails_jobs_alone),
        TEST(a_large_job_needs_no_temporary_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
