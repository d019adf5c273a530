/* bounce_test.c: whole messages: bounces of several kinds, our own reports, complaints,
 * automatic answers, and mail that is none of them. */
#include "bounce/bounce.h"

#include "wire/report/parts.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* "bounce a@b 5.1.1 550 userunknown hard; ..." */
static void show(struct slice message, struct buffer *out)
{
    struct arena arena;
    struct bounce bounce;
    arena_init(&arena, REPORT_ARENA_BYTES);
    assert_true(bounce_read(message, &arena, &bounce));
    buffer_append_string(out, bounce_kind_name(bounce.kind));
    for (size_t i = 0; i < bounce.count; i++) {
        const struct bounce_recipient *r = &bounce.recipients[i];
        buffer_append(out, i == 0 ? SLICE(" ") : SLICE("; "));
        buffer_append(out, r->address);
        if (r->status.class != 0)
            buffer_append_byte(out, ' ');
        smtp_status_append(out, r->status);
        if (r->code != 0)
            buffer_append_format(out, " %u", r->code);
        buffer_append_format(out, " %s%s", bounce_reason_name(r->reason),
                             r->is_hard ? " hard" : "");
    }
    if (bounce.feedback_type.len > 0) {
        buffer_append(out, SLICE(" as "));
        buffer_append(out, bounce.feedback_type);
    }
    arena_free(&arena);
}

#define REPORT_OF(fields) \
    "From: MAILER-DAEMON@mx.test\nTo: me@here.test\nSubject: Undelivered\n" \
    "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n" \
    "--b\n\nSorry.\n<a@b.test>: host mx.b.test said:\n 550 no such user (in reply to end of " \
    "DATA\n command)\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns;x\n\n" \
    fields "\n--b\nContent-Type: message/rfc822\n\nTo: a@b.test\n\n--b--\n"

#define NOTICE_OF(text) \
    "From: Mail Delivery Subsystem <mailer-daemon@mx.test>\nTo: me@here.test\n" \
    "Subject: failure notice\n\n" text "\n--- Below this line is a copy of the message.\n\n" \
    "Return-Path: <me@here.test>\nTo: else@b.test\n\nHello\n"

static const struct { struct slice message; const char *shown; } cases[] = {
    { SLICE_INIT(""), "none" },
    { SLICE_INIT("From: a@b.test\nSubject: hello\n\nHow is user unknown doing?\n"), "none" },
    { SLICE_INIT("From: postmaster@b.test\nSubject: hello\n\nA talk by c@d.test\n"), "none" },
    { SLICE_INIT(REPORT_OF("Final-Recipient: rfc822;a@b.test\nAction: failed\nStatus: 5.1.1\n"
                           "Diagnostic-Code: smtp; 550 5.1.1 User unknown\n")),
      "bounce a@b.test 5.1.1 550 userunknown hard" },
    /* the stage stands in the text for people only */
    { SLICE_INIT(REPORT_OF("Final-Recipient: rfc822;a@b.test\nAction: failed\nStatus: 5.0.0\n"
                           "Diagnostic-Code: smtp; 550 no such user\n")),
      "bounce a@b.test 5.0.0 550 filtered" },
    { SLICE_INIT(REPORT_OF("Final-Recipient: rfc822;a@b.test\nAction: failed\nStatus: 5.0.0\n"
                           "\nFinal-Recipient: rfc822;c@d.test\nAction: delayed\nStatus: 4.4.1\n"
                           "\nFinal-Recipient: rfc822;e@f.test\nAction: delivered\nStatus: 2.0.0\n")),
      "bounce a@b.test 5.0.0 550 filtered; c@d.test 4.4.1 expired; e@f.test 2.0.0 delivered" },
    /* several of whom no text speaks: their statuses do */
    { SLICE_INIT(REPORT_OF("Final-Recipient: rfc822;c@d.test\nAction: failed\nStatus: 5.1.1\n"
                           "\nFinal-Recipient: rfc822;e@f.test\nAction: failed\nStatus: 5.2.2\n")),
      "bounce c@d.test 5.1.1 userunknown hard; e@f.test 5.2.2 mailboxfull" },
    /* code and status of two classes: the code is not believed */
    { SLICE_INIT(REPORT_OF("Final-Recipient: rfc822;c@d.test\nAction: failed\nStatus: 4.4.7\n"
                           "Diagnostic-Code: smtp; 550 4.4.7 QUEUE.Expired\n")),
      "bounce c@d.test 4.4.7 expired" },
    { SLICE_INIT(REPORT_OF("Final-Recipient: x400;/S=nobody/\nAction: failed\nStatus: 5.1.2\n")),
      "bounce a@b.test 5.1.2 550 filtered" },
    { SLICE_INIT(NOTICE_OF("<a@b.test>:\nRemote host said: 550 5.2.2 Mailbox full\n\n"
                           "<c@d.test>:\nSorry, I couldn't find any host named d.test. (#5.1.2)\n")),
      "bounce a@b.test 5.2.2 550 mailboxfull; c@d.test 5.1.2 hostunknown hard" },
    /* without a status one of our own says the reason */
    { SLICE_INIT(NOTICE_OF("a@b.test\n  SMTP error after RCPT TO:<a@b.test>: 550 unknown user\n")),
      "bounce a@b.test 5.0.911 550 userunknown hard" },
    { SLICE_INIT(NOTICE_OF("a@b.test\n  550 unknown user\n")),
      "bounce a@b.test 5.0.911 550 userunknown hard" },
    { SLICE_INIT(NOTICE_OF("It did not work out.\n")), "bounce else@b.test 5.0.901 onhold" },
    { SLICE_INIT("From: x@y.test\nX-Failed-Recipients: a@b.test, c@d.test\n\nNo such user\n"),
      "bounce a@b.test 5.0.900 undefined; c@d.test 5.0.900 undefined" },
    { SLICE_INIT("From: x@y.test\nSubject: Fwd\n\n> Final-Recipient: rfc822; a@b.test\n"
                 "> Action: failed\n> Status: 5.1.1\n"), "bounce a@b.test 5.1.1 userunknown hard" },
    { SLICE_INIT("From: fbl@x.test\nContent-Type: multipart/report; boundary=b\n\n--b\n\nhm\n--b\n"
                 "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n"
                 "Original-Rcpt-To: <a@b.test>\nOriginal-Rcpt-To: c@d.test\n\n--b--\n"),
      "complaint a@b.test feedback; c@d.test feedback as abuse" },
    { SLICE_INIT("From: fbl@x.test\nContent-Type: multipart/report; boundary=b\n\n--b\n"
                 "Content-Type: message/feedback-report\n\nFeedback-Type: fraud\n\n--b\n"
                 "Content-Type: message/rfc822\n\nTo: A <a@b.test>\n\n--b--\n"),
      "complaint a@b.test feedback as fraud" },
    { SLICE_INIT("From: a@b.test\nSubject: unsubscribe\n\n"),
      "complaint a@b.test feedback as opt-out" },
    { SLICE_INIT("From: sns@x.test\n\n{\"notificationType\":\"Bounce\",\"bounce\":{"
                 "\"bouncedRecipients\":[{\"emailAddress\":\"a@b.test\",\"action\":\"failed\","
                 "\"status\":\"5.1.1\",\"diagnosticCode\":\"smtp; 550 5.1.1 us!\n er unknown\"}]}}"),
      "bounce a@b.test 5.1.1 550 userunknown hard" },
    { SLICE_INIT("From: sns@x.test\n\n{\"notificationType\":\"Complaint\",\"complaint\":{"
                 "\"complainedRecipients\":[{\"emailAddress\":\"a@b.test\"}],"
                 "\"complaintFeedbackType\":\"abuse\"}}"), "complaint a@b.test feedback as abuse" },
    { SLICE_INIT("From: sns@x.test\n\n{\"notificationType\":\"Delivery\",\"delivery\":{"
                 "\"recipients\":[\"a@b.test\"],\"smtpResponse\":\"250 2.6.0 ok\"}}"),
      "bounce a@b.test 2.6.0 250 delivered" },
    { SLICE_INIT("From: A <a@b.test>\nAuto-Submitted: auto-replied (vacation)\nSubject: x\n\nAway\n"),
      "auto-reply a@b.test vacation" },
    { SLICE_INIT("From: a@b.test\nSubject: Out of office: hello\n\nAway\n"),
      "auto-reply a@b.test vacation" },
    { SLICE_INIT("From: a@b.test\nSubject: =?utf-8?q?Automatic_reply=3A_x?=\n\nAway\n"),
      "auto-reply a@b.test vacation" },
    { SLICE_INIT("From: a@b.test\nAuto-Submitted: no\nSubject: x\n\n"), "none" },
};

static void test_messages(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1 << 16);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_clear(&out);
        show(cases[i].message, &out);
        if (!slice_equal(buffer_slice(&out), slice_from_string(cases[i].shown)))
            fail_msg("case %zu: %.*s", i, (int)buffer_len(&out), buffer_slice(&out).data);
    }
    buffer_free(&out);
}

static void test_truncated(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1 << 16);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t len = 0; len < cases[i].message.len; len += 3) {
            struct buffer exact;
            buffer_init(&exact, len + 1);
            buffer_append(&exact, slice_part(cases[i].message, 0, len));
            buffer_clear(&out);
            show(buffer_slice(&exact), &out);
            assert_false(out.overflow);
            buffer_free(&exact);
        }
    buffer_free(&out);
}

static void test_no_room(void **state)
{
    (void)state;
    struct arena arena;
    struct bounce bounce;
    arena_init(&arena, 1024);
    assert_false(bounce_read(SLICE("From: a@b.test\n\n"), &arena, &bounce));
    arena_free(&arena);
}

static void test_reply(void **state)
{
    (void)state;
    struct bounce_recipient r;
    struct bounce_said said = { .text = SLICE("452 4.2.2 full") };
    bounce_read_reply(&said, SLICE("a@b.test"), &r);
    assert_int_equal(r.reason, BOUNCE_MAILBOXFULL);
    assert_int_equal(r.code, 452);
    assert_false(r.is_hard);
    said.text = SLICE("450 nobody knows why");
    bounce_read_reply(&said, SLICE("a@b.test"), &r);
    assert_int_equal(r.status.class, 4);
    assert_int_equal(r.status.detail, bounce_reason_detail(r.reason));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages), cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_no_room), cmocka_unit_test(test_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
