/* reload_test.c: another configuration while mail waits. */
#include "queue/fake_world.h"

static void reload(const char *yaml)
{
    const struct config *next = configuration(yaml);
    queue_configure(w->queue, next);
    config_drop(&next);
}

static void what_waits_for_a_dead_site_takes_the_new_route_at_once(void **state)
{
    (void)state;
    w->answer = down_for_six_hours;
    for (int i = 0; i < 3; i++)
        send_one("x@mx.dead");
    run_for(5 * SECOND_MS);
    assert_int_equal(w->tries_count, 3);
    w->site_now = "other";
    reload("");
    run_for(SECOND_MS);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(w->stored[i].last[0].state, RECIPIENT_RELAYED);
}

static void a_dead_site_that_stays_the_site_is_not_tried_sooner(void **state)
{
    (void)state;
    w->answer = down_for_six_hours;
    send_one("x@mx.dead");
    run_for(5 * SECOND_MS);
    for (int i = 0; i < 20; i++) {
        reload("");
        run_for(SECOND_MS);
    }
    assert_int_equal(w->tries_count, 1);
}

static void a_look_up_that_failed_is_repeated_at_once(void **state)
{
    (void)state;
    w->resolve_kind = OUTCOME_DEFERRED;
    send_one("b@nowhere.test");
    run_for(SECOND_MS);
    assert_int_equal(w->tries_count, 0);
    w->resolve_kind = OUTCOME_NONE;
    reload("");
    run_for(SECOND_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_RELAYED);
}

static void what_is_due_later_takes_the_new_route_then(void **state)
{
    (void)state;
    w->answer = later;
    send_one("x@mx.dead");
    run_for(SECOND_MS);
    w->answer = take;
    w->site_now = "other";
    reload("");
    run_for(SECOND_MS);
    assert_int_equal(w->tries_count, 1);
    act_on_id((struct mail_id){ 0 }, QUEUE_RETRY);
    run_for(SECOND_MS);
    assert_int_equal(w->tries_count, 2);
    assert_memory_equal(w->tries[1].site.text, "other", 5);
}

static void an_answer_by_the_old_routes_counts_no_more(void **state)
{
    (void)state;
    send_one("x@mx.dead"); /* asked, and not answered yet */
    w->site_now = "other";
    reload("");
    run_for(SECOND_MS);
    assert_int_equal(w->resolves, 2);
    assert_int_equal(w->tries_count, 1);
    assert_memory_equal(w->tries[0].site.text, "other", 5);
}

static void a_job_that_finds_its_domain_moved_is_looked_up_again(void **state)
{
    (void)state;
    w->moves = true;
    send_one("x@mx.dead");
    run_for(5);
    w->site_now = "other";
    run_for(SECOND_MS);
    assert_int_equal(w->tries_count, 2);
    assert_memory_equal(w->tries[1].site.text, "other", 5);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_RELAYED);
    assert_int_equal(w->stored[0].last[0].attempts, 1);
}

static void an_attempt_that_fails_after_the_reload_takes_the_new_route_at_once(void **state)
{
    (void)state;
    w->answer = down_for_six_hours;
    send_one("x@mx.dead");
    run_for(5);
    assert_int_equal(w->tries_count, 1); /* and not ended yet */
    w->site_now = "other";
    reload("");
    run_for(SECOND_MS);
    assert_int_equal(w->tries_count, 2);
    assert_memory_equal(w->tries[1].site.text, "other", 5);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_RELAYED);
}

static void the_limit_of_recipients_is_the_new_one(void **state)
{
    (void)state;
    struct spool_sink *sink = queue_sink(w->queue);
    assert_false(sink->reserve(sink, 1001));
    reload("queue: { recipients_max: 2000 }\n");
    assert_true(sink->reserve(sink, 1001));
    sink->release(sink, 1001);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_waits_for_a_dead_site_takes_the_new_route_at_once),
        TEST(a_dead_site_that_stays_the_site_is_not_tried_sooner),
        TEST(a_look_up_that_failed_is_repeated_at_once),
        TEST(what_is_due_later_takes_the_new_route_then),
        TEST(an_answer_by_the_old_routes_counts_no_more),
        TEST(a_job_that_finds_its_domain_moved_is_looked_up_again),
        TEST(an_attempt_that_fails_after_the_reload_takes_the_new_route_at_once),
        TEST(the_limit_of_recipients_is_the_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
