/* spf_test.c: whole checks: the limits, errors of the DNS, identities, explanations. */
#include "auth/spf/fake_zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define TXT DNS_TYPE_TXT
#define A DNS_TYPE_A
#define MX DNS_TYPE_MX
#define PTR DNS_TYPE_PTR

static const struct fake_record records[] = {
    { "pass.test", TXT, "v=spf1 ip4:192.0.2.0/24 -all" },
    { "self.test", TXT, "v=spf1 redirect=self.test" },
    { "loop.test", TXT, "v=spf1 include:pool.test" },
    { "pool.test", TXT, "v=spf1 include:loop.test" },
    { "host.test", A, "192.0.2.9" },
    { "ten.test", TXT, "v=spf1 a:host.test a:host.test a:host.test a:host.test a:host.test "
                       "a:host.test a:host.test a:host.test a:host.test a:host.test +all" },
    { "eleven.test", TXT, "v=spf1 a:host.test a:host.test a:host.test a:host.test "
                          "a:host.test a:host.test a:host.test a:host.test a:host.test "
                          "a:host.test a:host.test +all" },
    { "void2.test", TXT, "v=spf1 a:no1.test mx:host.test +all" },
    { "void3.test", TXT, "v=spf1 a:no1.test exists:no2.test mx:host.test +all" },
    { "void-exp.test", TXT, "v=spf1 a:no1.test a:no2.test -all exp=no3.test" },
    { "mx10.test", TXT, "v=spf1 mx:hosts10.test -all" },
    { "mx11.test", TXT, "v=spf1 mx:hosts11.test -all" },
    { "hosts10.test", MX, "host.test" }, { "hosts10.test", MX, "host.test" },
    { "hosts10.test", MX, "host.test" }, { "hosts10.test", MX, "host.test" },
    { "hosts10.test", MX, "host.test" }, { "hosts10.test", MX, "host.test" },
    { "hosts10.test", MX, "host.test" }, { "hosts10.test", MX, "host.test" },
    { "hosts10.test", MX, "host.test" }, { "hosts10.test", MX, "own.test" },
    { "hosts11.test", MX, "own.test" },  { "hosts11.test", MX, "host.test" },
    { "hosts11.test", MX, "host.test" }, { "hosts11.test", MX, "host.test" },
    { "hosts11.test", MX, "host.test" }, { "hosts11.test", MX, "host.test" },
    { "hosts11.test", MX, "host.test" }, { "hosts11.test", MX, "host.test" },
    { "hosts11.test", MX, "host.test" }, { "hosts11.test", MX, "host.test" },
    { "hosts11.test", MX, "host.test" },
    { "own.test", A, "192.0.2.1" },
    { "nullmx.test", TXT, "v=spf1 mx -all" },
    { "nullmx.test", MX, "" },
    { "1.2.0.192.in-addr.arpa", PTR, "own.test" },
    { "1.2.0.192.in-addr.arpa", PTR, "a.own.test" },
    { "a.own.test", A, "192.0.2.1" },
    { "2.2.0.192.in-addr.arpa", PTR, "host.test" },
    { "2.2.0.192.in-addr.arpa", PTR, "broken.test" },
    { "2.2.0.192.in-addr.arpa", PTR, "last.test" },
    { "broken.test", A, NULL },
    { "last.test", A, "192.0.2.2" },
    { "3.2.0.192.in-addr.arpa", PTR, NULL },
    { "ptr.test", TXT, "v=spf1 ptr:%{d1} -all" },
    { "ptrs.test", TXT, "v=spf1 ptr:own.test ~ptr:test.own.test -all" },
    { "p.own.test", TXT, "v=spf1 exists:%{p}.known.test -all exp=p-says.test" },
    { "pp.test", TXT, "v=spf1 exists:%{p}.no.test include:pq.test exists:%{p}.known.test -all" },
    { "pq.test", TXT, "v=spf1 exists:%{P}.no.test ?all" },
    { "p-says.test", TXT, "%{p} %{P} %{c}" },
    { "own.test.known.test", A, "127.0.0.2" },
    { "fails.test", TXT, NULL },
    { "fails-in.test", TXT, "v=spf1 include:fails.test +all" },
    { "fails-a.test", TXT, "v=spf1 a:broken.test +all" },
    { "two.test", TXT, "v=spf1 +all" },
    { "two.test", TXT, "v=spf1 -all" },
    { "wrong.test", TXT, "v=spf1 +all moo" },
    { "none-in.test", TXT, "v=spf1 include:host.test +all" },
    { "none-to.test", TXT, "v=spf1 redirect=host.test" },
    { "local.test", TXT, "v=spf1 exists:%{l}.known.test include:%{s}.test "
                         "ip4:192.0.2.1 -all" },
    { "local-to.test", TXT, "v=spf1 redirect=%{l}.known.test" },
    { "says.test", TXT, "v=spf1 -all exp=%{l}.says.test" },
    { "user.says.test", TXT, "%{c} %{r} %{t} %{s} %{h}" },
    { "eol.says.test", TXT, "one\r\ntwo" },
    { "outer.test", TXT, "v=spf1 -include:pass.test +exists:%{d}.known.test exp=for.%{d}" },
    { "outer.test.known.test", A, "127.0.0.2" },
    { "for.outer.test", TXT, "of %{d}" },
    { "xn--bcher-kva.test", TXT, "v=spf1 exists:%{o}.known.test -all" },
    { "xn--bcher-kva.test.known.test", A, "127.0.0.2" },
    { NULL, 0, NULL },
};

struct outcome {
    enum spf_result result;
    enum spf_identity identity;
    unsigned asked;
    char explanation[200];
    char domain[260];
};

static struct outcome check(const char *ip, const char *helo, const char *mail_from)
{
    struct fake_zone zone = { .records = records };
    struct spf *spf;
    struct spf_request request = { .helo = slice_from_string(helo),
                                   .mail_from = slice_from_string(mail_from),
                                   .receiver = SLICE("mx.example"),
                                   .now_s = 1234567890 };
    assert_true(spf_client_parse(slice_from_string(ip), &request.client));
    assert_int_equal(spf_begin(&request, &spf), ERR_OK);
    fake_run(&zone, spf);
    struct spf_verdict v = spf_verdict(spf);
    struct outcome o = { .result = v.result, .identity = v.identity, .asked = zone.asked };
    assert_true(v.explanation.len < sizeof o.explanation && v.domain.len < sizeof o.domain);
    if (v.explanation.len > 0)
        memcpy(o.explanation, v.explanation.data, v.explanation.len);
    if (v.domain.len > 0)
        memcpy(o.domain, v.domain.data, v.domain.len);
    assert_true(v.reasons->count >= 2);
    assert_true(slice_ends_with_nocase(reasons_at(v.reasons, v.reasons->count - 1u),
                                       spf_result_name(v.result)));
    spf_free(&spf);
    assert_null(spf);
    return o;
}

static void test_results(void **state)
{
    (void)state;
    static const struct {
        const char *ip;
        const char *domain;
        enum spf_result result;
        unsigned asked;
    } cases[] = {
        { "192.0.2.1", "pass.test", SPF_PASS, 1 },
        { "::ffff:192.0.2.1", "pass.test", SPF_PASS, 1 },
        { "198.51.100.1", "pass.test", SPF_FAIL, 1 },
        { "2001:db8::1", "pass.test", SPF_FAIL, 1 },
        { "192.0.2.1", "host.test", SPF_NONE, 1 },
        { "192.0.2.1", "absent.test", SPF_NONE, 1 },
        { "192.0.2.1", "self.test", SPF_PERMERROR, 11 },
        { "192.0.2.1", "loop.test", SPF_PERMERROR, 11 },
        { "192.0.2.1", "ten.test", SPF_PASS, 11 },
        { "192.0.2.1", "eleven.test", SPF_PERMERROR, 11 },
        { "192.0.2.1", "void2.test", SPF_PASS, 3 },
        { "192.0.2.1", "void3.test", SPF_PERMERROR, 4 },
        { "192.0.2.1", "void-exp.test", SPF_FAIL, 4 },
        { "192.0.2.1", "mx10.test", SPF_PASS, 12 },
        { "192.0.2.1", "mx11.test", SPF_PERMERROR, 2 },
        { "192.0.2.1", "nullmx.test", SPF_FAIL, 2 },
        { "192.0.2.1", "ptr.test", SPF_PASS, 4 },
        { "192.0.2.2", "ptr.test", SPF_PASS, 5 },
        { "192.0.2.3", "ptr.test", SPF_FAIL, 2 },
        { "192.0.2.1", "ptrs.test", SPF_PASS, 4 },
        { "192.0.2.1", "pp.test", SPF_PASS, 8 }, /* its names are asked for once */
        { "192.0.2.1", "fails.test", SPF_TEMPERROR, 1 },
        { "192.0.2.1", "fails-in.test", SPF_TEMPERROR, 2 },
        { "192.0.2.1", "fails-a.test", SPF_TEMPERROR, 2 },
        { "192.0.2.1", "two.test", SPF_PERMERROR, 1 },
        { "192.0.2.1", "wrong.test", SPF_PERMERROR, 1 },
        { "192.0.2.1", "none-in.test", SPF_PERMERROR, 2 },
        { "192.0.2.1", "none-to.test", SPF_PERMERROR, 2 },
        { "192.0.2.1", "test", SPF_NONE, 0 },
        { "192.0.2.1", "a..test", SPF_NONE, 0 },
        { "192.0.2.1", "[192.0.2.1]", SPF_NONE, 0 },
        { "192.0.2.1", "", SPF_NONE, 0 },
        { "192.0.2.1", "pass.test.", SPF_PASS, 1 },
        { "192.0.2.1", "b\xc3\xbc" "cher.test", SPF_PASS, 2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char sender[300];
        snprintf(sender, sizeof sender, "user@%s", cases[i].domain);
        struct outcome o = check(cases[i].ip, "mail.test", sender);
        if (o.result != cases[i].result || o.asked != cases[i].asked)
            fail_msg("%s for %s: %d after %u questions", cases[i].domain, cases[i].ip,
                     (int)o.result, o.asked);
        assert_int_equal(o.identity, SPF_MAIL_FROM);
    }
}

static void test_identities(void **state)
{
    (void)state;
    struct outcome o = check("192.0.2.1", "pass.test", "");
    assert_int_equal(o.result, SPF_PASS);
    assert_int_equal(o.identity, SPF_HELO);
    assert_string_equal(o.domain, "pass.test");
    o = check("192.0.2.1", "[192.0.2.1]", "");
    assert_int_equal(o.result, SPF_NONE);
    o = check("192.0.2.1", "mail.test", "pass.test");
    assert_int_equal(o.result, SPF_PASS);
    o = check("192.0.2.1", "mail.test", "a@b@pass.test");
    assert_int_equal(o.result, SPF_PASS);
    assert_string_equal(o.domain, "pass.test");

    struct fake_zone zone = { .records = records };
    struct spf *spf;
    struct spf_request request = { .identity = SPF_HELO, .helo = SLICE("pass.test"),
                                   .mail_from = SLICE("a@fails.test") };
    assert_true(spf_client_parse(SLICE("192.0.2.1"), &request.client));
    assert_int_equal(spf_begin(&request, &spf), ERR_OK);
    fake_run(&zone, spf);
    assert_int_equal(spf_verdict(spf).result, SPF_PASS);
    assert_int_equal(spf_verdict(spf).identity, SPF_HELO);
    spf_free(&spf);
    spf_free(&spf);
    /* given up half way */
    assert_int_equal(spf_begin(&request, &spf), ERR_OK);
    spf_free(&spf);
}

static void test_explanations(void **state)
{
    (void)state;
    struct outcome o = check("2001:db8::1", "mail.test", "user@says.test");
    assert_int_equal(o.result, SPF_FAIL);
    assert_string_equal(o.explanation,
                        "2001:db8::1 mx.example 1234567890 user@says.test mail.test");
    assert_string_equal(check("192.0.2.1", "a\tb", "user@says.test").explanation, "");
    assert_string_equal(check("192.0.2.1", "mail.test", "eol@says.test").explanation, "");
    assert_string_equal(check("192.0.2.1", "mail.test", "absent@says.test").explanation, "");
    assert_string_equal(check("192.0.2.2", "mail.test", "x@p.own.test").explanation,
                        "last.test last.test 192.0.2.2");
    assert_string_equal(check("192.0.2.3", "mail.test", "x@p.own.test").explanation,
                        "unknown unknown 192.0.2.3");
    assert_int_equal(check("192.0.2.1", "mail.test", "x@p.own.test").result, SPF_PASS);
    /* an included record is evaluated for its own domain, and for that alone */
    assert_string_equal(check("192.0.2.1", "mail.test", "x@outer.test").explanation,
                        "of outer.test");
    assert_int_equal(check("198.51.100.1", "mail.test", "x@outer.test").result, SPF_PASS);
}

/* RFC 8616 4: what needs such a local part matches nothing, and asks for nothing. */
static void test_high_local(void **state)
{
    (void)state;
    struct outcome o = check("192.0.2.1", "mail.test", "b\xc3\xbc@local.test");
    assert_int_equal(o.result, SPF_PASS);
    assert_int_equal(o.asked, 1);
    o = check("192.0.2.7", "mail.test", "b\xc3\xbc@local.test");
    assert_int_equal(o.result, SPF_FAIL);
    o = check("192.0.2.1", "mail.test", "b\xc3\xbc@local-to.test");
    assert_int_equal(o.result, SPF_NEUTRAL);
    assert_int_equal(o.asked, 1);
}

static void test_too_long(void **state)
{
    (void)state;
    static char sender[SPF_INPUT_MAX + 20];
    memset(sender, 'x', SPF_INPUT_MAX);
    memcpy(sender + SPF_INPUT_MAX - 10, "@pass.test", 11);
    assert_int_equal(check("192.0.2.1", "mail.test", sender).result, SPF_PASS);
    memcpy(sender + SPF_INPUT_MAX - 9, "@pass.test", 11);
    struct outcome o = check("192.0.2.1", "mail.test", sender);
    assert_int_equal(o.result, SPF_NONE);
    assert_int_equal(o.asked, 0);
}

static void test_clients(void **state)
{
    (void)state;
    struct spf_client client;
    assert_false(spf_client_parse(SLICE(""), &client));
    assert_false(spf_client_parse(SLICE("1.2.3"), &client));
    assert_false(spf_client_parse(SLICE("1.2.3.4\0"), &client));
    assert_false(spf_client_parse(SLICE("[::1]"), &client));
    assert_true(spf_client_parse(SLICE("::FFFF:1.2.3.4"), &client));
    assert_false(client.is_v6);
    assert_memory_equal(client.bytes, "\1\2\3\4", 4);
    assert_true(spf_client_parse(SLICE("::1"), &client));
    assert_true(client.is_v6);
}

/* One record of nearly 64 KiB in strings of 255 octets (HOSTILE 98). */
static void test_large_record(void **state)
{
    (void)state;
    struct buffer text;
    struct buffer data;
    buffer_init(&text, 65000);
    buffer_init(&data, 65535);
    buffer_append_string(&text, "v=spf1");
    while (buffer_len(&text) < 64900)
        buffer_append_string(&text, " ip4:198.51.100.1");
    buffer_append_string(&text, " -all");
    for (struct slice rest = buffer_slice(&text); rest.len > 0;) {
        struct slice part = slice_part(rest, 0, 255);
        buffer_append_byte(&data, (char)part.len);
        buffer_append(&data, part);
        rest = slice_from(rest, part.len);
    }
    assert_false(text.overflow || data.overflow);
    struct slice record = buffer_slice(&data);
    struct lookup_answer answer = { .kind = LOOKUP_FOUND, .records = &record,
                                    .records_count = 1 };
    struct spf_request request = { .mail_from = SLICE("a@large.test") };
    struct lookup_question question;
    struct spf *spf;
    assert_true(spf_client_parse(SLICE("192.0.2.1"), &request.client));
    assert_int_equal(spf_begin(&request, &spf), ERR_OK);
    assert_true(spf_next(spf, &question));
    assert_true(spf_next(spf, &question));
    assert_true(slice_equal(question.name, SLICE("large.test")));
    assert_int_equal(question.type, DNS_TYPE_TXT);
    spf_answer(spf, &answer);
    assert_false(spf_next(spf, &question));
    assert_int_equal(spf_verdict(spf).result, SPF_FAIL);
    assert_true(slice_equal(spf_verdict(spf).mechanism, SLICE("-all")));
    spf_free(&spf);
    buffer_free(&text);
    buffer_free(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),      cmocka_unit_test(test_identities),
        cmocka_unit_test(test_explanations), cmocka_unit_test(test_high_local),
        cmocka_unit_test(test_too_long),     cmocka_unit_test(test_clients),
        cmocka_unit_test(test_large_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
