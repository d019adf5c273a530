/* queue_test.c: the scheduler in virtual time: days of retries in a millisecond. */
#include "queue/fake_world.h"

static bool third_time(struct world *world, struct attempt_run *run,
                       struct attempt_recipient *r)
{
    return world->tries_count < 3 ? later(world, run, r) : take(world, run, r);
}

static bool by_index(struct world *world, struct attempt_run *run,
                     struct attempt_recipient *r)
{
    if (r->index == 0)
        return take(world, run, r);
    return r->index == 1 ? never(world, run, r) : later(world, run, r);
}

static bool octets_refused(struct world *world, struct attempt_run *run,
                           struct attempt_recipient *r)
{
    bool taken = never(world, run, r);
    r->outcome.status = (struct smtp_status){ 5, 6, 3 };
    return taken;
}

static void one_message_goes_out_at_once(void **state)
{
    (void)state;
    send_one("b@far.test");
    run_for(1000);
    assert_int_equal(w->tries_count, 1);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_RELAYED);
    assert_int_equal(queue_stats(w->queue).messages, 0);
    assert_int_equal(w->reports_count, 0);
}

static void retries_back_off_and_end(void **state)
{
    (void)state;
    w->answer = later;
    send_one("b@far.test");
    run_for(6 * DAY_MS);
    /* 5, 10, 20, 40, 80, 160 min, then every 4 h, each within 20 % and a second */
    static const int64_t plan[] = { 300, 600, 1200, 2400, 4800, 9600 };
    for (size_t i = 0; i + 1 < w->tries_count; i++) {
        int64_t gap = (w->tries[i + 1].at_ms - w->tries[i].at_ms) / 1000;
        int64_t want = i < 6 ? plan[i] : 14400;
        if (w->tries[i].id.value == 1 && w->tries[i + 1].id.value == 1)
            assert_in_range(gap, want * 80 / 100, want * 120 / 100 + 2);
    }
    assert_in_range(w->tries_count, 40, 75);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_FAILED);
    assert_int_equal(w->reports_count, 2); /* of the delay, and of the end */
    assert_true(report_says("later"));
    /* the reports met 451 for their two days, and there is no report about them */
    run_for(3 * DAY_MS);
    assert_int_equal(w->reports_count, 2);
    assert_int_equal(w->stored[1].last[0].state, RECIPIENT_FAILED);
    assert_int_equal(w->stored[2].last[0].state, RECIPIENT_FAILED);
    assert_int_equal(queue_stats(w->queue).messages, 0);
}

static void the_third_time_works(void **state)
{
    (void)state;
    w->answer = third_time;
    send_one("b@far.test");
    run_for(DAY_MS);
    assert_int_equal(w->tries_count, 3);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_RELAYED);
    assert_int_equal(w->stored[0].last[0].attempts, 3);
}

static void each_recipient_has_its_own_fate(void **state)
{
    (void)state;
    static const char *const to[] = { "a@far.test", "b@far.test", "c@far.test" };
    w->answer = by_index;
    arrive("a@me.test", to, 3, 0);
    run_for(MINUTE_MS);
    struct stored *s = &w->stored[0];
    assert_int_equal(s->last[0].state, RECIPIENT_RELAYED);
    assert_int_equal(s->last[1].state, RECIPIENT_FAILED);
    assert_int_equal(s->last[2].state, RECIPIENT_QUEUED);
    assert_int_equal(s->last[2].code, 451);
    assert_int_equal(w->reports_count, 1);
    assert_true(report_says("b@far.test"));
    assert_false(report_says("c@far.test"));
    assert_true(report_says("Subject: the original"));
    assert_int_equal(w->tries[0].recipients, 2); /* the limit of the site */
    assert_int_equal(w->tries[1].recipients, 1);
}

static void a_bounce_goes_to_the_sender_and_never_bounces(void **state)
{
    (void)state;
    w->answer = never;
    send_one("b@far.test");
    run_for(MINUTE_MS);
    assert_int_equal(w->stored_count, 2);
    assert_string_equal(w->stored[1].recipients[0], "a@me.test");
    assert_int_equal(w->stored[1].last[0].state, RECIPIENT_FAILED);
    assert_int_equal(w->reports_count, 1);
    assert_true(report_says("no such user"));
    assert_true(report_says("multipart/report"));
    assert_true(report_says("\r\nbody\r\n"));
}

static void a_damaged_message_is_reported_without_it(void **state)
{
    (void)state;
    w->answer = never;
    w->is_damaged = true;
    send_one("b@far.test");
    run_for(MINUTE_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_FAILED);
    assert_int_equal(w->reports_count, 1);
    assert_string_equal(w->stored[1].recipients[0], "a@me.test");
    assert_true(report_says("Final-Recipient: rfc822; far.test"));
    assert_false(report_says("Subject: the original"));
}

static void a_report_of_eight_bits_refused_has_seven(void **state)
{
    (void)state;
    w->answer = octets_refused;
    w->content = "Subject: the original\r\n\r\n\xc3\x9f\r\n";
    send_one("b@far.test");
    run_for(MINUTE_MS);
    assert_int_equal(w->reports_count, 1);
    assert_true(report_says("Subject: the original"));
    assert_false(report_says("\xc3\x9f"));
}

static void notify_decides_about_reports(void **state)
{
    (void)state;
    static const char *const to[] = { "b@far.test" };
    w->answer = never;
    arrive("a@me.test", to, 1, DSN_NOTIFY_NEVER);
    arrive("a@me.test", to, 1, DSN_NOTIFY_SUCCESS);
    run_for(MINUTE_MS);
    assert_int_equal(w->reports_count, 0);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_FAILED);
    w->answer = take;
    arrive("a@me.test", to, 1, DSN_NOTIFY_SUCCESS);
    run_for(MINUTE_MS);
    assert_int_equal(w->reports_count, 1);
    assert_true(report_says("Action: relayed"));
    assert_true(report_says("Subject: the original"));
    assert_false(report_says("\r\nbody\r\n")); /* RFC 3461 4.3 */
}

static void a_report_that_cannot_be_kept_is_tried_again(void **state)
{
    (void)state;
    w->answer = never;
    w->report_error = ERR_FULL;
    send_one("b@far.test");
    run_for(30 * SECOND_MS);
    assert_int_equal(w->reports_count, 0);
    assert_false(w->stored[0].updated[0]);
    w->report_error = ERR_OK;
    run_for(2 * MINUTE_MS);
    assert_int_equal(w->reports_count, 1);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_FAILED);
}

static void a_dead_site_costs_the_others_nothing(void **state)
{
    (void)state;
    w->answer = down_for_six_hours;
    for (int i = 0; i < 100; i++)
        send_one("x@mx.dead");
    for (int i = 0; i < 100; i++)
        send_one("y@live.other");
    run_for(5 * SECOND_MS);
    unsigned live = 0;
    for (size_t i = 100; i < 200; i++)
        live += w->stored[i].last[0].state == RECIPIENT_RELAYED;
    assert_int_equal(live, 100);
    run_for(5 * HOUR_MS);
    /* the trouble cost no record a recipient, and few tries */
    for (size_t i = 0; i < 100; i++)
        assert_false(w->stored[i].updated[0]);
    assert_in_range(w->tries_count, 105, 125);
    run_for(5 * HOUR_MS);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(w->stored[i].last[0].state, RECIPIENT_RELAYED);
}

static void a_site_that_takes_no_mail_bounces_what_waits(void **state)
{
    (void)state;
    w->answer = down_for_six_hours;
    w->site_kind = OUTCOME_FAILED;
    for (int i = 0; i < 10; i++)
        send_one("x@mx.dead");
    run_for(MINUTE_MS);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(w->stored[i].last[0].state, RECIPIENT_FAILED);
    assert_int_equal(w->reports_count, 10);
    assert_true(report_says("nobody there"));
}

static void a_site_has_a_limit_and_connections_are_used_again(void **state)
{
    (void)state;
    w->keep = true;
    for (int i = 0; i < 60; i++)
        send_one(i % 2 == 0 ? "x@a.far" : "x@b.far");
    run_for(10 * SECOND_MS);
    assert_int_equal(w->tries_count, 60);
    assert_in_range(w->open_most, 3, 6); /* a second one behind each */
    assert_int_equal(w->connections, 6);
    assert_int_equal(w->resolves, 2);
    unsigned reused = 0;
    for (size_t i = 0; i < w->tries_count; i++)
        reused += w->tries[i].reused;
    assert_int_equal(reused, 54); /* ten messages a connection, then a new one */
    assert_int_equal(w->closes, 6);
    /* both domains of the site got their turns */
    unsigned first_half = 0;
    for (size_t i = 0; i < 30; i++)
        first_half += w->tries[i].id.value % 2;
    assert_in_range(first_half, 13, 17);
}

static void a_lost_connection_is_forgotten(void **state)
{
    (void)state;
    w->keep = true;
    send_one("x@a.far");
    run_for(SECOND_MS);
    assert_int_equal(queue_stats(w->queue).connections_idle, 1);
    struct attempt_watcher *watcher = queue_watcher(w->queue);
    watcher->lost(watcher, (struct attempt_connection){ .id = 99 });
    watcher->lost(watcher, (struct attempt_connection){ .id = 1 });
    assert_int_equal(queue_stats(w->queue).connections_idle, 0);
    send_one("x@a.far");
    run_for(SECOND_MS);
    assert_false(w->tries[1].reused);
}

static void a_domain_that_does_not_exist_bounces(void **state)
{
    (void)state;
    w->resolve_kind = OUTCOME_FAILED;
    send_one("b@nowhere.test");
    run_for(SECOND_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_FAILED);
    assert_int_equal(w->reports_count, 1);
    assert_true(report_says("5.1.2"));
}

static void a_look_up_that_fails_for_now_waits(void **state)
{
    (void)state;
    w->resolve_kind = OUTCOME_DEFERRED;
    send_one("b@nowhere.test");
    run_for(HOUR_MS);
    assert_false(w->stored[0].updated[0]);
    assert_in_range(w->resolves, 3, 5);
    w->resolve_kind = OUTCOME_NONE;
    run_for(2 * HOUR_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_RELAYED);
    w->resolve_kind = OUTCOME_DEFERRED;
    send_one("b@other.nowhere");
    run_for(6 * DAY_MS);
    assert_int_equal(w->stored[1].last[0].state, RECIPIENT_FAILED);
}

static void the_limit_is_reserved_before_the_250(void **state)
{
    (void)state;
    struct spool_sink *sink = queue_sink(w->queue);
    assert_true(sink->reserve(sink, 999));
    assert_false(sink->reserve(sink, 2));
    assert_true(sink->reserve(sink, 1));
    sink->release(sink, 1000);
    assert_true(sink->reserve(sink, 1000));
    sink->release(sink, 1000);
    for (int i = 0; i < 20; i++)
        send_one("b@far.test");
    run_for(MINUTE_MS);
    assert_true(sink->reserve(sink, 1000)); /* all was given back */
    sink->release(sink, 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_message_goes_out_at_once),
        TEST(retries_back_off_and_end),
        TEST(the_third_time_works),
        TEST(each_recipient_has_its_own_fate),
        TEST(a_bounce_goes_to_the_sender_and_never_bounces),
        TEST(a_damaged_message_is_reported_without_it),
        TEST(a_report_of_eight_bits_refused_has_seven),
        TEST(notify_decides_about_reports),
        TEST(a_report_that_cannot_be_kept_is_tried_again),
        TEST(a_dead_site_costs_the_others_nothing),
        TEST(a_site_that_takes_no_mail_bounces_what_waits),
        TEST(a_site_has_a_limit_and_connections_are_used_again),
        TEST(a_lost_connection_is_forgotten),
        TEST(a_domain_that_does_not_exist_bounces),
        TEST(a_look_up_that_fails_for_now_waits),
        TEST(the_limit_is_reserved_before_the_250),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
