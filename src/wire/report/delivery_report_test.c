/* delivery_report_test.c: the fields of RFC 3464, written by the rules and otherwise. */
#include "wire/report/delivery_report.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void is(struct slice got, const char *wanted)
{
    if (!slice_equal(got, slice_from_string(wanted)))
        fail_msg("'%.*s', not '%s'", (int)got.len, got.data, wanted);
}

static const struct slice whole = SLICE_INIT(
    "Reporting-MTA: dns; mx.example.com\r\nOriginal-Envelope-Id: QQ314\r\n"
    "Arrival-Date: Tue, 1 Jul 2003 10:52:37 +0200\r\nDSN-Gateway: dns; gw.example\r\n"
    "Received-From-MTA: dns; client.example\r\n\r\n"
    "Original-Recipient: rfc822;a@example.org\r\nFinal-Recipient: rfc822; <b@example.org>\r\n"
    "Action: failed (for good)\r\nStatus: 5.1.1 (no such user)\r\n"
    "Remote-MTA: dns; mx.example.org\r\n"
    "Diagnostic-Code: smtp; 550 5.1.1\r\n  unknown\r\nLast-Attempt-Date: yesterday\r\n"
    "Final-Log-ID: 17\r\n\r\n"
    "Final-Recipient: rfc822;c@example.org\r\nAction: Delayed\r\nStatus: 4.4.1\r\n"
    "Will-Retry-Until: tomorrow\r\n");

static void test_whole(void **state)
{
    (void)state;
    struct arena arena;
    struct delivery_report report;
    arena_init(&arena, 1 << 20);
    assert_true(delivery_report_parse(whole, &arena, &report));
    is(report.reporting_mta.type, "dns");
    is(report.reporting_mta.value, "mx.example.com");
    is(report.original_envelope_id, "QQ314");
    is(report.arrival_date, "Tue, 1 Jul 2003 10:52:37 +0200");
    is(report.dsn_gateway.value, "gw.example");
    is(report.received_from_mta.value, "client.example");
    assert_int_equal(report.recipients_count, 2);
    const struct delivery_recipient *r = report.recipients;
    is(delivery_address(&r->original_recipient), "a@example.org");
    is(delivery_address(&r->final_recipient), "b@example.org");
    is(slice_from_string(delivery_action_name(r->action)), "failed");
    assert_int_equal(r->status.class, 5);
    assert_int_equal(r->status.subject, 1);
    assert_int_equal(r->status.detail, 1);
    is(r->status_comment, "(no such user)");
    is(r->remote_mta.value, "mx.example.org");
    is(r->diagnostic.type, "smtp");
    is(r->diagnostic.value, "550 5.1.1 unknown");
    is(r->last_attempt_date, "yesterday");
    is(r->final_log_id, "17");
    assert_int_equal(r[1].action, DELIVERY_ACTION_DELAYED);
    is(r[1].will_retry_until, "tomorrow");
    arena_free(&arena);
}

static void test_groups(void **state)
{
    (void)state;
    static const struct { struct slice content; size_t recipients; } cases[] = {
        { SLICE_INIT(""), 0 },
        { SLICE_INIT("Reporting-MTA: dns;x\r\n"), 0 },
        { SLICE_INIT("Reporting-MTA: dns;x\r\nFinal-Recipient: rfc822;a@b\r\n"), 1 },
        { SLICE_INIT("Action: failed\r\nStatus: 5.0.0\r\nFinal-Recipient: rfc822;a@b\r\n"), 1 },
        { SLICE_INIT("Original-Recipient: rfc822;x@y\r\nFinal-Recipient: rfc822;a@b\r\n"), 1 },
        { SLICE_INIT("Final-Recipient: rfc822;a@b\r\nFinal-Recipient: rfc822;c@d\r\n"), 2 },
        { SLICE_INIT("Final-Recipient: rfc822;a@b\r\n \r\nFinal-Recipient: rfc822;c@d\r\n"), 2 },
        { SLICE_INIT("Final-Recipient: rfc822;a@b\r\n\r\nX-Note: none\r\n"), 1 },
        { SLICE_INIT("\r\n\r\n\r\nAction: failed"), 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena;
        struct delivery_report report;
        arena_init(&arena, 1 << 20);
        assert_true(delivery_report_parse(cases[i].content, &arena, &report));
        assert_int_equal(report.recipients_count, cases[i].recipients);
        arena_free(&arena);
    }
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct { struct slice type, value; const char *address; } cases[] = {
        { SLICE_INIT("rfc822"), SLICE_INIT("a@b"), "a@b" },
        { SLICE_INIT("RFC822"), SLICE_INIT("< a@b >"), "a@b" },
        { SLICE_INIT("utf-8"), SLICE_INIT("a@b"), "a@b" },
        { SLICE_INIT(""), SLICE_INIT("A B <a@b>"), "a@b" },
        { SLICE_INIT("x400"), SLICE_INIT("a@b"), "" },
        { SLICE_INIT("rfc822"), SLICE_INIT("nobody"), "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct delivery_typed typed = { cases[i].type, cases[i].value };
        is(delivery_address(&typed), cases[i].address);
    }
}

static void test_too_many(void **state)
{
    (void)state;
    struct arena arena;
    struct delivery_report report;
    struct buffer content;
    buffer_init(&content, 1 << 20);
    arena_init(&arena, 1 << 24);
    for (int i = 0; i < DELIVERY_REPORT_RECIPIENTS_MAX; i++)
        buffer_append(&content, SLICE("Final-Recipient: rfc822;a@b\r\n\r\n"));
    assert_true(delivery_report_parse(buffer_slice(&content), &arena, &report));
    assert_false(report.is_cut);
    buffer_append(&content, SLICE("Final-Recipient: rfc822;last@b\r\n\r\n"));
    assert_true(delivery_report_parse(buffer_slice(&content), &arena, &report));
    assert_int_equal(report.recipients_count, DELIVERY_REPORT_RECIPIENTS_MAX);
    assert_true(report.is_cut);
    arena_free(&arena);
    arena_init(&arena, 100);
    assert_false(delivery_report_parse(whole, &arena, &report));
    arena_free(&arena);
    buffer_free(&content);
}

/* What has been read stays the same when more comes. */
static void test_truncated(void **state)
{
    (void)state;
    for (size_t len = 0; len < whole.len; len++) {
        struct arena arena;
        struct delivery_report report;
        struct buffer exact;
        buffer_init(&exact, len + 1);
        buffer_append(&exact, slice_part(whole, 0, len));
        arena_init(&arena, 1 << 20);
        assert_true(delivery_report_parse(buffer_slice(&exact), &arena, &report));
        assert_true(report.recipients_count <= 2);
        if (report.recipients_count == 2)
            is(delivery_address(&report.recipients[0].final_recipient), "b@example.org");
        arena_free(&arena);
        buffer_free(&exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole), cmocka_unit_test(test_groups),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
