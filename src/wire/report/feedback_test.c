/* feedback_test.c: the fields of RFC 5965 and RFC 6591. */
#include "wire/report/feedback.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct slice whole = SLICE_INIT(
    "Feedback-Type: auth-failure\r\nUser-Agent: Some/1.0\r\nVersion: 1\r\n"
    "Original-Envelope-Id: 17\r\nOriginal-Mail-From: <a@b>\r\nOriginal-Rcpt-To: <c@d>\r\n"
    "Original-Rcpt-To: <e@f>\r\nReceived-Date: old\r\nArrival-Date: new\r\n"
    "Reporting-MTA: dns; mx\r\nSource-IP: 192.0.2.1\r\nSource-Port: 25\r\nIncidents: 3\r\n"
    "Authentication-Results: mx;\r\n spf=fail\r\nReported-Domain: b\r\nReported-URI: u1\r\n"
    "Reported-URI: u2\r\nAuth-Failure: bodyhash\r\nDelivery-Result: reject\r\n"
    "Identity-Alignment: none\r\nDKIM-ADSP-DNS: q\r\nDKIM-Canonicalized-Body: YQ\r\n ==\r\n"
    "DKIM-Canonicalized-Header: Yg==\r\nDKIM-Domain: b\r\nDKIM-Identity: @b\r\n"
    "DKIM-Selector: s\r\nDKIM-Selector-DNS: r\r\nSPF-DNS: txt\r\nX-Unknown: x\r\n"
    "Feedback-Type: abuse\r\n");

static void is(struct slice got, const char *wanted)
{
    if (!slice_equal(got, slice_from_string(wanted)))
        fail_msg("'%.*s', not '%s'", (int)got.len, got.data, wanted);
}

static void test_whole(void **state)
{
    (void)state;
    struct arena arena;
    struct feedback f;
    arena_init(&arena, 1 << 16);
    feedback_parse(whole, &arena, &f);
    is(f.feedback_type, "auth-failure");
    is(f.user_agent, "Some/1.0");
    is(f.version, "1");
    is(f.original_envelope_id, "17");
    is(f.original_mail_from, "<a@b>");
    assert_int_equal(f.original_rcpt_to.count, 2);
    is(f.original_rcpt_to.items[1], "<e@f>");
    is(f.arrival_date, "old");
    is(f.reporting_mta, "dns; mx");
    is(f.source_ip, "192.0.2.1");
    is(f.source_port, "25");
    is(f.incidents, "3");
    is(f.authentication_results.items[0], "mx;\n spf=fail");
    is(f.reported_domain.items[0], "b");
    assert_int_equal(f.reported_uri.count, 2);
    is(f.auth_failure, "bodyhash");
    is(f.delivery_result, "reject");
    is(f.identity_alignment, "none");
    is(f.dkim_adsp_dns, "q");
    is(f.dkim_canonicalized_body, "YQ\n ==");
    is(f.dkim_canonicalized_header, "Yg==");
    is(f.dkim_domain, "b");
    is(f.dkim_identity, "@b");
    is(f.dkim_selector, "s");
    is(f.dkim_selector_dns, "r");
    is(f.spf_dns, "txt");
    arena_free(&arena);
}

static void test_too_many(void **state)
{
    (void)state;
    struct arena arena;
    struct feedback f;
    struct buffer content;
    buffer_init(&content, 1 << 16);
    arena_init(&arena, 1 << 20);
    for (int i = 0; i <= FEEDBACK_LIST_MAX; i++)
        buffer_append_format(&content, "Reported-URI: %d\r\n", i);
    feedback_parse(buffer_slice(&content), &arena, &f);
    assert_int_equal(f.reported_uri.count, FEEDBACK_LIST_MAX);
    is(f.reported_uri.items[FEEDBACK_LIST_MAX - 1], "63");
    buffer_free(&content);
    arena_free(&arena);
}

static void test_truncated(void **state)
{
    (void)state;
    for (size_t len = 0; len < whole.len; len++) {
        struct arena arena;
        struct feedback f;
        struct buffer exact;
        buffer_init(&exact, len + 1);
        buffer_append(&exact, slice_part(whole, 0, len));
        arena_init(&arena, 1 << 16);
        feedback_parse(buffer_slice(&exact), &arena, &f);
        assert_true(len < 29 || slice_equal(f.feedback_type, SLICE("auth-failure")));
        assert_true(f.original_rcpt_to.count <= 2);
        arena_free(&arena);
        buffer_free(&exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole), cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
