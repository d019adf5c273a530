/* dsn_test.c: reports are well formed whatever peers have said. */
#include "wire/report/dsn.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "wire/message/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct dsn plain(const struct dsn_recipient *recipients, size_t count)
{
    return (struct dsn){
        .host = SLICE("mx.example.com"), .sender = SLICE("a@example.org"),
        .message_id = SLICE("r1@mx.example.com"), .boundary = SLICE("b0undary"),
        .wall_ms = 1057049557000, .zone_minutes = 120, .arrival_wall_ms = 1057049000000,
        .envid = SLICE("QQ+2B1"), .original_id = SLICE("o1@example.org"),
        .queue_id = SLICE("0123456789abc"), .original = DSN_ORIGINAL_HEADER,
        .recipients = recipients, .recipients_count = count,
    };
}

static bool holds(struct slice s, const char *text)
{
    return memmem(s.data, s.len, text, strlen(text)) != NULL;
}

static void make(struct buffer *out, const struct dsn *dsn, struct slice original)
{
    buffer_init(out, 1 << 20);
    dsn_append_head(out, dsn);
    buffer_append(out, original);
    dsn_append_tail(out, dsn);
    assert_false(out->overflow);
}

/* Every line ends in CRLF and is short; no other control byte; 7-bit if promised;
 * as many parts as there should be. */
static void check_form(struct slice s, const struct dsn *dsn, size_t parts)
{
    struct slice rest = s;
    struct slice line;
    size_t delimiters = 0;
    assert_true(slice_ends_with_nocase(s, SLICE("\r\n")));
    while (slice_split(&rest, '\n', &line)) {
        assert_true(line.len > 0 && line.data[line.len - 1] == '\r');
        assert_true(line.len <= 600);
        for (size_t i = 0; i + 1 < line.len; i++)
            assert_true(!ascii_is_control(line.data[i]) || line.data[i] == '\t');
        delimiters += slice_equal(line, SLICE("--b0undary\r"));
    }
    assert_int_equal(delimiters, parts);
    assert_true(utf8_is_valid(s));
    if (!dsn_is_8bit(dsn))
        assert_true(slice_is_ascii(s));
}

static const struct dsn_recipient failed = {
    .action = DSN_FAILED, .address = SLICE_INIT("b@example.com"),
    .orcpt = SLICE_INIT("rfc822;list+2Bx@example.com"), .status = { 5, 1, 1 }, .code = 550,
    .text = SLICE_INIT("No such user\nSee https://example.com/help"), .text_is_remote = true,
    .remote = SLICE_INIT("mail.example.com[192.0.2.1]:25"), .last_attempt_wall_ms = 1057049550000,
};

static void a_failure_says_everything(void **state)
{
    (void)state;
    struct buffer out;
    struct dsn dsn = plain(&failed, 1);
    dsn.hold_request = SLICE("for;3600");
    make(&out, &dsn, SLICE("Subject: hello\r\n"));
    struct slice s = buffer_slice(&out);
    check_form(s, &dsn, 3);
    assert_true(holds(s, "\r\nFrom: Mail Delivery System <mailer-daemon@mx.example.com>\r\n"));
    assert_true(holds(s, "\r\nTo: <a@example.org>\r\n"));
    assert_true(holds(s, "\r\nAuto-Submitted: auto-replied\r\n"));
    assert_true(holds(s, "\r\nReferences: <o1@example.org>\r\n"));
    assert_true(holds(s, "report-type=delivery-status;\r\n\tboundary=\"b0undary\"\r\n"));
    assert_true(holds(s,
        "Content-Type: message/delivery-status\r\n\r\n"
        "Original-Envelope-Id: QQ+1\r\n"
        "Reporting-MTA: dns; mx.example.com\r\n"
        "Arrival-Date: Tue, 1 Jul 2003 10:43:20 +0200\r\n"
        "Future-Release-Request: for;3600\r\n"
        "\r\n"
        "Original-Recipient: rfc822; list+x@example.com\r\n"
        "Final-Recipient: rfc822; b@example.com\r\n"
        "Action: failed\r\n"
        "Status: 5.1.1\r\n"
        "Remote-MTA: dns; mail.example.com\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 No such user See https://example.com/help\r\n"
        "Last-Attempt-Date: Tue, 1 Jul 2003 10:52:30 +0200\r\n"
        "\r\n--b0undary\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: hello\r\n"
        "\r\n--b0undary--\r\n"));
    assert_true(holds(s, "The mail server mail.example.com said:\r\n        550 5.1.1 No such user"));
    assert_true(holds(s, "This address does not exist there."));
    assert_true(holds(s, "0123456789abc"));
    struct cursor c = cursor_over(s);
    struct header_field f;
    size_t fields = 0;
    while (header_next(&c, &f) == HEADER_FIELD)
        fields++;
    assert_int_equal(fields, 10);
    buffer_free(&out);
}

static void each_action_has_its_words(void **state)
{
    (void)state;
    static const struct { enum dsn_action action; const char *subject, *status, *words; } cases[] = {
        { DSN_FAILED, "could not be delivered", "Action: failed\r\nStatus: 5.0.0\r\n", "What you can do:" },
        { DSN_DELAYED, "is delayed", "Action: delayed\r\nStatus: 4.0.0\r\n", "you need not send it again" },
        { DSN_DELIVERED, "was delivered", "Action: delivered\r\nStatus: 2.0.0\r\n", "The message was delivered." },
        { DSN_RELAYED, "was delivered", "Action: relayed\r\nStatus: 2.0.0\r\n", "handed over" },
        { DSN_EXPANDED, "was delivered", "Action: expanded\r\nStatus: 2.0.0\r\n", "to a list" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer out;
        struct dsn_recipient r = { .action = cases[i].action, .address = SLICE("b@c"),
                                   .retry_until_wall_ms = 1057049557000 };
        struct dsn dsn = plain(&r, 1);
        dsn.original = DSN_ORIGINAL_NONE;
        make(&out, &dsn, SLICE(""));
        struct slice s = buffer_slice(&out);
        check_form(s, &dsn, 2);
        assert_true(holds(s, cases[i].subject));
        assert_true(holds(s, cases[i].status));
        assert_true(holds(s, cases[i].words));
        assert_int_equal(holds(s, "Will-Retry-Until: "), cases[i].action == DSN_DELAYED);
        assert_false(holds(s, "Diagnostic-Code"));
        assert_false(holds(s, "Remote-MTA"));
        buffer_free(&out);
    }
}

static void several_recipients_are_told_apart(void **state)
{
    (void)state;
    struct buffer out;
    struct dsn_recipient r[3] = { failed, failed, failed };
    r[1].action = DSN_DELIVERED;
    r[2].text_is_remote = false;
    r[2].remote = SLICE("/var/mail/x");
    struct dsn dsn = plain(r, 3);
    dsn.original = DSN_ORIGINAL_WHOLE;
    make(&out, &dsn, SLICE("Subject: x\r\n\r\nno end of line"));
    struct slice s = buffer_slice(&out);
    check_form(s, &dsn, 3);
    assert_true(holds(s, "some of its recipients"));
    assert_true(holds(s, "Diagnostic-Code: x-godwit; No such user"));
    assert_true(holds(s, "Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nno end of line\r\n--b0undary--\r\n"));
    buffer_free(&out);
}

/* HOSTILE 113: nothing that a server says can begin a line of its own. */
static void nothing_is_injected(void **state)
{
    (void)state;
    char evil[6000];
    static const char pattern[] = "x\r\n\r\n--b0undary\r\nInjected: y\n.\n\0\x1b[2J\xff\xc3\xa9 ";
    for (size_t i = 0; i < sizeof evil; i++)
        evil[i] = pattern[i % (sizeof pattern - 1)];
    struct slice all = slice_make(evil, sizeof evil);
    char longest[6000];
    memset(longest, 'x', sizeof longest);
    const struct slice texts[] = { all, slice_make(longest, sizeof longest), slice_from(all, 3) };
    for (size_t i = 0; i < 3; i++) {
        struct buffer out;
        struct dsn_recipient r = failed;
        r.text = texts[i];
        r.remote = r.address = slice_part(texts[i], 0, 300);
        r.orcpt = SLICE("rfc822;a+0D+0AInjected:+20y+00@b");
        struct dsn dsn = plain(&r, 1);
        dsn.queue_id = dsn.original_id = slice_part(texts[i], 0, 300);
        dsn.envid = SLICE("a+0D+0AInjected:+20y");
        make(&out, &dsn, SLICE("A: b\r\n"));
        struct slice s = buffer_slice(&out);
        check_form(s, &dsn, 3);
        assert_false(holds(s, "\nInjected"));
        assert_false(holds(s, "Original-Envelope-Id"));
        buffer_free(&out);
    }
}

static void beyond_ascii(void **state)
{
    (void)state;
    struct buffer out;
    struct dsn_recipient r = failed;
    r.address = SLICE("b\xc3\xbc" "cher=\xf0\x9f\x98\x80@d");
    r.orcpt = SLICE("utf-8;b\\x{FC}cher@d");
    r.text = SLICE("kein B\xc3\xbc" "cherwurm");
    struct dsn dsn = plain(&r, 1);
    make(&out, &dsn, SLICE("A: b\r\n"));
    struct slice s = buffer_slice(&out);
    check_form(s, &dsn, 3);
    assert_false(dsn_is_8bit(&dsn) || dsn_needs_smtputf8(&dsn));
    assert_true(holds(s, "Final-Recipient: utf-8; b\\x{FC}cher\\x{3D}\\x{1F600}@d\r\n"));
    assert_true(holds(s, "Original-Recipient: utf-8; b\\x{FC}cher@d\r\n"));
    buffer_free(&out);

    dsn.sender = SLICE("\xc3\xa9@example.org");
    dsn.original_is_utf8 = true;
    make(&out, &dsn, SLICE("A: \xc3\xa9\r\n"));
    s = buffer_slice(&out);
    check_form(s, &dsn, 3);
    assert_true(dsn_is_8bit(&dsn) && dsn_needs_smtputf8(&dsn));
    assert_true(holds(s, "To: <\xc3\xa9@example.org>\r\n"));
    assert_true(holds(s, "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"));
    assert_true(holds(s, "message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n"));
    assert_true(holds(s, "<b\xc3\xbc" "cher=\xf0\x9f\x98\x80@d>\r\n"));
    assert_true(holds(s, "B\xc3\xbc" "cherwurm"));
    buffer_free(&out);

    dsn = plain(&failed, 1);
    dsn.original = DSN_ORIGINAL_WHOLE;
    dsn.original_is_8bit = true;
    make(&out, &dsn, SLICE("A: b\r\n\r\n\xc3\xa9\r\n"));
    assert_true(dsn_is_8bit(&dsn));
    assert_false(dsn_needs_smtputf8(&dsn));
    assert_true(holds(buffer_slice(&out), "\r\nContent-Transfer-Encoding: 8bit\r\n\r\nThis is a delivery"));
    assert_true(holds(buffer_slice(&out), "message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n"));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_says_everything),
        cmocka_unit_test(each_action_has_its_words),
        cmocka_unit_test(several_recipients_are_told_apart),
        cmocka_unit_test(nothing_is_injected),
        cmocka_unit_test(beyond_ascii),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
