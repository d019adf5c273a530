/* site_test.c: sites in trouble, and what trouble is not. */
#include "queue/fake_world.h"

enum { DOMAINS = 300 };

static bool down_for_a_minute(struct world *world, struct attempt_run *run,
                              struct attempt_recipient *r)
{
    return loop_now(world->loop).mono_ms >= MINUTE_MS && take(world, run, r);
}

/* Three attempts were under way when the site went down: it is tried again after five
 * minutes, not after twenty. */
static void attempts_that_fail_together_are_one_failure(void **state)
{
    (void)state;
    w->answer = down_for_a_minute;
    for (int i = 0; i < 30; i++)
        send_one("x@mx.site");
    run_for(MINUTE_MS);
    assert_int_equal(w->tries_count, 3);
    run_for(6 * MINUTE_MS + SECOND_MS);
    for (size_t i = 0; i < 30; i++)
        assert_int_equal(w->stored[i].last[0].state, RECIPIENT_RELAYED);
}

/* The third connection is one too many: the two go on without a pause. */
static void a_connection_too_many_is_no_trouble(void **state)
{
    (void)state;
    w->keep = true;
    w->refuse_over = 2;
    for (int i = 0; i < 100; i++)
        send_one("x@mx.site");
    run_for(10 * SECOND_MS);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(w->stored[i].last[0].state, RECIPIENT_RELAYED);
    assert_in_range(w->tries_count, 100, 103);
}

static void after_a_while_more_connections_are_tried(void **state)
{
    (void)state;
    w->keep = true;
    w->refuse_over = 2;
    for (int i = 0; i < 20; i++)
        send_one("x@mx.site");
    run_for(5 * MINUTE_MS);
    w->refuse_over = 0;
    w->open_most = 0;
    uint64_t before = w->connections;
    for (int i = 0; i < 40; i++)
        send_one("x@mx.site");
    run_for(10 * SECOND_MS);
    assert_true(w->connections > before);
    assert_in_range(w->open_most, 5, 6);
}

static void look_ups_do_not_all_begin_at_once(void **state)
{
    (void)state;
    char address[32];
    const char *to = address;
    for (int i = 0; i < DOMAINS; i++) {
        snprintf(address, sizeof address, "x@d%d.site", i);
        arrive("a@me.test", &to, 1, 0);
    }
    assert_in_range(w->resolving_most, 1, 200);
    run_for(10 * SECOND_MS);
    assert_int_equal(w->resolves, DOMAINS);
    for (size_t i = 0; i < DOMAINS; i++)
        assert_int_equal(w->stored[i].last[0].state, RECIPIENT_RELAYED);
}

/* Those that wait for their look-up may be held and deleted. */
static void what_waits_for_its_look_up_may_go(void **state)
{
    (void)state;
    char address[32];
    const char *to = address;
    for (int i = 0; i < DOMAINS; i++) {
        snprintf(address, sizeof address, "x@d%d.site", i);
        arrive("a@me.test", &to, 1, 0);
    }
    for (size_t i = 250; i < DOMAINS; i++)
        act_on_id(w->stored[i].id, i % 2 == 0 ? QUEUE_HOLD : QUEUE_DELETE);
    run_for(10 * SECOND_MS);
    assert_int_equal(w->resolves, 250);
    act_on_id((struct mail_id){ 0 }, QUEUE_RELEASE);
    run_for(10 * SECOND_MS);
    assert_int_equal(w->resolves, 275);
    assert_int_equal(queue_stats(w->queue).messages, 0);
}

/* Six hundred failures at once: a few reports at a time, by one attempt. */
static void many_failures_are_reported_by_and_by(void **state)
{
    (void)state;
    enum { MESSAGES = 600 };
    w->answer = down_for_six_hours;
    w->site_kind = OUTCOME_FAILED;
    for (int i = 0; i < MESSAGES; i++)
        send_one("x@mx.dead");
    run_for(MINUTE_MS);
    for (size_t i = 0; i < MESSAGES; i++)
        assert_int_equal(w->stored[i].last[0].state, RECIPIENT_FAILED);
    assert_int_equal(w->reports_count, MESSAGES);
    assert_in_range(w->reports_most, 1, 200);
    unsigned of_the_dead = 0;
    for (size_t i = 0; i < w->tries_count; i++)
        of_the_dead += w->tries[i].site.text[0] == 'd';
    assert_in_range(of_the_dead, 1, 3);
}

/* The same of a domain that does not exist; a reload in the middle spares the rest. */
static void a_reload_spares_what_was_not_reported_yet(void **state)
{
    (void)state;
    enum { MESSAGES = 600 };
    const struct config *next = configuration("");
    w->resolve_kind = OUTCOME_FAILED;
    w->report_error = ERR_FULL; /* no report gets done */
    for (int i = 0; i < MESSAGES; i++)
        send_one("x@nowhere.test");
    run_for(0);
    w->report_error = ERR_OK;
    w->resolve_kind = OUTCOME_NONE;
    queue_configure(w->queue, next);
    config_drop(&next);
    run_for(HOUR_MS);
    unsigned relayed = 0;
    for (size_t i = 0; i < MESSAGES; i++)
        relayed += w->stored[i].last[0].state == RECIPIENT_RELAYED;
    assert_in_range(relayed, 1, MESSAGES);
    assert_int_equal(relayed + w->reports_count, MESSAGES);
    assert_int_equal(queue_stats(w->queue).messages, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(attempts_that_fail_together_are_one_failure),
        TEST(a_connection_too_many_is_no_trouble),
        TEST(after_a_while_more_connections_are_tried),
        TEST(look_ups_do_not_all_begin_at_once),
        TEST(what_waits_for_its_look_up_may_go),
        TEST(many_failures_are_reported_by_and_by),
        TEST(a_reload_spares_what_was_not_reported_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
