/* windows_test.c: sums in a sliding window, in virtual time. */
#include "policy/windows.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { WINDOW_MS = 60000, THREADS = 4, ROUNDS = 20000 };

static struct windows *windows;

static int set_up(void **state)
{
    (void)state;
    return windows_open(10, &windows) == ERR_OK ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    windows_close(&windows);
    assert_null(windows);
    windows_close(&windows);
    return 0;
}

static struct windows_key key(const char *name, uint64_t max)
{
    return (struct windows_key){ .key = slice_from_string(name), .max.of = { max, 0, 0 } };
}

static bool take(const char *name, uint64_t max, int64_t now, bool counts)
{
    struct windows_key k = key(name, max);
    struct windows_sums one = { .of = { 1, 0, 0 } };
    return windows_take(windows, &k, 1, now, WINDOW_MS, &one, counts);
}

static void the_window_slides(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_true(take("a", 10, 59000, true));
    assert_false(take("a", 10, 59999, true));
    assert_true(take("a", 10, 60500, true));  /* 9 of the 10 count still */
    assert_false(take("a", 10, 60500, true));
    assert_true(take("a", 10, 90000, true));
    assert_true(take("a", 10, 300000, true));
}

static void what_is_refused_or_only_asked_does_not_count(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_true(take("a", 1, 5, false));
    assert_true(take("a", 1, 5, true));
    for (int i = 0; i < 100; i++)
        assert_false(take("a", 1, 5, true));
    assert_true(take("a", 1, 120005, true));
}

static void all_keys_must_have_room(void **state)
{
    (void)state;
    struct windows_sums one = { .of = { 1, 0, 0 } };
    for (int i = 0; i < 4; i++) {
        struct windows_key keys[] = { key("network", 4), key(i % 2 == 0 ? "a" : "b", 2) };
        assert_true(windows_take(windows, keys, 2, 5, WINDOW_MS, &one, true));
    }
    struct windows_key fresh[] = { key("network", 4), key("c", 2) };
    assert_false(windows_take(windows, fresh, 2, 5, WINDOW_MS, &one, true));
    assert_true(take("c", 1, 5, true)); /* it was not counted where the network was full */
}

static void a_clock_that_lags_turns_nothing_back(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_true(take("a", 10, 60001, true));
    assert_false(take("a", 10, 59999, true)); /* a thread that looked a little earlier */
    assert_false(take("a", 10, 60001, true));
}

static void another_length_begins_anew(void **state)
{
    (void)state;
    struct windows_key k = key("a", 1);
    struct windows_sums one = { .of = { 1, 0, 0 } };
    assert_true(take("a", 1, 5, true));
    assert_true(windows_take(windows, &k, 1, 5, 1000, &one, true));
    assert_false(windows_take(windows, &k, 1, 5, 1000, &one, true));
}

static void sums_do_not_overflow(void **state)
{
    (void)state;
    struct windows_key k = key("a", 100);
    struct windows_sums much = { .of = { UINT64_MAX, 0, 0 } };
    assert_false(windows_take(windows, &k, 1, 5, WINDOW_MS, &much, true));
    assert_true(take("a", 100, 5, true));
    assert_false(windows_take(windows, &k, 1, 5, WINDOW_MS, &much, true));
}

static void the_longest_quiet_are_forgotten(void **state)
{
    (void)state;
    char name[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "user%d", i);
        assert_true(take(name, 1, 5, true));
    }
    assert_false(take("user999", 1, 5, true));
    assert_false(take("user990", 1, 5, true));
    assert_true(take("user0", 1, 5, true));
}

static void *work(void *taken)
{
    for (int i = 0; i < ROUNDS; i++)
        if (take("shared", ROUNDS, 5, true))
            __atomic_add_fetch((int *)taken, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void threads_share_one_sum(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int taken = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &taken), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(taken, ROUNDS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_window_slides), TEST(what_is_refused_or_only_asked_does_not_count),
        TEST(all_keys_must_have_room), TEST(a_clock_that_lags_turns_nothing_back),
        TEST(another_length_begins_anew), TEST(sums_do_not_overflow),
        TEST(the_longest_quiet_are_forgotten), TEST(threads_share_one_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
