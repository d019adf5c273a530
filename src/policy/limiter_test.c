/* limiter_test.c: limits by address and network, memory, threads. */
#include "policy/limiter.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct net_address host(const char *text)
{
    struct net_address a;
    assert_true(net_host_parse(slice_from_string(text), 1234, &a));
    return a;
}

static unsigned enter_many(struct limiter *l, const char *text, unsigned times, unsigned max)
{
    struct net_address a = host(text);
    unsigned entered = 0;
    for (unsigned i = 0; i < times; i++)
        entered += limiter_enter(l, &a, max);
    return entered;
}

static void leave_many(struct limiter *l, const char *text, unsigned times)
{
    struct net_address a = host(text);
    for (unsigned i = 0; i < times; i++)
        limiter_leave(l, &a);
}

static void test_address(void **state)
{
    struct limiter *l;
    (void)state;
    assert_int_equal(limiter_open(1000, &l), ERR_OK);
    assert_int_equal(enter_many(l, "192.0.2.1", 10, 5), 5);
    assert_int_equal(enter_many(l, "::ffff:192.0.2.1", 1, 5), 0);
    leave_many(l, "192.0.2.1", 1);
    assert_int_equal(enter_many(l, "::ffff:192.0.2.1", 2, 5), 1);
    assert_int_equal(enter_many(l, "192.0.2.2", 10, 5), 5);
    leave_many(l, "192.0.2.1", 5);
    leave_many(l, "192.0.2.2", 5);
    limiter_close(&l);
    assert_null(l);
    limiter_close(&l);
}

static void test_network(void **state)
{
    struct limiter *l;
    char text[40];
    unsigned entered = 0;
    (void)state;
    assert_int_equal(limiter_open(1000, &l), ERR_OK);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "198.51.100.%u", i);
        entered += enter_many(l, text, 1, 5);
    }
    assert_int_equal(entered, 20);
    assert_int_equal(enter_many(l, "198.51.101.1", 1, 5), 1);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "198.51.100.%u", i);
        leave_many(l, text, 1);
    }
    leave_many(l, "198.51.101.1", 1);
    assert_int_equal(enter_many(l, "2001:db8:0:1::1", 3, 5), 3);
    assert_int_equal(enter_many(l, "2001:db8:0:1:2:3:4:5", 3, 5), 2);
    assert_int_equal(enter_many(l, "2001:db8:0:2::1", 1, 5), 1);
    leave_many(l, "2001:db8:0:1::1", 5);
    leave_many(l, "2001:db8:0:2::1", 1);
    limiter_close(&l);
}

static void test_bounded(void **state)
{
    struct limiter *l;
    char text[40];
    bool entered[4000];
    unsigned count = 0;
    (void)state;
    assert_int_equal(limiter_open(160, &l), ERR_OK);
    for (unsigned i = 0; i < 4000; i++) {
        snprintf(text, sizeof text, "10.%u.%u.1", i / 250, i % 250);
        entered[i] = enter_many(l, text, 1, 5) == 1;
        count += entered[i];
    }
    assert_in_range(count, 60, 100);
    for (unsigned i = 0; i < 4000; i++) {
        snprintf(text, sizeof text, "10.%u.%u.1", i / 250, i % 250);
        if (entered[i])
            leave_many(l, text, 1);
    }
    limiter_close(&l);
}

static void test_local(void **state)
{
    struct limiter *l;
    struct net_address a;
    (void)state;
    assert_true(net_address_parse(SLICE("/run/x"), &a));
    assert_int_equal(limiter_open(160, &l), ERR_OK);
    for (int i = 0; i < 10; i++)
        assert_true(limiter_enter(l, &a, 1));
    limiter_leave(l, &a);
    limiter_close(&l);
}

static void all_have_one_limit_whoever_they_are(void **state)
{
    struct limiter *l;
    (void)state;
    assert_int_equal(limiter_open(160, &l), ERR_OK);
    assert_false(limiter_enter_all(l, 0));
    for (int i = 0; i < 3; i++)
        assert_true(limiter_enter_all(l, 3));
    assert_false(limiter_enter_all(l, 3));
    assert_false(limiter_enter_all(l, 2));
    limiter_leave_all(l);
    assert_true(limiter_enter_all(l, 3));
    assert_false(limiter_enter_all(l, 3));
    for (int i = 0; i < 3; i++)
        limiter_leave_all(l);
    limiter_close(&l);
}

enum { THREADS = 4, ROUNDS = 20000, MAX = 2 };

struct worker {
    pthread_t thread;
    struct limiter *limiter;
    int *inside;
    bool by_client; /* or all */
    bool broken;
};

static void *work(void *argument)
{
    struct worker *w = argument;
    struct net_address a;
    w->broken = !net_host_parse(SLICE("203.0.113.9"), 1, &a);
    for (int i = 0; i < ROUNDS; i++) {
        if (w->by_client ? !limiter_enter(w->limiter, &a, MAX)
                         : !limiter_enter_all(w->limiter, MAX))
            continue;
        if (__atomic_add_fetch(w->inside, 1, __ATOMIC_SEQ_CST) > MAX)
            w->broken = true;
        __atomic_sub_fetch(w->inside, 1, __ATOMIC_SEQ_CST);
        if (w->by_client)
            limiter_leave(w->limiter, &a);
        else
            limiter_leave_all(w->limiter);
    }
    return NULL;
}

static void race(bool by_client)
{
    struct limiter *l;
    struct worker workers[THREADS];
    int inside = 0;
    assert_int_equal(limiter_open(160, &l), ERR_OK);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ .limiter = l, .inside = &inside,
                                       .by_client = by_client };
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_false(workers[i].broken);
    }
    limiter_close(&l);
}

static void test_threads(void **state)
{
    (void)state;
    race(true);
    race(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address), cmocka_unit_test(test_network),
        cmocka_unit_test(test_bounded), cmocka_unit_test(test_local),
        cmocka_unit_test(all_have_one_limit_whoever_they_are),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
