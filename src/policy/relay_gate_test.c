/* relay_gate_test.c: the forms of relay attempts, each from its senders.
 *
 * The rows are those that scanners for open relays send. What is no syntax never comes
 * to a gate: such a row must fail in the address parser.
 */
#include "policy/relay_gate.h"

#include "base/buffer.h"
#include "config/config.h"
#include "wire/smtp/address.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* A server for ourname with the one user u, relaying for friend.example. */
static enum err find(const struct config *config, struct slice address,
                     enum account_kind *out_kind)
{
    struct slice domain = envelope_domain(address);
    (void)config;
    if (slice_equal(address, SLICE("broken@ourname.example")))
        return ERR_MEMORY;
    if (slice_equal_nocase(address, SLICE("postmaster")))
        *out_kind = ACCOUNT_ALIAS;
    else if (slice_equal_nocase(domain, SLICE("friend.example")))
        *out_kind = ACCOUNT_RELAY;
    else if (!slice_equal_nocase(domain, SLICE("ourname.example")))
        *out_kind = ACCOUNT_FOREIGN;
    else
        *out_kind = slice_equal(address, SLICE("u@ourname.example")) ? ACCOUNT_USER
                                                                     : ACCOUNT_UNKNOWN;
    return ERR_OK;
}

enum { SYNTAX = 501 };

/* The code that a client gets for RCPT TO:`path`; 250 when it passes. */
static int rcpt(const char *path, bool client_is_trusted, struct smtp_status *out_status)
{
    struct gate *gate;
    struct gate_answer answer = { .action = GATE_DROP };
    struct smtp_address address;
    struct cursor c = cursor_over(slice_from_string(path));
    if (smtp_forward_path_parse(&c, SMTP_UTF8_REFUSED, &address) != SMTP_PATH_OK ||
        !cursor_at_end(&c))
        return SYNTAX;
    assert_int_equal(policy_relay_gate_open(find, &gate), ERR_OK);
    struct gate_question question = {
        .point = GATE_RCPT, .client_is_trusted = client_is_trusted,
        .recipient = address.text,
    };
    assert_int_equal(gate->ops->ask(gate, &question, &answer), GATE_ANSWERED);
    policy_relay_gate_close(&gate);
    assert_null(gate);
    if (answer.action == GATE_PASS)
        return 250;
    assert_int_equal(answer.action, GATE_REPLY);
    *out_status = answer.reply.status;
    return answer.reply.code;
}

static void test_relay(void **state)
{
    static const struct {
        int number;
        const char *path;
        int untrusted;
        int trusted;
    } rows[] = {
        { 58, "<r@out.example>", 550, 250 },
        { 62, "<r%out.example@[192.0.2.1]>", 550, 250 },
        { 63, "<r%out.example@ourname.example>", 550, 550 },
        { 64, "<\"r@out.example\">", SYNTAX, SYNTAX },
        { 65, "<\"r%out.example\">", SYNTAX, SYNTAX },
        { 66, "<r@out.example@[192.0.2.1]>", SYNTAX, SYNTAX },
        { 67, "<\"r@out.example\"@[192.0.2.1]>", 550, 250 },
        { 68, "<r@out.example@ourname.example>", SYNTAX, SYNTAX },
        { 0, "<\"r@out.example\"@ourname.example>", 550, 550 },
        { 69, "<@[192.0.2.1]:r@out.example>", 550, 250 },
        { 70, "<@ourname.example:r@out.example>", 550, 250 },
        { 71, "<out.example!r>", SYNTAX, SYNTAX },
        { 72, "<out.example!r@[192.0.2.1]>", 550, 250 },
        { 73, "<out.example!r@ourname.example>", 550, 550 },
        { 74, "<r@out.example.>", SYNTAX, SYNTAX },
        { 74, "<r@out.example@>", SYNTAX, SYNTAX },
        { 75, "<@ourname.example,@x.example:r@out.example>", 550, 250 },
        { 76, "<\"r@out.example\\\"@ourname.example>", SYNTAX, SYNTAX },
        { 77, "<r\\@out.example@ourname.example>", SYNTAX, SYNTAX },
        { 79, "<u@ourname.example>", 250, 250 },
        { 0, "<x@friend.example>", 250, 250 },
        { 0, "<nobody@ourname.example>", 550, 550 },
        { 0, "<Postmaster>", 250, 250 },
        { 0, "<broken@ourname.example>", 451, 451 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct smtp_status status;
        int untrusted = rcpt(rows[i].path, false, &status);
        int trusted = rcpt(rows[i].path, true, &status);
        if (untrusted != rows[i].untrusted || trusted != rows[i].trusted)
            fail_msg("%d %s: %d and %d", rows[i].number, rows[i].path, untrusted, trusted);
    }
}

static void test_codes(void **state)
{
    struct smtp_status status = { 0 };
    (void)state;
    assert_int_equal(rcpt("<r@out.example>", false, &status), 550);
    assert_int_equal(status.class * 100 + status.subject * 10 + status.detail, 571);
    assert_int_equal(rcpt("<no@ourname.example>", true, &status), 550);
    assert_int_equal(status.class * 100 + status.subject * 10 + status.detail, 511);
    assert_int_equal(rcpt("<broken@ourname.example>", true, &status), 451);
    assert_int_equal(status.class * 100 + status.subject * 10 + status.detail, 430);
}

static void test_other_points(void **state)
{
    static const enum gate_point points[] = { GATE_CONNECT, GATE_HELO, GATE_MAIL,
                                              GATE_HEADER, GATE_END };
    struct gate *gate;
    (void)state;
    assert_int_equal(policy_relay_gate_open(find, &gate), ERR_OK);
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        struct gate_question question = { .point = points[i] };
        struct gate_answer answer = { .action = GATE_DROP };
        assert_int_equal(gate->ops->ask(gate, &question, &answer), GATE_ANSWERED);
        assert_int_equal(answer.action, GATE_PASS);
    }
    policy_relay_gate_close(&gate);
    policy_relay_gate_close(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relay),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_other_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
