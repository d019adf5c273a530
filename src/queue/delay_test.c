/* delay_test.c: the sender is told of a delay, once (RFC 3461 5.2), in virtual time. */
#include "queue/fake_world.h"

static void of_a_delay_the_sender_is_told_once(void **state)
{
    (void)state;
    w->answer = later;
    send_one("x@a.far");
    run_for(3 * HOUR_MS);
    assert_int_equal(w->reports_count, 0);
    assert_false(w->stored[0].last[0].told);
    run_for(DAY_MS);
    assert_int_equal(w->reports_count, 1);
    assert_true(report_says("Action: delayed\r\n"));
    assert_true(report_says("Will-Retry-Until: "));
    assert_true(w->stored[0].last[0].told);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_QUEUED);
    w->answer = take;
    run_for(DAY_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_RELAYED);
    assert_int_equal(w->reports_count, 1);
}

static void of_a_delay_is_told_who_wants_to_know(void **state)
{
    (void)state;
    static const struct { const char *sender; uint8_t notify; unsigned reports; } cases[] = {
        { "s@here", DSN_NOTIFY_DELAY, 1 }, { "s@here", DSN_NOTIFY_FAILURE, 0 },
        { "s@here", DSN_NOTIFY_NEVER, 0 }, { "s@here", DSN_NOTIFY_SUCCESS, 0 }, { "", 0, 0 },
    };
    w->answer = later;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *to = "x@a.far";
        unsigned before = (unsigned)w->reports_count;
        arrive(cases[i].sender, &to, 1, cases[i].notify);
        run_for(DAY_MS);
        assert_int_equal(w->reports_count, before + cases[i].reports);
    }
}

static void a_report_of_a_delay_that_cannot_be_kept_comes_later(void **state)
{
    (void)state;
    w->answer = later;
    w->report_error = ERR_FULL;
    send_one("x@a.far");
    run_for(DAY_MS);
    assert_int_equal(w->reports_count, 0);
    assert_false(w->stored[0].last[0].told);
    w->report_error = ERR_OK;
    run_for(DAY_MS);
    assert_int_equal(w->reports_count, 1);
    assert_true(w->stored[0].last[0].told);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(of_a_delay_the_sender_is_told_once), TEST(of_a_delay_is_told_who_wants_to_know),
        TEST(a_report_of_a_delay_that_cannot_be_kept_comes_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
