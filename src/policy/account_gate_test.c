/* account_gate_test.c: what an account may send in a while, in virtual time. */
#include "policy/account_gate.h"

#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct gate *gate;
static struct config config;

static int ask(enum gate_point point, const char *account, size_t recipients, uint64_t size,
               int64_t now)
{
    struct gate_answer answer;
    struct envelope envelope = { .recipients_count = recipients };
    struct gate_question q = {
        .point = point, .config = &config, .account = slice_from_string(account),
        .envelope = &envelope, .content_size = size, .now.mono_ms = now,
    };
    assert_int_equal(gate->ops->ask(gate, &q, &answer), GATE_ANSWERED);
    return answer.action == GATE_PASS ? 250 : answer.reply.code;
}

/* A whole message: the first code that is not 250. */
static int give(const char *account, size_t recipients, uint64_t size, int64_t now)
{
    int code = ask(GATE_MAIL, account, 0, 0, now);
    for (size_t i = 0; i < recipients && code == 250; i++)
        code = ask(GATE_RCPT, account, i, 0, now);
    return code != 250 ? code : ask(GATE_END, account, recipients, size, now);
}

static int open_gate(void **state)
{
    (void)state;
    config.account_limits = (struct config_account_limits){ .window_ms = 60000 };
    return policy_account_gate_open(10, &gate) == ERR_OK ? 0 : 1;
}

static int close_gate(void **state)
{
    (void)state;
    policy_account_gate_close(&gate);
    return 0;
}

static void messages_are_counted_when_they_are_taken(void **state)
{
    (void)state;
    config.account_limits.messages = 3;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(GATE_MAIL, "ann", 0, 0, 5), 250); /* given up: costs nothing */
        assert_int_equal(give("ann", 5, 1000, 5), 250);
    }
    assert_int_equal(give("ann", 1, 1, 59999), 450);
    assert_int_equal(give("bob", 1, 1, 59999), 250);
    assert_int_equal(give("", 1, 1, 59999), 250);
}

static void the_window_slides(void **state)
{
    (void)state;
    config.account_limits.messages = 10;
    for (int i = 0; i < 10; i++)
        assert_int_equal(give("ann", 1, 1, 59000), 250);
    assert_int_equal(give("ann", 1, 1, 60500), 250); /* 9.9 of them count still */
    assert_int_equal(give("ann", 1, 1, 60500), 450);
    assert_int_equal(give("ann", 1, 1, 90000), 250); /* 5 of them */
    assert_int_equal(give("ann", 1, 1, 300000), 250);
}

static void recipients_and_octets(void **state)
{
    (void)state;
    config.account_limits.recipients = 5;
    assert_int_equal(give("ann", 4, 1, 5), 250);
    assert_int_equal(give("ann", 1, 1, 5), 250);
    assert_int_equal(give("ann", 1, 1, 5), 450);
    assert_int_equal(give("bob", 6, 1, 5), 450);
    config.account_limits.recipients = 0;
    config.account_limits.bytes = 1000;
    assert_int_equal(give("cy", 1, 1000, 5), 250);
    assert_int_equal(give("cy", 1, 1, 5), 450);
    assert_int_equal(give("dan", 1, 1001, 5), 450);
    assert_int_equal(ask(GATE_RCPT, "dan", 0, 1001, 5), 450); /* SIZE= said so */
    assert_int_equal(give("dan", 1, UINT64_MAX, 5), 450);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    char name[16];
    config.account_limits.messages = 1;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "user%d", i);
        assert_int_equal(give(name, 1, 1, 5), 250);
    }
    assert_int_equal(give("user999", 1, 1, 5), 450);
    assert_int_equal(give("user0", 1, 1, 5), 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_are_counted_when_they_are_taken, open_gate,
                                        close_gate),
        cmocka_unit_test_setup_teardown(the_window_slides, open_gate, close_gate),
        cmocka_unit_test_setup_teardown(recipients_and_octets, open_gate, close_gate),
        cmocka_unit_test_setup_teardown(memory_is_bounded, open_gate, close_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
