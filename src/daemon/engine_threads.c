/* engine_threads.c: starting the threads, bringing them to rest, ending them. */
#include "daemon/engine_private.h"

#include "log/log.h"

#include <stdio.h>
#include <sysexits.h>

enum { POLL_MS = 10, SESSION_GRACE_MS = 5 * 1000 };

static void *loop_main(void *argument)
{
    struct engine_loop *l = argument;
    loop_run(l->loop);
    return NULL;
}

static int start_loop(struct engine_loop *l, const char *name)
{
    if (pthread_create(&l->thread, NULL, loop_main, l) != 0) {
        fprintf(stderr, "godwit: cannot start a thread\n");
        return EX_OSERR;
    }
    l->started = true;
    pthread_setname_np(l->thread, name);
    return 0;
}

static enum err store_update(struct queue_store *store, const struct spool_update *update)
{
    return spool_update(container_of(store, struct engine, store)->spool, update);
}

int engine_start(struct engine *e)
{
    e->store = (struct queue_store){
        .update = store_update, .intake = seal_intake(e->queue_loop.seal),
        .source = spool_source(e->spool),
    };
    /* On this thread, before the queue's own runs: nobody else is there yet. */
    queue_start(e->queue, &e->store, delivery_attempt(e->delivery));
    int code = start_loop(&e->queue_loop, "queue");
    for (uint32_t i = 0; code == 0 && i < e->loops_count; i++) {
        char name[16];
        snprintf(name, sizeof name, "loop-%u", i);
        code = start_loop(&e->loops[i], name);
    }
    if (code != 0)
        engine_stop(e);
    return code;
}

static void on_drained(struct task *task)
{
    struct engine_loop *l = container_of(task, struct engine_loop, drained);
    l->engine->draining--;
}

static bool is_at_rest(struct engine_loop *l)
{
    if (l == &l->engine->queue_loop)
        return queue_is_quiet(l->engine->queue) && pickup_is_quiet(l->engine->pickup);
    return session_host_count(l->host) == 0;
}

static void on_poll(struct timer *timer)
{
    struct engine_loop *l = container_of(timer, struct engine_loop, poll);
    if (!is_at_rest(l)) {
        timer_set(timer, POLL_MS);
        return;
    }
    l->drained.run = on_drained;
    home_post(&l->engine->main.home, &l->drained);
}

static void on_drain(struct task *task)
{
    struct engine_loop *l = container_of(task, struct engine_loop, drain);
    if (l == &l->engine->queue_loop) {
        queue_drain(l->engine->queue);
        pickup_drain(l->engine->pickup);
    } else {
        session_host_drain(l->host, SESSION_GRACE_MS);
    }
    timer_init(&l->poll, l->loop, on_poll);
    timer_set(&l->poll, 1);
}

static void on_stop(struct task *task)
{
    struct engine_loop *l = container_of(task, struct engine_loop, stop);
    timer_clear(&l->poll);
    loop_stop(l->loop);
}

static void post_to(struct engine_loop *l, struct task *task, void (*run)(struct task *))
{
    task->run = run;
    home_post(loop_home(l->loop), task);
}

void engine_drain(struct engine *e)
{
    e->draining = e->loops_count + 1;
    for (uint32_t i = 0; i < e->loops_count; i++)
        post_to(&e->loops[i], &e->loops[i].drain, on_drain);
    post_to(&e->queue_loop, &e->queue_loop.drain, on_drain);
    delivery_drain(e->delivery);
}

static void stop_loop(struct engine_loop *l)
{
    if (!l->started)
        return;
    post_to(l, &l->stop, on_stop);
    pthread_join(l->thread, NULL);
    l->started = false;
}

void engine_stop(struct engine *e)
{
    delivery_stop(e->delivery); /* its connections end on the loops, before they do */
    for (uint32_t i = 0; i < e->loops_count; i++)
        stop_loop(&e->loops[i]);
    stop_loop(&e->queue_loop); /* last: the others have told it what ended */
}
