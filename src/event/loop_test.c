/* loop_test.c: timers, mailboxes and deferred work, in real and virtual time. */
#include "event/loop.h"
#include "event/timer.h"
#include "event/watch.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char trail[64];

static void note(char what)
{
    size_t len = strlen(trail);
    assert_true(len + 1 < sizeof trail);
    trail[len] = what;
}

struct noter {
    struct timer timer;
    char name;
    int64_t ran_at;
};

static void noter_run(struct timer *timer)
{
    struct noter *n = container_of(timer, struct noter, timer);
    n->ran_at = loop_now(timer->loop).mono_ms;
    note(n->name);
}

static void virtual_time_jumps_in_order(void **state)
{
    (void)state;
    memset(trail, 0, sizeof trail);
    struct loop *loop;
    struct moment start = { .mono_ms = 1000, .wall_ms = 5000000 };
    assert_int_equal(loop_open_virtual(start, &loop), ERR_OK);
    struct noter a = { .name = 'a' };
    struct noter b = { .name = 'b' };
    struct noter c = { .name = 'c' };
    timer_init(&a.timer, loop, noter_run);
    timer_init(&b.timer, loop, noter_run);
    timer_init(&c.timer, loop, noter_run);
    timer_set(&a.timer, 2 * DAY_MS);
    timer_set(&b.timer, HOUR_MS);
    timer_set(&c.timer, MINUTE_MS);
    timer_set(&c.timer, 3 * HOUR_MS); /* pushed later */
    assert_true(loop_run_virtual(loop, 1000 + DAY_MS));
    assert_string_equal(trail, "bc");
    assert_int_equal(c.ran_at, 1000 + 3 * HOUR_MS);
    timer_set(&a.timer, 1); /* pulled earlier */
    assert_false(loop_run_virtual(loop, 1000 + 9 * DAY_MS));
    assert_string_equal(trail, "bca");
    assert_int_equal(loop_now(loop).mono_ms, 1000 + 9 * DAY_MS);
    assert_int_equal(loop_now(loop).wall_ms, 5000000 + 9 * DAY_MS);
    timer_set(&a.timer, 5);
    timer_clear(&a.timer);
    assert_false(loop_run_virtual(loop, 1000 + 10 * DAY_MS));
    assert_string_equal(trail, "bca");
    loop_close(&loop);
    assert_null(loop);
}

struct letter {
    struct task task;
    struct loop *loop;
    unsigned sender;
    unsigned number;
};

enum { SENDERS = 4, LETTERS = 20000 };
static unsigned last_number[SENDERS];
static unsigned received;

static void letter_run(struct task *task)
{
    struct letter *l = container_of(task, struct letter, task);
    assert_int_equal(l->number, last_number[l->sender] + 1);
    last_number[l->sender] = l->number;
    if (++received == SENDERS * LETTERS)
        loop_stop(l->loop);
    free(l);
}

struct sender {
    pthread_t thread;
    struct loop *loop;
    unsigned index;
};

static struct letter *letter_make(const struct sender *s, unsigned number)
{
    struct letter *l = calloc(1, sizeof *l);
    *l = (struct letter){ .task.run = letter_run, .loop = s->loop,
                          .sender = s->index, .number = number };
    return l;
}

static void *sender_main(void *argument)
{
    struct sender *s = argument;
    struct home *home = loop_home(s->loop);
    for (unsigned i = 1; i <= LETTERS; i += 2) {
        struct letter *first = letter_make(s, i);
        struct letter *second = letter_make(s, i + 1);
        first->task.next = &second->task;
        home->post(home, &first->task, &second->task);
    }
    return NULL;
}

static void mail_of_each_sender_stays_in_order(void **state)
{
    (void)state;
    struct loop *loop;
    assert_int_equal(loop_open(&loop), ERR_OK);
    struct sender senders[SENDERS];
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ .loop = loop, .index = i };
        pthread_create(&senders[i].thread, NULL, sender_main, &senders[i]);
    }
    loop_run(loop);
    for (unsigned i = 0; i < SENDERS; i++)
        pthread_join(senders[i].thread, NULL);
    assert_int_equal(received, SENDERS * LETTERS);
    loop_close(&loop);
}

struct pipe_watch {
    struct watch watch;
    struct deferred gone;
    int reads;
};

static void pipe_gone(struct deferred *deferred)
{
    struct pipe_watch *p = container_of(deferred, struct pipe_watch, gone);
    note('g');
    loop_stop(p->watch.loop);
}

static void pipe_readable(struct watch *watch)
{
    struct pipe_watch *p = container_of(watch, struct pipe_watch, watch);
    char byte;
    assert_int_equal(read(watch->fd, &byte, 1), 1);
    note(byte);
    if (++p->reads == 2) {
        loop_defer(watch->loop, &p->gone);
        loop_defer(watch->loop, &p->gone);
        watch_close(watch);
        note('c');
    }
}

static void watch_reads_and_defers_its_end(void **state)
{
    (void)state;
    memset(trail, 0, sizeof trail);
    struct loop *loop;
    int fds[2];
    assert_int_equal(loop_open(&loop), ERR_OK);
    assert_int_equal(pipe(fds), 0);
    struct pipe_watch p = { .gone.run = pipe_gone };
    watch_init(&p.watch, loop, fds[0], pipe_readable, NULL);
    assert_int_equal(watch_read(&p.watch, true), ERR_OK);
    assert_int_equal(write(fds[1], "xyz", 3), 3);
    loop_run(loop);
    assert_string_equal(trail, "xycg");
    close(fds[0]);
    close(fds[1]);
    loop_close(&loop);
}

static void stop_timer_run(struct timer *timer)
{
    loop_stop(timer->loop);
}

static void real_timer_wakes_the_loop(void **state)
{
    (void)state;
    struct loop *loop;
    assert_int_equal(loop_open(&loop), ERR_OK);
    struct timer t;
    timer_init(&t, loop, stop_timer_run);
    int64_t before = loop_now(loop).mono_ms; /* what the timer counts from */
    timer_set(&t, 5);
    loop_run(loop);
    assert_true(loop_now(loop).mono_ms >= before + 5);
    loop_close(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(virtual_time_jumps_in_order),
        cmocka_unit_test(mail_of_each_sender_stays_in_order),
        cmocka_unit_test(watch_reads_and_defers_its_end),
        cmocka_unit_test(real_timer_wakes_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
