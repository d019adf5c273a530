/* shown_test.c: what is remembered of hosts, for how long, and of how many. */
#include "delivery/shown.h"

#include "base/list.h"
#include "base/moment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const int64_t now = INT64_C(1795600000000);
#define A SLICE("a.test:25")
#define B SLICE("b.test:25")
#define C SLICE("c.test:25")

static struct shown *opened(size_t max)
{
    struct shown *s;
    assert_int_equal(shown_open(max, NULL, &s), ERR_OK);
    return s;
}

static void the_highest_of_a_month_counts(void **state)
{
    (void)state;
    struct shown *s = opened(10);
    assert_int_equal(shown_find(s, A, now), TRANSPORT_UNSAID);
    assert_true(shown_note(s, A, TRANSPORT_VERIFIED, now));
    assert_false(shown_note(s, A, TRANSPORT_REQUIRED, now + DAY_MS));
    assert_int_equal(shown_find(s, A, now + 30 * DAY_MS), TRANSPORT_VERIFIED);
    assert_int_equal(shown_find(s, A, now + 30 * DAY_MS + 1), TRANSPORT_UNSAID);
    assert_int_equal(shown_find(s, B, now), TRANSPORT_UNSAID);
    assert_true(shown_note(s, A, TRANSPORT_REQUIRED, now + 31 * DAY_MS));
    assert_int_equal(shown_find(s, A, now + 31 * DAY_MS), TRANSPORT_REQUIRED);
    assert_true(shown_note(s, A, TRANSPORT_VERIFIED, now + 31 * DAY_MS));
    shown_close(&s);
}

static void it_is_kept_once_a_day(void **state)
{
    (void)state;
    struct shown *s = opened(10);
    assert_true(shown_note(s, A, TRANSPORT_REQUIRED, now));
    assert_false(shown_note(s, A, TRANSPORT_REQUIRED, now + DAY_MS));
    assert_true(shown_note(s, A, TRANSPORT_REQUIRED, now + DAY_MS + 1));
    assert_false(shown_note(s, A, TRANSPORT_REQUIRED, now + DAY_MS + 2));
    assert_true(shown_note(s, A, TRANSPORT_REQUIRED, now)); /* the clock was set back */
    shown_close(&s);
}

struct told {
    struct shown_listener base;
    unsigned count;
};

static void on_forgotten(struct shown_listener *listener, struct slice host)
{
    assert_true(slice_equal(host, B));
    container_of(listener, struct told, base)->count++;
}

static void the_one_unseen_longest_goes(void **state)
{
    (void)state;
    struct shown *s;
    struct told told = { .base.forgotten = on_forgotten };
    assert_int_equal(shown_open(2, &told.base, &s), ERR_OK);
    shown_note(s, A, TRANSPORT_REQUIRED, now);
    shown_note(s, B, TRANSPORT_REQUIRED, now);
    shown_note(s, A, TRANSPORT_REQUIRED, now);
    shown_note(s, C, TRANSPORT_REQUIRED, now);
    assert_int_equal(shown_find(s, A, now), TRANSPORT_REQUIRED);
    assert_int_equal(shown_find(s, B, now), TRANSPORT_UNSAID);
    assert_int_equal(shown_find(s, C, now), TRANSPORT_REQUIRED);
    assert_int_equal(told.count, 1);
    shown_close(&s);
    s = opened(0);
    assert_false(shown_note(s, A, TRANSPORT_REQUIRED, now));
    shown_close(&s);
}

static void notes_are_read_again(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "verified", "verified ", "verified x",
                                       "none 1795600000000", "odd 1795600000000",
                                       "verified -1" };
    struct shown *s = opened(10);
    struct buffer text;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(shown_recall(s, A, slice_from_string(bad[i]), now));
    assert_int_equal(shown_find(s, A, now), TRANSPORT_UNSAID);
    buffer_init(&text, 100);
    shown_describe(TRANSPORT_VERIFIED, now, &text);
    assert_false(shown_recall(s, A, buffer_slice(&text), now + 30 * DAY_MS + 1));
    assert_int_equal(shown_find(s, A, now), TRANSPORT_UNSAID);
    assert_true(shown_recall(s, A, buffer_slice(&text), now + 30 * DAY_MS));
    assert_int_equal(shown_find(s, A, now), TRANSPORT_VERIFIED);
    buffer_free(&text);
    shown_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_highest_of_a_month_counts),
        cmocka_unit_test(it_is_kept_once_a_day),
        cmocka_unit_test(the_one_unseen_longest_goes),
        cmocka_unit_test(notes_are_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
