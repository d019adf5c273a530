/* rate_gate_test.c: what a client may ask for in a while, in virtual time. */
#include "policy/rate_gate.h"

#include "config/config.h"
#include "net/address.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct gate *gate;
static struct config config;
static bool is_trusted;
static const char *account;

static int ask(enum gate_point point, const char *client, int64_t now)
{
    struct gate_answer answer;
    struct net_address address;
    assert_true(net_host_parse(slice_from_string(client), 25, &address));
    struct gate_question q = {
        .point = point, .config = &config, .address = &address, .now.mono_ms = now,
        .client_is_trusted = is_trusted, .account = slice_from_string(account),
    };
    assert_int_equal(gate->ops->ask(gate, &q, &answer), GATE_ANSWERED);
    if (answer.action == GATE_PASS)
        return 0;
    assert_int_equal(answer.action, point == GATE_CONNECT ? GATE_CLOSE : GATE_REPLY);
    return answer.reply.code;
}

static int set_up(void **state)
{
    (void)state;
    config.client_limits = (struct config_client_limits){ .window_ms = 60000 };
    is_trusted = false;
    account = "";
    return policy_rate_gate_open(1000, &gate) == ERR_OK ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    policy_rate_gate_close(&gate);
    return 0;
}

static void each_thing_has_its_limit(void **state)
{
    (void)state;
    config.client_limits.connections = 2;
    config.client_limits.messages = 3;
    config.client_limits.recipients = 4;
    for (int i = 0; i < 2; i++)
        assert_int_equal(ask(GATE_CONNECT, "192.0.2.1", 5), 0);
    assert_int_equal(ask(GATE_CONNECT, "192.0.2.1", 5), 421);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(GATE_MAIL, "192.0.2.1", 5), 0);
    assert_int_equal(ask(GATE_MAIL, "192.0.2.1", 5), 450);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(GATE_RCPT, "192.0.2.1", 5), 0);
    assert_int_equal(ask(GATE_RCPT, "192.0.2.1", 5), 450);
    assert_int_equal(ask(GATE_CONNECT, "192.0.2.2", 5), 0);
    assert_int_equal(ask(GATE_CONNECT, "192.0.2.1", 120005), 0);
}

static void none_is_without_limit(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++)
        assert_int_equal(ask(GATE_CONNECT, "192.0.2.1", 5), 0);
}

static void a_network_has_four_times_as_much(void **state)
{
    (void)state;
    static const char *const clients[] = { "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4" };
    config.client_limits.connections = 5;
    for (int c = 0; c < 4; c++)
        for (int i = 0; i < 5; i++)
            assert_int_equal(ask(GATE_CONNECT, clients[c], 5), 0);
    assert_int_equal(ask(GATE_CONNECT, "192.0.2.5", 5), 421);
    assert_int_equal(ask(GATE_CONNECT, "192.0.3.5", 5), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(GATE_CONNECT, "2001:db8::1", 5), 0);
    assert_int_equal(ask(GATE_CONNECT, "2001:db8::2", 5), 421);
    assert_int_equal(ask(GATE_CONNECT, "2001:db8:0:1::2", 5), 0);
    for (int i = 0; i < 5; i++) /* the same client in other clothes */
        assert_int_equal(ask(GATE_CONNECT, "::ffff:198.51.100.1", 5), 0);
    assert_int_equal(ask(GATE_CONNECT, "198.51.100.1", 5), 421);
}

static void who_is_known_is_not_counted(void **state)
{
    (void)state;
    config.client_limits.connections = config.client_limits.messages = 1;
    is_trusted = true;
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask(GATE_CONNECT, "192.0.2.1", 5), 0);
    is_trusted = false;
    account = "ann@our.test";
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask(GATE_MAIL, "192.0.2.1", 5), 0);
    account = "";
    assert_int_equal(ask(GATE_MAIL, "192.0.2.1", 5), 0);
    assert_int_equal(ask(GATE_MAIL, "192.0.2.1", 5), 450);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_thing_has_its_limit), TEST(none_is_without_limit),
        TEST(a_network_has_four_times_as_much), TEST(who_is_known_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
