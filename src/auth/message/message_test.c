/* message_test.c: SPF and DMARC joined: what one finds the other weighs. */
#include "auth/message/message.h"

#include "wire/dns/message.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
    const char *name;
    const char *text; /* NULL: the look-up fails */
} records[] = {
    { "ex.test", "v=spf1 ip4:192.0.2.1 -all" },
    { "_dmarc.ex.test", "v=DMARC1; p=reject" },
    { "fails.ex.test", NULL },
};

static void answer(struct auth *auth, const struct lookup_question *question)
{
    static char data[256];
    struct slice found;
    struct lookup_answer a = { .kind = LOOKUP_NXDOMAIN, .records = &found };
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        if (question->type != DNS_TYPE_TXT ||
            !slice_equal(slice_from_string(records[i].name), question->name))
            continue;
        a.kind = records[i].text == NULL ? LOOKUP_FAILED : LOOKUP_FOUND;
        if (records[i].text == NULL)
            break;
        size_t len = strlen(records[i].text);
        data[0] = (char)len;
        memcpy(data + 1, records[i].text, len);
        found = slice_make(data, len + 1);
        a.records_count = 1;
    }
    auth_answer(auth, &a);
}

static void assert_says(const char *ip, const char *mail_from, const char *from,
                        const char *authserv_id, const char *wanted)
{
    struct spf_request spf = { .helo = SLICE("mail.test"),
                               .mail_from = slice_from_string(mail_from) };
    struct auth_request request = { .spf = ip == NULL ? NULL : &spf,
                                    .header = slice_from_string(from) };
    struct lookup_question question;
    struct auth *auth;
    struct buffer out;
    buffer_init(&out, 4096);
    if (ip != NULL)
        assert_true(spf_client_parse(slice_from_string(ip), &spf.client));
    assert_int_equal(auth_begin(&request, &auth), ERR_OK);
    auth_body(auth, SLICE("body\r\n"));
    assert_int_equal(auth_body_end(auth), ERR_OK);
    while (auth_next(auth, &question))
        answer(auth, &question);
    assert_int_equal(auth_spf(auth) != NULL, ip != NULL);
    assert_non_null(auth_dmarc(auth));
    auth_append_results_field(auth, slice_from_string(authserv_id), &out);
    if (!slice_equal(buffer_slice(&out), slice_from_string(wanted)))
        fail_msg("%.*s", (int)buffer_len(&out), out.memory);
    buffer_free(&out);
    auth_free(&auth);
    assert_null(auth);
}

static void test_joined(void **state)
{
    (void)state;
    assert_says("192.0.2.1", "a@ex.test", "From: a@ex.test\r\n\r\n", "mx.test",
                "Authentication-Results: mx.test;\r\n spf=pass smtp.mailfrom=a@ex.test;"
                "\r\n dkim=none;\r\n dmarc=pass header.from=ex.test policy.dmarc=none\r\n");
    assert_says("192.0.2.2", "a@ex.test", "From: a@ex.test\r\n\r\n", "mx.test",
                "Authentication-Results: mx.test;\r\n spf=fail smtp.mailfrom=a@ex.test;"
                "\r\n dkim=none;\r\n dmarc=fail header.from=ex.test policy.dmarc=reject\r\n");
    assert_says("192.0.2.1", "a@fails.ex.test", "From: a@ex.test\r\n\r\n", "mx.test",
                "Authentication-Results: mx.test;\r\n spf=temperror "
                "reason=\"the record could not be looked up\" "
                "smtp.mailfrom=a@fails.ex.test;"
                "\r\n dkim=none;\r\n dmarc=temperror header.from=ex.test policy.dmarc=none\r\n");
    assert_says(NULL, "", "From: a@ex.test\r\nFrom: b@ex.test\r\n\r\n", "mx\"\r\n;x",
                "Authentication-Results: \"mx\\\"??;x\";\r\n dkim=none;\r\n dmarc=permerror "
                "reason=\"the message has more than one From field\"\r\n");
}

#define SIGNATURE(domain) \
    "DKIM-Signature: v=1; a=rsa-sha256; d=" domain "; s=s; h=from; b=AAAA;\r\n" \
    " bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\r\n"

/* Many slow keys of others in front of it do not keep the author's from being asked for. */
static void test_the_keys_of_the_author_are_asked_for_first(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "s._domainkey.mail.ex.test", "s._domainkey.ex.test", "s._domainkey.slow.test",
        "s._domainkey.other.example", "_dmarc.mail.ex.test",
    };
    struct auth_request request = {
        .header = SLICE(SIGNATURE("slow.test") SIGNATURE("other.example") SIGNATURE("ex.test")
                        SIGNATURE("Mail.EX.test") "From: a@mail.ex.test\r\n\r\n"),
    };
    struct lookup_question question;
    struct auth *auth;
    size_t stage = 0;
    assert_int_equal(auth_begin(&request, &auth), ERR_OK);
    assert_int_equal(auth_body_end(auth), ERR_OK);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        assert_true(auth_next(auth, &question));
        assert_true(slice_equal(question.name, slice_from_string(wanted[i])));
        assert_int_equal(auth_stage(auth) > stage, i == 0 || i == 4);
        stage = auth_stage(auth);
        answer(auth, &question);
    }
    auth_free(&auth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joined),
        cmocka_unit_test(test_the_keys_of_the_author_are_asked_for_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
