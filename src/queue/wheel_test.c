/* wheel_test.c: everything comes out once, never early, at most a second late. */
#include "queue/plan.h"
#include "queue/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ENTRIES = 20000 };

struct item {
    struct wheel_entry entry;
    int64_t due_ms;
    bool out;
};

static void entries_come_when_they_are_due(void **state)
{
    (void)state;
    struct wheel *wheel = calloc(1, sizeof *wheel);
    struct item *items = calloc(ENTRIES, sizeof *items);
    const int64_t start = 1234567;
    uint32_t random = 99;
    wheel_init(wheel, start);
    for (int i = 0; i < ENTRIES; i++) {
        random = random * 1664525u + 1013904223u;
        /* seconds, minutes, hours and days away */
        int64_t range = i % 4 == 0 ? 5000 : i % 4 == 1 ? 600000
                        : i % 4 == 2 ? 40000000 : 800000000;
        items[i].due_ms = start + (int64_t)(random % (uint64_t)range);
        wheel_add(wheel, &items[i].entry, items[i].due_ms);
        if (i % 10 == 3) {
            wheel_remove(wheel, &items[i].entry);
            wheel_remove(wheel, &items[i].entry);
            items[i].out = true;
        }
    }
    size_t left = wheel->count;
    assert_int_equal(left, ENTRIES - ENTRIES / 10);
    int64_t now = start;
    int64_t next;
    while ((next = wheel_next_ms(wheel)) >= 0) {
        assert_true(next > now);
        int64_t before = now;
        now = next;
        struct list due;
        struct list_node *node;
        list_init(&due);
        wheel_turn(wheel, now, &due);
        while ((node = list_take(&due)) != NULL) {
            struct item *item = container_of(node, struct item, entry.node);
            assert_false(item->out);
            item->out = true;
            left--;
            assert_true(item->due_ms <= now);
            assert_true(now - item->due_ms < 2000 || item->due_ms > before);
        }
    }
    assert_int_equal(left, 0);
    free(items);
    free(wheel);
}

static void a_jump_gives_out_all_that_was_passed(void **state)
{
    (void)state;
    struct wheel *wheel = calloc(1, sizeof *wheel);
    struct wheel_entry a = { 0 };
    struct wheel_entry b = { 0 };
    struct list due;
    list_init(&due);
    wheel_init(wheel, 0);
    wheel_add(wheel, &a, 3 * 86400 * 1000LL);
    wheel_add(wheel, &b, 10);
    wheel_turn(wheel, 5 * 86400 * 1000LL, &due);
    assert_ptr_equal(list_take(&due), &b.node);
    assert_ptr_equal(list_take(&due), &a.node);
    assert_int_equal(wheel_next_ms(wheel), -1);
    wheel_add(wheel, &a, 0); /* long past */
    assert_int_equal(wheel_next_ms(wheel), (5 * 86400 + 1) * 1000LL);
    free(wheel);
}

static void delays_double_up_to_the_most_with_jitter(void **state)
{
    (void)state;
    struct config_queue plan = {
        .retry_first_ms = 300000, .retry_max_ms = 4 * 3600000,
        .retry_factor_percent = 200, .retry_jitter_percent = 20,
    };
    static const int64_t want[] = { 300000, 600000, 1200000, 2400000, 4800000, 9600000,
                                    14400000, 14400000 };
    for (uint32_t i = 0; i < sizeof want / sizeof *want; i++) {
        int64_t least = INT64_MAX;
        int64_t most = 0;
        for (uint32_t random = 0; random < 4000000000u; random += 999983) {
            int64_t delay = plan_delay_ms(&plan, i + 1, random);
            least = delay < least ? delay : least;
            most = delay > most ? delay : most;
        }
        assert_in_range(least, want[i] * 80 / 100, want[i] * 81 / 100);
        assert_in_range(most, want[i] * 119 / 100, want[i] * 120 / 100);
    }
    plan.retry_jitter_percent = 0;
    assert_int_equal(plan_delay_ms(&plan, 1000000, 7), plan.retry_max_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_when_they_are_due),
        cmocka_unit_test(a_jump_gives_out_all_that_was_passed),
        cmocka_unit_test(delays_double_up_to_the_most_with_jitter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
