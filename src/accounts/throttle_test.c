/* throttle_test.c: what guessing costs, in virtual time. */
#include "accounts/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct config_login rules = { .delay_ms = 1000, .delay_max_ms = 10000 };
static struct throttle *throttle;

static struct throttle_try try_from(struct net_address *client, const char *address,
                                    const char *account, int64_t now)
{
    assert_true(net_host_parse(slice_from_string(address), 25, client));
    return (struct throttle_try){ .client = client, .account = slice_from_string(account),
                                  .rules = &rules, .now.mono_ms = now };
}

static int64_t delay(const char *address, const char *account, int64_t now)
{
    struct net_address client;
    struct throttle_try t = try_from(&client, address, account, now);
    return throttle_delay_ms(throttle, &t);
}

static void fail_times(int times, const char *address, const char *account, int64_t now)
{
    struct net_address client;
    struct throttle_try t = try_from(&client, address, account, now);
    for (int i = 0; i < times; i++)
        throttle_failed(throttle, &t);
}

static void succeed(const char *address, const char *account, int64_t now)
{
    struct net_address client;
    struct throttle_try t = try_from(&client, address, account, now);
    throttle_succeeded(throttle, &t);
}

static void each_answer_takes_twice_as_long(void **state)
{
    (void)state;
    static const int64_t want[] = { 0, 0, 0, 1000, 2000, 4000, 8000, 10000, 10000 };
    assert_int_equal(throttle_open(100, &throttle), ERR_OK);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_int_equal(delay("192.0.2.1", "ann", 5), want[i]);
        fail_times(1, "192.0.2.1", "ann", 5);
    }
    fail_times(100000, "192.0.2.1", "ann", 5);
    assert_int_equal(delay("192.0.2.1", "ann", 5), 10000);
    /* The same client tries others, others try the same account; nobody else pays. */
    assert_int_equal(delay("192.0.2.1", "bob", 5), 10000);
    assert_int_equal(delay("192.0.2.2", "ann", 5), 10000);
    assert_int_equal(delay("192.0.2.2", "bob", 5), 0);
    throttle_close(&throttle);
}

static void it_is_forgotten(void **state)
{
    (void)state;
    assert_int_equal(throttle_open(100, &throttle), ERR_OK);
    fail_times(12, "2001:db8:0:1::1", "ann", 5);
    assert_int_equal(delay("2001:db8:0:1::2", "x", 6), 10000); /* the same /64 */
    assert_int_equal(delay("2001:db8:0:2::1", "x", 6), 0);
    assert_int_equal(delay("2001:db8:0:1::1", "x", 5 + 10 * MINUTE_MS), 8000);
    assert_int_equal(delay("2001:db8:0:1::1", "x", 5 + 20 * MINUTE_MS), 1000);
    assert_int_equal(delay("2001:db8:0:1::1", "x", 5 + 30 * MINUTE_MS), 0);
    assert_int_equal(delay("2001:db8:0:1::1", "x", 5 + 3000 * DAY_MS), 0);
    throttle_close(&throttle);
}

static void the_owner_does_not_pay_for_others(void **state)
{
    (void)state;
    assert_int_equal(throttle_open(100, &throttle), ERR_OK);
    succeed("192.0.2.9", "ann", 1);
    fail_times(100, "192.0.2.1", "ann", 5);
    assert_int_equal(delay("192.0.2.9", "ann", 6), 0);
    assert_int_equal(delay("192.0.2.10", "ann", 6), 10000);
    throttle_close(&throttle);
}

static void memory_is_bounded_and_the_oldest_go(void **state)
{
    (void)state;
    char name[32];
    assert_int_equal(throttle_open(100, &throttle), ERR_OK);
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "user%d", i);
        fail_times(4, "192.0.2.1", name, 5);
    }
    assert_int_equal(delay("192.0.2.2", "user0", 5), 0);
    assert_int_equal(delay("192.0.2.2", "user9999", 5), 2000);
    assert_int_equal(delay("192.0.2.1", "x", 5), 10000);
    throttle_close(&throttle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_takes_twice_as_long),
        cmocka_unit_test(it_is_forgotten),
        cmocka_unit_test(the_owner_does_not_pay_for_others),
        cmocka_unit_test(memory_is_bounded_and_the_oldest_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
