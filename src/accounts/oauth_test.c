/* oauth_test.c: messages of clients and answers of servers, whole and cut. */
#include "accounts/oauth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define S "\x01"

static const struct {
    const char *message;
    bool is_xoauth2;
    const char *user; /* NULL: it is none */
    const char *token;
} messages[] = {
    { "n,a=ann@our.test," S "host=mx.our.test" S "port=587" S "auth=Bearer vF9dft4qmT" S S, false,
      "ann@our.test", "vF9dft4qmT" },
    { "n,," S "auth=Bearer a.b-c_d~e+f/g==" S S, false, "", "a.b-c_d~e+f/g==" },
    { "y,a=ann@our.test," S "auth=bearer x" S S, false, "ann@our.test", "x" },
    { "user=ann@our.test" S "auth=Bearer vF9" S S, true, "ann@our.test", "vF9" },
    { "p=tls-exporter,," S "auth=Bearer x" S S, false, NULL, NULL },
    { "n,b=x," S "auth=Bearer x" S S, false, NULL, NULL },
    { "n,," S "auth=Bearer x" S, false, NULL, NULL },
    { "n,," S "auth=Bearer x" S S S, false, NULL, NULL },
    { "n,," S "auth=Basic x" S S, false, NULL, NULL },
    { "n,," S "auth=Bearer " S S, false, NULL, NULL },
    { "n,," S "auth=Bearer a b" S S, false, NULL, NULL },
    { "n,," S "auth=Bearer a\r\nX" S S, false, NULL, NULL },
    { "n,," S "auth=Bearer a" S "auth=Bearer b" S S, false, NULL, NULL },
    { "n,," S "auth" S S, false, NULL, NULL },
    { "n,," S S, false, NULL, NULL },
    { "n,a=x", false, NULL, NULL },
    { "", false, NULL, NULL },
    { "", true, NULL, NULL },
    { "user=a" S S, true, NULL, NULL },
    { "auth=Bearer x" S S, true, NULL, NULL },
};

static bool read_one(struct slice message, bool is_xoauth2, struct oauth_said *out)
{
    return is_xoauth2 ? oauth_read_xoauth2(message, out) : oauth_read_bearer(message, out);
}

static void messages_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        struct oauth_said said;
        struct slice whole = slice_from_string(messages[i].message);
        bool good = read_one(whole, messages[i].is_xoauth2, &said);
        if (good != (messages[i].user != NULL))
            fail_msg("message %zu", i);
        if (good) {
            assert_true(slice_equal(said.user, slice_from_string(messages[i].user)));
            assert_true(slice_equal(said.token, slice_from_string(messages[i].token)));
        }
        for (size_t len = 0; len < whole.len; len++) { /* a good one cut anywhere is none */
            bool still = read_one(slice_part(whole, 0, len), messages[i].is_xoauth2, &said);
            assert_true(!good || !still);
        }
    }
}

static const struct {
    const char *json;
    const char *scope;
    enum oauth_verdict verdict;
    const char *user;
} answers[] = {
    { "{\"active\":true,\"username\":\"ann@our.test\"}", "", OAUTH_ACTIVE, "ann@our.test" },
    { "{\"active\":true,\"username\":\"ann\",\"sub\":\"b@c\"}", "", OAUTH_ACTIVE, "ann" },
    { "{\"active\":true,\"sub\":\"77\",\"email\":\"a@b.test\"}", "", OAUTH_ACTIVE, "a@b.test" },
    { "{\"active\":true,\"sub\":\"77\"}", "", OAUTH_INACTIVE, "" },
    { "{\"active\":true,\"username\":\"\"}", "", OAUTH_INACTIVE, "" },
    { "{\"active\":false,\"username\":\"ann@our.test\"}", "", OAUTH_INACTIVE, "" },
    { "{\"active\":true,\"username\":\"a\",\"exp\":1000}", "", OAUTH_INACTIVE, "" },
    { "{\"active\":true,\"username\":\"a\",\"exp\":1001,\"nbf\":1000}", "", OAUTH_ACTIVE, "a" },
    { "{\"active\":true,\"username\":\"a\",\"nbf\":2000}", "", OAUTH_INACTIVE, "" },
    { "{\"active\":true,\"username\":\"a\",\"scope\":\"x smtp\"}", "smtp", OAUTH_ACTIVE, "a" },
    { "{\"active\":true,\"username\":\"a\",\"scope\":\"smtps\"}", "smtp", OAUTH_INACTIVE, "" },
    { "{\"active\":true,\"username\":\"a\"}", "smtp", OAUTH_INACTIVE, "" },
    { "{\"active\":\"true\",\"username\":\"a\"}", "", OAUTH_NO_ANSWER, "" },
    { "{}", "", OAUTH_NO_ANSWER, "" },
    { "[true]", "", OAUTH_NO_ANSWER, "" },
    { "<html>", "", OAUTH_NO_ANSWER, "" },
    { "", "", OAUTH_NO_ANSWER, "" },
};

static void answers_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct buffer user;
        struct slice whole = slice_from_string(answers[i].json);
        buffer_init(&user, 1024);
        assert_int_equal(oauth_read_answer(whole, slice_from_string(answers[i].scope), 1000,
                                           &user), answers[i].verdict);
        assert_true(slice_equal(buffer_slice(&user), slice_from_string(answers[i].user)));
        for (size_t len = 0; len < whole.len; len++)
            assert_int_equal(oauth_read_answer(slice_part(whole, 0, len), SLICE(""), 1000, &user),
                             OAUTH_NO_ANSWER);
        buffer_free(&user);
    }
}

static void questions_are_written(void **state)
{
    struct buffer out;
    (void)state;
    buffer_init(&out, 1024);
    oauth_append_question(SLICE("a+b/c=="), &out);
    assert_true(slice_equal(buffer_slice(&out),
                            SLICE("token=a%2Bb%2Fc%3D%3D&token_type_hint=access_token")));
    buffer_clear(&out);
    oauth_append_client(SLICE("us"), SLICE("s:1"), &out); /* us:s%3A1 */
    assert_true(slice_equal(buffer_slice(&out), SLICE("Authorization: Basic dXM6cyUzQTE=")));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_read), cmocka_unit_test(answers_are_read),
        cmocka_unit_test(questions_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
