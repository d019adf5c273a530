/* delay_test.c: the sender is told of a delay, once (RFC 3461 5.2), and of mail that is not in
 * time (RFC 2852), in virtual time. */
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

/* ---- a time to be delivered in: RFC 2852 ---- */

static void what_is_late_comes_back(void **state)
{
    (void)state;
    w->answer = later;
    w->by_ms = 17 * MINUTE_MS;
    w->by_returns = true;
    send_one("x@a.far");
    run_for(17 * MINUTE_MS - SECOND_MS);
    size_t tries = w->tries_count;
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_QUEUED);
    run_for(2 * SECOND_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_FAILED);
    assert_true(w->stored[0].last[0].status.detail == 7);
    assert_int_equal(w->reports_count, 1);
    assert_true(report_says("Status: 5.4.7\r\n"));
    run_for(MINUTE_MS); /* the report alone was tried since */
    for (size_t i = tries; i < w->tries_count; i++)
        assert_int_equal(w->tries[i].id.value, 2);
}

static bool site_is_down(struct world *world, struct attempt_run *run,
                         struct attempt_recipient *r)
{
    (void)world, (void)run, (void)r;
    return false;
}

static void what_is_late_comes_back_from_behind_a_dead_site(void **state)
{
    (void)state;
    w->answer = site_is_down;
    w->by_ms = 3 * MINUTE_MS; /* before the site is tried again */
    w->by_returns = true;
    send_one("x@a.far");
    run_for(3 * MINUTE_MS + SECOND_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_FAILED);
}

static void of_what_is_late_the_sender_is_told(void **state)
{
    (void)state;
    w->answer = later;
    w->by_ms = 17 * MINUTE_MS;
    send_one("x@a.far");
    run_for(17 * MINUTE_MS - SECOND_MS);
    assert_int_equal(w->reports_count, 0);
    run_for(2 * SECOND_MS);
    assert_int_equal(w->reports_count, 1);
    assert_true(report_says("Action: delayed\r\nStatus: 4.4.7\r\n"));
    run_for(DAY_MS);
    assert_int_equal(w->reports_count, 1);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_QUEUED);
}

static void what_goes_on_is_told_where_nobody_knows_of_its_time(void **state)
{
    (void)state;
    static const struct { int64_t by_ms; bool returns; bool traces; uint8_t notify;
                          unsigned reports; } cases[] = {
        { DAY_MS, false, false, 0, 1 }, { DAY_MS, true, false, 0, 0 },
        { DAY_MS, true, true, 0, 1 }, { DAY_MS, false, false, DSN_NOTIFY_NEVER, 0 },
        { DAY_MS, false, true, DSN_NOTIFY_FAILURE, 1 }, { -DAY_MS, false, false, 0, 0 },
        { 0, false, true, 0, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static const char *const to[] = { "x@a.far" };
        unsigned before = w->reports_count;
        w->by_ms = cases[i].by_ms;
        w->by_returns = cases[i].returns;
        w->by_traces = cases[i].traces;
        arrive("s@here", to, 1, cases[i].notify);
        w->by_ms = 0;
        run_for(MINUTE_MS);
        if (w->reports_count != before + cases[i].reports)
            fail_msg("case %zu: %u reports", i, w->reports_count - before);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(of_a_delay_the_sender_is_told_once), TEST(of_a_delay_is_told_who_wants_to_know),
        TEST(a_report_of_a_delay_that_cannot_be_kept_comes_later),
        TEST(what_is_late_comes_back), TEST(what_is_late_comes_back_from_behind_a_dead_site),
        TEST(of_what_is_late_the_sender_is_told),
        TEST(what_goes_on_is_told_where_nobody_knows_of_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
