/* classify_test.c: replies found in texts, texts folded, and what the rules make of them. */
#include "bounce/classify.h"

#include "base/ascii.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_folding(void **state)
{
    (void)state;
    static const struct { struct slice text; const char *folded; } cases[] = {
        { SLICE_INIT(""), "" },
        { SLICE_INIT("  A\r\n\tB  c "), "a b c" },
        { SLICE_INIT("550-5.1.1 The account\r\n550-5.1.1 does not 550 5.1.1 exist"),
          "550-5.1.1 the account does not 550 5.1.1 exist" },
        { SLICE_INIT("couldn\xe2\x80\x99t"), "couldn't" },
        { SLICE_INIT("a 550-x"), "a x" },
        { SLICE_INIT("\xc3\x84"), "\xc3\x84" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer out;
        buffer_init(&out, 256);
        bounce_fold(cases[i].text, &out);
        if (!slice_equal(buffer_slice(&out), slice_from_string(cases[i].folded)))
            fail_msg("case %zu: %.*s", i, (int)buffer_len(&out), buffer_slice(&out).data);
        buffer_free(&out);
    }
}

static const struct {
    struct slice text;
    uint16_t code;
    struct smtp_status status;
} replies[] = {
    { SLICE_INIT(""), 0, { 0, 0, 0 } },
    { SLICE_INIT("550 5.1.1 unknown"), 550, { 5, 1, 1 } },
    { SLICE_INIT("550-5.1.1 unknown"), 550, { 5, 1, 1 } },
    { SLICE_INIT("550-'5.2.2 full'"), 550, { 5, 2, 2 } },
    { SLICE_INIT("said: 421 later (#4.4.2)"), 421, { 4, 4, 2 } },
    { SLICE_INIT("no host (#5.1.2)"), 0, { 5, 1, 2 } },
    { SLICE_INIT("[#4.1.9]."), 0, { 4, 1, 9 } },
    { SLICE_INIT("554 554 5.7.1 blocked"), 554, { 5, 7, 1 } },
    { SLICE_INIT("5.1.0 - Unknown 550-'5.2.2 full"), 550, { 5, 2, 2 } },
    { SLICE_INIT("554 4.4.7 expired <421 4.4.2 timed out>"), 421, { 4, 4, 2 } },
    { SLICE_INIT("host[192.0.2.135] SIZE=543 5501 600 571 221"), 0, { 0, 0, 0 } },
    { SLICE_INIT("version 4.0.994.63, 8.15.2, 5.1.1x, v5.1.1, 5.1.1111"), 0, { 0, 0, 0 } },
    { SLICE_INIT("ERROR_CODE :550, ERROR_CODE :5.2.1 <a>"), 550, { 5, 2, 1 } },
    { SLICE_INIT("port 550.1 then 451"), 451, { 0, 0, 0 } },
    { SLICE_INIT("550"), 550, { 0, 0, 0 } },
};

static void test_replies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        uint16_t code = 0;
        struct smtp_status status = { .class = 0 };
        bounce_find_reply(replies[i].text, &code, &status);
        if (code != replies[i].code || status.class != replies[i].status.class ||
            status.subject != replies[i].status.subject ||
            status.detail != replies[i].status.detail)
            fail_msg("%s: %u %u.%u.%u", replies[i].text.data, code, status.class,
                     status.subject, status.detail);
    }
}

static void test_reply_truncated(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++)
        for (size_t len = 0; len <= replies[i].text.len; len++) {
            struct buffer exact;
            uint16_t code = 0;
            struct smtp_status status = { .class = 0 };
            buffer_init(&exact, len + 1);
            buffer_append(&exact, slice_part(replies[i].text, 0, len));
            bounce_find_reply(buffer_slice(&exact), &code, &status);
            assert_true(code == 0 || (code >= 400 && code < 560));
            assert_true(status.class == 0 || status.class == 2 || status.class == 4 ||
                        status.class == 5);
            buffer_free(&exact);
        }
}

/* Words of every reason; those of a code or a status alone; and the order between them. */
static const struct { struct slice text; enum bounce_reason reason; } texts[] = {
    { SLICE_INIT(""), BOUNCE_UNDEFINED },
    { SLICE_INIT("something quite new"), BOUNCE_ONHOLD },
    { SLICE_INIT("550 5.7.26 Unauthenticated email is not accepted due to DMARC policy"),
      BOUNCE_AUTHFAILURE },
    { SLICE_INIT("550 SPF check failed"), BOUNCE_AUTHFAILURE },
    { SLICE_INIT("550 5.7.1 very low reputation of the sending IP address"),
      BOUNCE_BADREPUTATION },
    { SLICE_INIT("554 5.7.1 Client host [192.0.2.1] blocked using dnsbl.test"), BOUNCE_BLOCKED },
    { SLICE_INIT("550 5.6.9 improper use of 8-bit data in message header"),
      BOUNCE_CONTENTERROR },
    { SLICE_INIT("2.6.0 delivered"), BOUNCE_DELIVERED },
    { SLICE_INIT("552 5.2.3 too long for him"), BOUNCE_EXCEEDLIMIT },
    { SLICE_INIT("delivery retry timeout exceeded"), BOUNCE_EXPIRED },
    { SLICE_INIT("550 user unknown (in reply to end of DATA command)"), BOUNCE_FILTERED },
    { SLICE_INIT("550 5.1.1 user unknown (in reply to end of DATA command)"),
      BOUNCE_USERUNKNOWN },
    { SLICE_INIT("551 5.1.6 gone"), BOUNCE_HASMOVED },
    { SLICE_INIT("550 5.1.2 Host unknown"), BOUNCE_HOSTUNKNOWN },
    { SLICE_INIT("450 4.2.2 sorry"), BOUNCE_MAILBOXFULL },
    { SLICE_INIT("552 over quota, mailbox disabled"), BOUNCE_MAILBOXFULL },
    { SLICE_INIT("Command died with status 1"), BOUNCE_MAILERERROR },
    { SLICE_INIT("message size 20 exceeds size limit 10 of server"), BOUNCE_MESGTOOBIG },
    { SLICE_INIT("554 5.4.6 Too many hops"), BOUNCE_NETWORKERROR },
    { SLICE_INIT("554 5.7.1 <a@b>: Relay access denied"), BOUNCE_NORELAYING },
    { SLICE_INIT("domain returned Null MX"), BOUNCE_NOTACCEPT },
    { SLICE_INIT("556 go away"), BOUNCE_NOTACCEPT },
    { SLICE_INIT("550 5.7.1 not RFC 5322 compliant"), BOUNCE_NOTCOMPLIANTRFC },
    { SLICE_INIT("554 5.7.9 Message not accepted for policy reasons"),
      BOUNCE_POLICYVIOLATION },
    { SLICE_INIT("553 5.1.8 Sender address rejected: Domain not found"), BOUNCE_REJECTED },
    { SLICE_INIT("550 no, thanks (in reply to MAIL FROM command)"), BOUNCE_ONHOLD },
    { SLICE_INIT("550 5.0.0 no, thanks (in reply to MAIL FROM command)"), BOUNCE_REJECTED },
    { SLICE_INIT("450 4.7.25 Client host rejected: cannot find your hostname"),
      BOUNCE_REQUIREPTR },
    { SLICE_INIT("530 5.7.0 Must issue a STARTTLS command first"), BOUNCE_SECURITYERROR },
    { SLICE_INIT("554 5.6.0 Reject, id=1 - SPAM"), BOUNCE_SPAMDETECTED },
    { SLICE_INIT("450 4.2.1 is receiving mail at a rate that"), BOUNCE_SPEEDING },
    { SLICE_INIT("525 5.7.13 User account disabled"), BOUNCE_SUSPEND },
    { SLICE_INIT("500 5.5.2 Syntax error"), BOUNCE_SYNTAXERROR },
    { SLICE_INIT("553 5.3.5 system config error"), BOUNCE_SYSTEMERROR },
    { SLICE_INIT("452 4.3.1 Insufficient system storage"), BOUNCE_SYSTEMFULL },
    { SLICE_INIT("421 4.7.0 Too many connections"), BOUNCE_TOOMANYCONN },
    { SLICE_INIT("550 5.1.1 <a@b>... User unknown"), BOUNCE_USERUNKNOWN },
    { SLICE_INIT("550 The account\r\n does\tnot exist"), BOUNCE_USERUNKNOWN },
    { SLICE_INIT("554 5.7.1 Virus detected"), BOUNCE_VIRUSDETECTED },
};

static void test_reasons(void **state)
{
    (void)state;
    bool seen[BOUNCE_REASONS] = { false };
    seen[BOUNCE_FEEDBACK] = seen[BOUNCE_VACATION] = true; /* no replies */
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct bounce_said said = { .text = texts[i].text };
        struct bounce_finding finding;
        bounce_classify(&said, &finding);
        if (finding.reason != texts[i].reason)
            fail_msg("%s: %s", texts[i].text.data, bounce_reason_name(finding.reason));
        seen[finding.reason] = true;
    }
    for (size_t i = 0; i < BOUNCE_REASONS; i++)
        assert_true(seen[i]);
}

/* What is said apart from the text counts before what stands in it. */
static void test_apart(void **state)
{
    (void)state;
    struct bounce_finding finding;
    struct bounce_said said = { .text = SLICE("550 5.0.0 user unknown"), .code = 554,
                                .status = { 5, 2, 0 }, .stage = BOUNCE_STAGE_DATA };
    bounce_classify(&said, &finding);
    assert_int_equal(finding.reason, BOUNCE_FILTERED);
    assert_int_equal(finding.code, 554);
    assert_int_equal(finding.status.subject, 2);
    said = (struct bounce_said){ .text = SLICE("550 Unknown user a@b"),
                                 .stage = BOUNCE_STAGE_DATA, .host = SLICE("x.Docomo.NE.jp") };
    bounce_classify(&said, &finding);
    assert_int_equal(finding.reason, BOUNCE_REJECTED);
    said.host = SLICE("docomo.ne.jp.test");
    bounce_classify(&said, &finding);
    assert_int_equal(finding.reason, BOUNCE_FILTERED);
}

static void test_hard(void **state)
{
    (void)state;
    assert_true(bounce_is_hard(BOUNCE_USERUNKNOWN, (struct smtp_status){ 5, 1, 1 }));
    assert_false(bounce_is_hard(BOUNCE_USERUNKNOWN, (struct smtp_status){ 4, 1, 1 }));
    assert_false(bounce_is_hard(BOUNCE_MAILBOXFULL, (struct smtp_status){ 5, 2, 2 }));
}

/* A rule that is written wrong never fits, or always does. */
static void test_table(void **state)
{
    (void)state;
    assert_true(bounce_rules_count > 100);
    for (size_t i = 0; i < bounce_rules_count; i++) {
        const struct bounce_rule *r = &bounce_rules[i];
        struct slice rest = slice_from_string(r->phrases);
        struct slice phrase;
        assert_true(r->phrases != NULL || r->status != NULL || r->code != 0);
        assert_true(r->status == NULL || r->status[0] != '\0');
        if (r->phrases != NULL) {
            assert_int_not_equal(rest.len, 0);
            assert_int_not_equal(rest.data[rest.len - 1], '|');
        }
        while (slice_split(&rest, '|', &phrase)) {
            if (phrase.len < 3)
                fail_msg("rule %zu has a phrase of nothing", i);
            for (size_t k = 0; k < phrase.len; k++)
                assert_int_equal(phrase.data[k], ascii_lower(phrase.data[k]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folding), cmocka_unit_test(test_replies),
        cmocka_unit_test(test_reply_truncated), cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_apart), cmocka_unit_test(test_hard),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
