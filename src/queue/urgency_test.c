/* urgency_test.c: what is urgent goes first, within a domain and within a site (RFC 6710 5.1),
 * in virtual time. */
#include "queue/fake_world.h"

static void send_at(const char *to, int8_t priority)
{
    w->priority = priority;
    send_one(to);
}

/* Attempts take a while, so that what comes meanwhile waits. */
static void fill(void)
{
    w->takes_ms = SECOND_MS;
    send_at("x@first.far", 0);
    run_for(10);
}

static void within_a_domain(void **state)
{
    (void)state;
    static const int8_t priorities[] = { -9, -4, 0, -3, 1, 9, 0, -9 };
    fill();
    for (size_t i = 0; i < sizeof priorities; i++)
        send_at("x@first.far", priorities[i]);
    size_t begun = w->tries_count;
    run_for(MINUTE_MS);
    assert_int_equal(w->tries_count, 1 + sizeof priorities);
    unsigned last = 0;
    for (size_t i = begun; i < w->tries_count; i++) {
        int8_t p = priorities[w->tries[i].id.value - 2];
        unsigned level = p > 0 ? 0 : p > -4 ? 1 : 2;
        assert_true(level >= last);
        last = level;
    }
}

static void within_a_site(void **state)
{
    (void)state;
    fill();
    for (int i = 0; i < 12; i++)
        send_at("x@bulk.far", -4);
    run_for(10);
    size_t begun = w->tries_count;
    assert_in_range(begun, 1, 10); /* messages 2 to 13 are bulk */
    send_at("x@normal.far", 0);
    send_at("x@urgent.far", 4);
    run_for(MINUTE_MS);
    assert_int_equal(w->tries_count, 15);
    assert_int_equal(w->tries[begun].id.value, 15);
    assert_int_equal(w->tries[begun + 1].id.value, 14);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = { TEST(within_a_domain), TEST(within_a_site) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
