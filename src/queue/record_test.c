/* record_test.c: changes that the store does not take at once. */
#include "queue/fake_world.h"

static void a_full_disk_delays_records_but_loses_none(void **state)
{
    (void)state;
    w->update_faults = 7;
    for (int i = 0; i < 3; i++)
        send_one("b@far.test");
    run_for(500);
    assert_int_equal(w->tries_count, 3);
    assert_false(w->stored[0].updated[0]);
    run_for(30 * SECOND_MS);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(w->stored[i].last[0].state, RECIPIENT_RELAYED);
    assert_int_equal(w->tries_count, 3);
}

/* The store refuses the deferral only after the deletion has become durable. */
static void a_refused_record_does_not_overtake_a_newer_one(void **state)
{
    (void)state;
    w->answer = later;
    w->update_takes_ms = 100;
    w->update_faults = 2;
    send_one("b@far.test");
    run_for(50);
    assert_int_equal(w->update_faults, 1);
    w->update_faults = 0;
    assert_int_equal(act_on_id(w->stored[0].id, QUEUE_HOLD).messages, 1);
    run_for(10 * SECOND_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_HELD);
    assert_int_equal(act_on_id(w->stored[0].id, QUEUE_DELETE).messages, 1);
    run_for(10 * SECOND_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_DELETED);
}

static void what_a_refused_record_says_of_others_is_kept(void **state)
{
    (void)state;
    static const char *const to[] = { "a@far.test", "b@far.test" };
    w->answer = later;
    w->update_takes_ms = 100;
    w->update_faults = 2;
    arrive("a@me.test", to, 2, 0);
    run_for(50);
    w->update_faults = 0;
    w->answer = take;
    act_on_id(w->stored[0].id, QUEUE_RETRY);
    run_for(MINUTE_MS);
    assert_int_equal(w->stored[0].last[0].state, RECIPIENT_RELAYED);
    assert_int_equal(w->stored[0].last[1].state, RECIPIENT_RELAYED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_full_disk_delays_records_but_loses_none),
        TEST(a_refused_record_does_not_overtake_a_newer_one),
        TEST(what_a_refused_record_says_of_others_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
