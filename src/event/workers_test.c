/* workers_test.c: the pool runs everything once, elsewhere, and says so at home. */
#include "event/loop.h"
#include "event/workers.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { JOBS = 200 };

struct job {
    struct work work;
    pthread_t ran_on;
    int runs;
    struct loop *loop;
};

static int finished;

static void job_run(struct work *work)
{
    struct job *job = container_of(work, struct job, work);
    job->runs++;
    job->ran_on = pthread_self();
}

static void job_done(struct work *work)
{
    struct job *job = container_of(work, struct job, work);
    assert_int_equal(job->runs, 1);
    assert_false(pthread_equal(job->ran_on, pthread_self()));
    if (++finished == JOBS)
        loop_stop(job->loop);
}

static void every_job_runs_once_and_comes_home(void **state)
{
    (void)state;
    static struct job jobs[JOBS];
    struct loop *loop;
    struct workers *workers;
    assert_int_equal(loop_open(&loop), ERR_OK);
    assert_int_equal(workers_open(3, JOBS, &workers), ERR_OK);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){ .loop = loop, .work = { .home = loop_home(loop),
                                .run = job_run, .done = job_done } };
        assert_true(workers_submit(workers, &jobs[i].work));
    }
    loop_run(loop);
    assert_int_equal(finished, JOBS);
    workers_close(&workers);
    assert_null(workers);
    loop_close(&loop);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void wait_run(struct work *work)
{
    (void)work;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

static void wait_done(struct work *work)
{
    (void)work;
}

static void a_full_pool_refuses(void **state)
{
    (void)state;
    struct workers *workers;
    struct loop *loop;
    struct work works[8];
    assert_int_equal(loop_open_virtual((struct moment){ 1, 1 }, &loop), ERR_OK);
    assert_int_equal(workers_open(1, 3, &workers), ERR_OK);
    pthread_mutex_lock(&gate);
    int taken = 0;
    for (int i = 0; i < 8; i++) {
        works[i] = (struct work){ .home = loop_home(loop), .run = wait_run,
                                  .done = wait_done };
        taken += workers_submit(workers, &works[i]);
    }
    assert_true(taken == 3 || taken == 4); /* the thread may hold one already */
    pthread_mutex_unlock(&gate);
    workers_close(&workers);
    loop_close(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_runs_once_and_comes_home),
        cmocka_unit_test(a_full_pool_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
