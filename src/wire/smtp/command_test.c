/* command_test.c: lines, verbs and parameters of a client. */
#include "wire/smtp/command.h"
#include "wire/smtp/parameter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void lines_end_in_crlf_only(void **state)
{
    (void)state;
    static const struct { struct slice input; enum smtp_line_result want; size_t len; } cases[] = {
        { SLICE_INIT("NOOP\r\n"), SMTP_LINE_TAKEN, 4 },
        { SLICE_INIT("\r\n"), SMTP_LINE_TAKEN, 0 },
        { SLICE_INIT("A\r\nB\r\n"), SMTP_LINE_TAKEN, 1 },
        { SLICE_INIT(""), SMTP_LINE_NEED_MORE, 0 },
        { SLICE_INIT("NOOP"), SMTP_LINE_NEED_MORE, 0 },
        { SLICE_INIT("NOOP\r"), SMTP_LINE_NEED_MORE, 0 },
        { SLICE_INIT("NOOP\n"), SMTP_LINE_BARE_LINE_END, 0 },
        { SLICE_INIT("MAIL FROM:<a@b>\nRCPT TO:<c@d>\n"), SMTP_LINE_BARE_LINE_END, 0 },
        { SLICE_INIT("NO\rOP\r\n"), SMTP_LINE_BARE_LINE_END, 0 },
        { SLICE_INIT("NOOP\r\r\n"), SMTP_LINE_BARE_LINE_END, 0 },
        { SLICE_INIT("NO\0OP\r\n"), SMTP_LINE_NUL, 0 },
        { SLICE_INIT("01234567890123\r\n"), SMTP_LINE_TAKEN, 14 },
        { SLICE_INIT("012345678901234\r\n"), SMTP_LINE_TOO_LONG, 0 },
        { SLICE_INIT("0123456789012345\r\n"), SMTP_LINE_TOO_LONG, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice line = SLICE("untouched");
        size_t used = 99;
        enum smtp_line_result got = SMTP_LINE_NEED_MORE;
        for (size_t len = 0; len <= cases[i].input.len && got == SMTP_LINE_NEED_MORE; len++)
            got = smtp_line_take(slice_part(cases[i].input, 0, len), 16, &line, &used);
        assert_int_equal(got, cases[i].want);
        struct slice again = SLICE("untouched");
        assert_int_equal(smtp_line_take(cases[i].input, 16, &again, &used), cases[i].want);
        assert_true(slice_equal(line, again));
        if (got == SMTP_LINE_TAKEN) {
            assert_int_equal(line.len, cases[i].len);
            assert_int_equal(used, cases[i].len + 2);
        }
    }
    struct slice rest = SLICE("junk");
    assert_false(smtp_line_skip(&rest));
    rest = SLICE("junk\r\nNOOP\r\n");
    assert_true(smtp_line_skip(&rest));
    assert_true(slice_equal(rest, SLICE("NOOP\r\n")));
}

static void verbs_and_arguments(void **state)
{
    (void)state;
    static const struct {
        struct slice line;
        const char *verb, *argument;
        bool has_control;
    } cases[] = {
        { SLICE_INIT("NOOP"), "NOOP", "" },
        { SLICE_INIT("RSET\t"), "RSET", "" },
        { SLICE_INIT("QUIT \t "), "QUIT", "" },
        { SLICE_INIT("noop "), "noop", "" },
        { SLICE_INIT("EHLO  a.b \t"), "EHLO", "a.b" },
        { SLICE_INIT("MAIL FROM:<a@b> SIZE=1"), "MAIL", "FROM:<a@b> SIZE=1" },
        { SLICE_INIT("MAIL FROM:<\xc3\xbc@b>"), "MAIL", "FROM:<\xc3\xbc@b>" },
        { SLICE_INIT(""), NULL, NULL },
        { SLICE_INIT(" NOOP"), NULL, NULL },
        { SLICE_INIT("NOOP\tx"), NULL, NULL },
        { SLICE_INIT("NO-OP"), NULL, NULL },
        { SLICE_INIT("NOOP a\x1b[2J"), "NOOP", "a\x1b[2J", true },
        { SLICE_INIT("NOOP a\tb"), "NOOP", "a\tb" },
        { SLICE_INIT("NOOP\x7f"), NULL, NULL },
        { SLICE_INIT("\x16\x03\x01"), NULL, NULL },
        { SLICE_INIT("123"), NULL, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct smtp_command c;
        bool good = smtp_command_parse(cases[i].line, &c);
        assert_int_equal(good, cases[i].verb != NULL);
        if (!good)
            continue;
        assert_true(slice_equal(c.verb, slice_from_string(cases[i].verb)));
        assert_true(slice_equal(c.argument, slice_from_string(cases[i].argument)));
        assert_int_equal(c.has_control, cases[i].has_control);
    }
}

static void bdat_arguments(void **state)
{
    (void)state;
    static const struct { struct slice argument; bool good; uint64_t size; bool last; } cases[] = {
        { SLICE_INIT("0"), true, 0, false }, { SLICE_INIT("5 LAST"), true, 5, true },
        { SLICE_INIT("5 last"), true, 5, true }, { SLICE_INIT("18446744073709551615"), true, UINT64_MAX, false },
        { SLICE_INIT("99999999999999999999 LAST"), false, 0, false },
        { SLICE_INIT("-1"), false, 0, false }, { SLICE_INIT("0x10"), false, 0, false },
        { SLICE_INIT("1e9"), false, 0, false }, { SLICE_INIT(""), false, 0, false },
        { SLICE_INIT("5 FIRST"), false, 0, false }, { SLICE_INIT("5LAST"), false, 0, false },
        { SLICE_INIT("\x7f"), false, 0, false }, { SLICE_INIT("5 LAST x"), false, 0, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t size = 77;
        bool last = false;
        assert_int_equal(smtp_bdat_parse(cases[i].argument, &size, &last), cases[i].good);
        assert_int_equal(size, cases[i].good ? cases[i].size : 77);
        assert_int_equal(last, cases[i].last);
    }
}

static void parameters_one_by_one(void **state)
{
    (void)state;
    struct cursor c = cursor_over(SLICE(" SIZE=10  Body=8BITMIME SMTPUTF8 X-Y=\xc3\xa9 "));
    static const struct { enum smtp_keyword keyword; const char *value; bool has; } want[] = {
        { SMTP_KEYWORD_SIZE, "10", true }, { SMTP_KEYWORD_BODY, "8BITMIME", true },
        { SMTP_KEYWORD_SMTPUTF8, "", false }, { SMTP_KEYWORD_UNKNOWN, "\xc3\xa9", true },
    };
    struct smtp_parameter p;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(smtp_parameter_next(&c, &p), SMTP_PARAMETER_TAKEN);
        assert_int_equal(p.keyword, want[i].keyword);
        assert_int_equal(p.has_value, want[i].has);
        assert_true(slice_equal(p.value, slice_from_string(want[i].value)));
    }
    assert_int_equal(smtp_parameter_next(&c, &p), SMTP_PARAMETER_END);
    static const struct slice bad[] = {
        SLICE_INIT("SIZE=1"), SLICE_INIT(" ="), SLICE_INIT(" =\""), SLICE_INIT(" SIZE="),
        SLICE_INIT(" SIZE=1=2"), SLICE_INIT(" -A=1"), SLICE_INIT(" A\t"), SLICE_INIT(" A=\x01"),
        SLICE_INIT(" A=\xff"), SLICE_INIT(" \xc3\xa9=1"), SLICE_INIT(" A=b\0"), SLICE_INIT(" A=\x7f"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        c = cursor_over(bad[i]);
        assert_int_equal(smtp_parameter_next(&c, &p), SMTP_PARAMETER_SYNTAX);
    }
}

static void xtext_both_ways(void **state)
{
    (void)state;
    struct buffer encoded, decoded;
    buffer_init(&encoded, 4096);
    buffer_init(&decoded, 4096);
    char all[256];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)i;
    smtp_xtext_encode(slice_make(all, sizeof all), &encoded);
    assert_true(smtp_xtext_decode(buffer_slice(&encoded), &decoded));
    assert_true(slice_equal(buffer_slice(&decoded), slice_make(all, sizeof all)));
    static const struct slice bad[] = {
        SLICE_INIT("+"), SLICE_INIT("+2"), SLICE_INIT("+2G"), SLICE_INIT("a=b"), SLICE_INIT("a b"), SLICE_INIT("\xc3"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(smtp_xtext_decode(bad[i], &decoded));
    buffer_free(&encoded);
    buffer_free(&decoded);
}

static void typed_values(void **state)
{
    (void)state;
    uint64_t size = 7;
    assert_true(smtp_size_parse(SLICE("0"), &size) && size == 0);
    assert_true(smtp_size_parse(SLICE("99999999999999999999"), &size) && size == UINT64_MAX);
    size = 7;
    assert_false(smtp_size_parse(SLICE("999999999999999999999"), &size));
    assert_false(smtp_size_parse(SLICE("-1"), &size));
    assert_false(smtp_size_parse(SLICE("9e99"), &size));
    assert_false(smtp_size_parse(SLICE(""), &size));
    assert_int_equal(size, 7);
    enum smtp_body body = SMTP_BODY_7BIT;
    assert_true(smtp_body_parse(SLICE("binarymime"), &body) && body == SMTP_BODY_BINARYMIME);
    assert_false(smtp_body_parse(SLICE("9BIT"), &body));
    enum smtp_ret ret = SMTP_RET_UNSPECIFIED;
    assert_true(smtp_ret_parse(SLICE("hdrs"), &ret) && ret == SMTP_RET_HEADERS);
    assert_false(smtp_ret_parse(SLICE(""), &ret));
    static const struct { struct slice value; int notify; } notify[] = {
        { SLICE_INIT("NEVER"), 1 }, { SLICE_INIT("SUCCESS"), 2 }, { SLICE_INIT("failure,delay"), 12 },
        { SLICE_INIT("SUCCESS,FAILURE,DELAY"), 14 }, { SLICE_INIT("NEVER,SUCCESS"), -1 },
        { SLICE_INIT("SUCCESS,NEVER"), -1 }, { SLICE_INIT("SUCCESS,SUCCESS"), 2 }, { SLICE_INIT(""), -1 },
        { SLICE_INIT("SUCCESS,"), -1 }, { SLICE_INIT(",SUCCESS"), -1 }, { SLICE_INIT("SOMETIMES"), -1 },
    };
    for (size_t i = 0; i < sizeof notify / sizeof *notify; i++) {
        uint8_t got = 0;
        assert_int_equal(smtp_notify_parse(notify[i].value, &got), notify[i].notify > 0);
        assert_int_equal(got, notify[i].notify > 0 ? notify[i].notify : 0);
    }
    assert_true(smtp_envid_is_valid(SLICE("QQ314159+2B")));
    assert_false(smtp_envid_is_valid(SLICE("a+0D+0Ab")));
    assert_false(smtp_envid_is_valid(SLICE("a+2bc")));
    assert_false(smtp_envid_is_valid(SLICE("")));
    char many[101];
    memset(many, 'x', sizeof many);
    assert_true(smtp_envid_is_valid(slice_make(many, 100)));
    assert_false(smtp_envid_is_valid(slice_make(many, 101)));
}

static void orcpt_and_auth(void **state)
{
    (void)state;
    static const struct { struct slice value; const char *address; } cases[] = {
        { SLICE_INIT("rfc822;a+2Bb@c"), "a+b@c" }, { SLICE_INIT("RFC822;a@b"), "a@b" },
        { SLICE_INIT("rfc822;a+0D+0AX@b"), "a??X@b" },
        { SLICE_INIT("utf-8;b\\x{FC}cher@d"), "b\xc3\xbc" "cher@d" },
        { SLICE_INIT("utf-8;b\xc3\xbc" "cher@d"), "b\xc3\xbc" "cher@d" },
        { SLICE_INIT("utf-8;a\\x{2B}b\\x{1F600}@d"), "a+b\xf0\x9f\x98\x80@d" },
        { SLICE_INIT("utf-8;a+2Bb@d"), "a+b@d" },
        { SLICE_INIT("utf-8;a\\x{D800}@d"), NULL }, { SLICE_INIT("utf-8;a\\x{110000}@d"), NULL },
        { SLICE_INIT("utf-8;a\\x{1@d"), NULL }, { SLICE_INIT("utf-8;a\\x{}@d"), NULL },
        { SLICE_INIT("utf-8;a\\y"), NULL }, { SLICE_INIT("utf-8;\xff"), NULL },
        { SLICE_INIT("rfc822;b\xc3\xbc"), NULL }, { SLICE_INIT("rfc822;"), "" },
        { SLICE_INIT("x_y.z;a"), NULL }, { SLICE_INIT("x_y;a"), "a" }, { SLICE_INIT("\xc3\xa9;a"), NULL },
        { SLICE_INIT(";a@b"), NULL }, { SLICE_INIT("rfc822"), NULL }, { SLICE_INIT("rfc822;a=b"), NULL },
        { SLICE_INIT("rf c;a"), NULL },
    };
    struct buffer out;
    buffer_init(&out, 4096);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct smtp_orcpt orcpt;
        bool good = smtp_orcpt_parse(cases[i].value, &orcpt);
        assert_int_equal(good, cases[i].address != NULL);
        if (!good)
            continue;
        buffer_clear(&out);
        smtp_orcpt_append_address(&out, &orcpt);
        assert_true(slice_equal(buffer_slice(&out), slice_from_string(cases[i].address)));
    }
    struct slice mailbox = SLICE("x");
    buffer_clear(&out);
    assert_true(smtp_auth_parse(SLICE("<>"), &out, &mailbox) && mailbox.len == 0);
    assert_true(smtp_auth_parse(SLICE("e+3Dmc2@example.com"), &out, &mailbox));
    assert_true(slice_equal(mailbox, SLICE("e=mc2@example.com")));
    assert_false(smtp_auth_parse(SLICE("a+0Ab"), &out, &mailbox));
    assert_false(smtp_auth_parse(SLICE(""), &out, &mailbox));
    buffer_free(&out);
}

static void test_hold_values(void **state)
{
    (void)state;
    static const struct { const char *value; int64_t seconds; } times[] = {
        { "1970-01-01T00:00:00Z", 0 }, { "2026-11-27T12:20:05Z", 1795782005 },
        { "2000-02-29t23:59:59z", 951868799 }, { "2016-12-31T23:59:60Z", 1483228800 },
        { "2026-11-27T12:20:05.000Z", 1795782005 }, { "2026-11-27T12:20:05.001Z", 1795782006 },
        { "9999-12-31T23:59:59Z", 253402300799 },
        { "2026-02-29T00:00:00Z", -1 }, { "1900-02-28T00:00:00Z", -1 },
        { "2100-02-29T00:00:00Z", -1 }, { "2026-13-01T00:00:00Z", -1 },
        { "2026-00-01T00:00:00Z", -1 }, { "2026-01-00T00:00:00Z", -1 },
        { "2026-01-01T24:00:00Z", -1 }, { "2026-01-01T00:60:00Z", -1 },
        { "2026-01-01T00:00:61Z", -1 }, { "2026-01-01T00:00:00", -1 },
        { "2026-01-01T00:00:00+00:00", -1 }, { "2026-01-01 00:00:00Z", -1 },
        { "2026-01-01T00:00:00.Z", -1 }, { "2026-01-01T00:00:00Zx", -1 },
        { "26-01-01T00:00:00Z", -1 }, { "+026-01-01T00:00:00Z", -1 }, { "", -1 },
    };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        int64_t wall_ms = -1000;
        bool good = smtp_date_time_parse(slice_from_string(times[i].value), &wall_ms);
        if (good != (times[i].seconds >= 0) || wall_ms != times[i].seconds * 1000)
            fail_msg("%s: %lld", times[i].value, (long long)wall_ms);
    }
    struct buffer out;
    buffer_init(&out, 100);
    smtp_date_time_append(&out, 1795782005999);
    assert_true(slice_equal(buffer_slice(&out), SLICE("2026-11-27T12:20:05Z")));
    buffer_free(&out);
    uint32_t seconds = 7;
    assert_true(smtp_hold_for_parse(SLICE("999999999"), &seconds) && seconds == 999999999);
    assert_true(smtp_hold_for_parse(SLICE("1"), &seconds) && seconds == 1);
    assert_false(smtp_hold_for_parse(SLICE("0"), &seconds));
    assert_false(smtp_hold_for_parse(SLICE("1000000000"), &seconds));
    assert_false(smtp_hold_for_parse(SLICE("-1"), &seconds));
    assert_false(smtp_hold_for_parse(SLICE(""), &seconds));
    assert_int_equal(seconds, 1);
}

static void test_by(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "1", "1;", ";R", "1;X", "1;RX", "1;NTT", "0;R", "-1;R", "+0;R", "1000000000;N", "--1;N",
        "1.5;N", " 1;N", "1;N ", "1;TN", "+-1;N",
    };
    struct smtp_by by = { .seconds = 77 };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (smtp_by_parse(slice_from_string(bad[i]), &by))
            fail_msg("'%s' is taken", bad[i]);
    assert_int_equal(by.seconds, 77);
    assert_true(smtp_by_parse(SLICE("120;R"), &by));
    assert_true(by.seconds == 120 && by.returns && !by.traces);
    assert_true(smtp_by_parse(SLICE("-999999999;nt"), &by));
    assert_true(by.seconds == -999999999 && !by.returns && by.traces);
    assert_true(smtp_by_parse(SLICE("+0;N"), &by));
    assert_true(by.seconds == 0 && !by.returns && !by.traces);
}

static void test_priorities(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "-", "-0", "00", "10", "-10", "+1", "x", "1 ", "1.0" };
    int8_t priority = 77;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(smtp_priority_parse(slice_from_string(bad[i]), &priority));
    assert_int_equal(priority, 77);
    assert_true(smtp_priority_parse(SLICE("0"), &priority) && priority == 0);
    assert_true(smtp_priority_parse(SLICE("9"), &priority) && priority == 9);
    assert_true(smtp_priority_parse(SLICE("-9"), &priority) && priority == -9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_priorities), cmocka_unit_test(test_by),
        cmocka_unit_test(test_hold_values),
        cmocka_unit_test(lines_end_in_crlf_only),
        cmocka_unit_test(verbs_and_arguments),
        cmocka_unit_test(bdat_arguments),
        cmocka_unit_test(parameters_one_by_one),
        cmocka_unit_test(xtext_both_ways),
        cmocka_unit_test(typed_values),
        cmocka_unit_test(orcpt_and_auth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
