/* field_test.c: the verdict as header text; nothing of a client's ends it (HOSTILE 88). */
#include "auth/spf/fake_zone.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct fake_record records[] = {
    { "pass.test", DNS_TYPE_TXT, "v=spf1 ip4:192.0.2.0/24 -all" },
    { "wrong.test", DNS_TYPE_TXT, "v=spf1 moo" },
    { NULL, 0, NULL },
};

static void assert_appends(const char *helo, const char *mail_from, bool is_field,
                           const char *wanted)
{
    struct fake_zone zone = { .records = records };
    struct spf_request request = { .helo = slice_from_string(helo),
                                   .mail_from = slice_from_string(mail_from),
                                   .receiver = SLICE("mx.example") };
    struct spf *spf;
    struct buffer out;
    buffer_init(&out, 4096);
    assert_true(spf_client_parse(SLICE("192.0.2.1"), &request.client));
    assert_int_equal(spf_begin(&request, &spf), ERR_OK);
    fake_run(&zone, spf);
    if (is_field)
        spf_append_received_field(spf, &out);
    else
        spf_append_result(spf, &out);
    if (!slice_equal(buffer_slice(&out), slice_from_string(wanted)))
        fail_msg("%.*s", (int)buffer_len(&out), out.memory);
    buffer_free(&out);
    spf_free(&spf);
}

static void test_results(void **state)
{
    (void)state;
    assert_appends("mail.test", "user@pass.test", false,
                   "spf=pass smtp.mailfrom=user@pass.test");
    assert_appends("pass.test", "", false, "spf=pass smtp.helo=pass.test");
    assert_appends("mail.test", "\"a(b\"@pass.test", false,
                   "spf=pass smtp.mailfrom=\"a(b\"@pass.test");
    assert_appends("mail.test", "a@wrong.test", false,
                   "spf=permerror reason=\"the record has an error in it\" "
                   "smtp.mailfrom=a@wrong.test");
}

static void test_no_way_out(void **state)
{
    (void)state;
    assert_appends("mail.test", "any(@legit.test", false,
                   "spf=none smtp.mailfrom=\"any(@legit.test\"");
    assert_appends("mail.test", "any@legit.test(.attack", false,
                   "spf=none smtp.mailfrom=\"any@legit.test(.attack\"");
    assert_appends("mail.test", "a@b.test;\r\n dkim=pass \"\\", false,
                   "spf=none smtp.mailfrom=\"a@b.test;?? dkim=pass \\\"\\\\\"");
    assert_appends("a;dkim=pass", "", false, "spf=none smtp.helo=\"a;dkim=pass\"");
    assert_appends("", "", false, "spf=none smtp.helo=\"\"");
}

static void test_received_spf(void **state)
{
    (void)state;
    assert_appends("mail.test", "user@pass.test", true,
                   "Received-SPF: pass\r\n\treceiver=mx.example;\r\n\tclient-ip=192.0.2.1;"
                   "\r\n\tenvelope-from=\"user@pass.test\";\r\n\thelo=mail.test;"
                   "\r\n\tidentity=mailfrom;\r\n\tmechanism=\"ip4:192.0.2.0/24\"\r\n");
    assert_appends("a\"b", "", true,
                   "Received-SPF: none\r\n\treceiver=mx.example;\r\n\tclient-ip=192.0.2.1;"
                   "\r\n\thelo=\"a\\\"b\";\r\n\tidentity=helo\r\n");
}

static void test_no_long_line(void **state)
{
    (void)state;
    static char sender[1000];
    char wanted[500] = "spf=pass smtp.mailfrom=\"";
    memset(sender, '(', 900);
    memcpy(sender + 900, "@pass.test", 11);
    size_t len = strlen(wanted);
    memset(wanted + len, '(', 400);
    memcpy(wanted + len + 400, "\"", 2);
    assert_appends("mail.test", sender, false, wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_no_way_out),
        cmocka_unit_test(test_received_spf),
        cmocka_unit_test(test_no_long_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
