/* sasl_client_test.c: each mechanism against what its standard shows, and SCRAM against
 * GNU SASL's own server. */
#include "crypto/sasl_client.h"

#include <gsasl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { OUT_MAX = 32 * 1024 };

static struct sasl_client *client_for(uint32_t mechanisms)
{
    struct sasl_client *c;
    assert_int_equal(sasl_client_open(SLICE("tim"), SLICE("tanstaaftanstaaf"), mechanisms, &c),
                     ERR_OK);
    return c;
}

static void expect_begun(struct sasl_client *c, struct slice want)
{
    struct buffer out;
    buffer_init(&out, OUT_MAX);
    assert_true(sasl_client_begin(c, &out));
    assert_int_equal(buffer_len(&out), want.len);
    assert_memory_equal(buffer_slice(&out).data, want.data, want.len);
    buffer_free(&out);
}

static bool answers(struct sasl_client *c, struct slice challenge, struct slice want)
{
    struct buffer out;
    buffer_init(&out, OUT_MAX);
    bool good = sasl_client_answer(c, challenge, &out);
    if (good)
        assert_int_equal(buffer_len(&out), want.len);
    if (good && want.len > 0)
        assert_memory_equal(buffer_slice(&out).data, want.data, want.len);
    buffer_free(&out);
    return good;
}

static void plain_is_one_message(void **state)
{
    (void)state;
    struct sasl_client *c = client_for(SASL_PLAIN | SASL_LOGIN);
    assert_string_equal(sasl_client_mechanism(c), "PLAIN");
    assert_false(sasl_client_is_done(c));
    expect_begun(c, SLICE("\0tim\0tanstaaftanstaaf")); /* RFC 4616 4 */
    assert_true(sasl_client_is_done(c));
    assert_false(answers(c, SLICE("more?"), SLICE("")));
    sasl_client_close(&c);
}

static void login_answers_twice(void **state)
{
    (void)state;
    struct buffer out;
    struct sasl_client *c = client_for(SASL_LOGIN);
    buffer_init(&out, OUT_MAX);
    assert_false(sasl_client_begin(c, &out));
    assert_true(answers(c, SLICE("Username:"), SLICE("tim")));
    assert_false(sasl_client_is_done(c));
    assert_true(answers(c, SLICE(""), SLICE("tanstaaftanstaaf")));
    assert_true(sasl_client_is_done(c));
    assert_false(answers(c, SLICE("Username:"), SLICE("")));
    sasl_client_close(&c);
}

static void tokens_are_carried(void **state)
{
    (void)state;
    struct sasl_client *c;
    assert_int_equal(sasl_client_open(SLICE("a=b,c@x.test"), SLICE("vF9dft4"),
                                      SASL_OAUTHBEARER, &c), ERR_OK);
    expect_begun(c, SLICE("n,a=a=3Db=2Cc@x.test,\1auth=Bearer vF9dft4\1\1"));
    assert_true(sasl_client_is_done(c));
    assert_true(answers(c, SLICE("{\"status\":\"invalid_token\"}"), SLICE("\1")));
    assert_false(sasl_client_is_done(c));
    assert_false(answers(c, SLICE("again"), SLICE("")));
    sasl_client_close(&c);
    assert_int_equal(sasl_client_open(SLICE("a@x.test"), SLICE("ya29"), SASL_XOAUTH2, &c),
                     ERR_OK);
    expect_begun(c, SLICE("user=a@x.test\1auth=Bearer ya29\1\1"));
    assert_true(answers(c, SLICE("{}"), SLICE("")));
    assert_false(sasl_client_is_done(c));
    sasl_client_close(&c);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    struct sasl_client *c;
    static const struct slice bad[] = { SLICE_INIT(""), SLICE_INIT("a\0b"),
                                        SLICE_INIT("a\1b") };
    assert_int_equal(sasl_client_open(SLICE("u"), SLICE("p"), 0, &c), ERR_ABSENT);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sasl_client_open(bad[i], SLICE("p"), SASL_PLAIN, &c), ERR_INVALID);
        assert_int_equal(sasl_client_open(SLICE("u"), bad[i], SASL_PLAIN, &c), ERR_INVALID);
    }
    assert_int_equal(sasl_mechanism(SLICE("scram-sha-1")), SASL_SCRAM_SHA_1);
    assert_int_equal(sasl_mechanism(SLICE("CRAM-MD5")), 0);
}

static void scram_with(const char *name, uint32_t bit, const char *password, bool good)
{
    Gsasl *library;
    Gsasl_session *server;
    struct buffer out;
    struct sasl_client *c = client_for(bit);
    char *said;
    size_t len;
    buffer_init(&out, OUT_MAX);
    assert_int_equal(gsasl_init(&library), GSASL_OK);
    assert_int_equal(gsasl_server_start(library, name, &server), GSASL_OK);
    gsasl_property_set(server, GSASL_PASSWORD, password);
    assert_true(sasl_client_begin(c, &out));
    assert_false(sasl_client_is_done(c));
    assert_int_equal(gsasl_step(server, buffer_slice(&out).data, buffer_len(&out), &said,
                                &len), GSASL_NEEDS_MORE);
    buffer_clear(&out);
    assert_true(sasl_client_answer(c, slice_make(said, len), &out));
    gsasl_free(said);
    assert_false(sasl_client_is_done(c));
    int result = gsasl_step(server, buffer_slice(&out).data, buffer_len(&out), &said, &len);
    if (good) {
        buffer_clear(&out);
        assert_int_equal(result, GSASL_OK);
        assert_true(sasl_client_answer(c, slice_make(said, len), &out));
        assert_int_equal(buffer_len(&out), 0);
        gsasl_free(said);
    } else {
        assert_int_equal(result, GSASL_AUTHENTICATION_ERROR);
    }
    assert_int_equal(sasl_client_is_done(c), good);
    gsasl_finish(server);
    gsasl_done(library);
    sasl_client_close(&c);
    buffer_free(&out);
}

static void scram_proves_both(void **state)
{
    (void)state;
    scram_with("SCRAM-SHA-256", SASL_USUAL, "tanstaaftanstaaf", true);
    scram_with("SCRAM-SHA-1", SASL_SCRAM_SHA_1, "tanstaaftanstaaf", true);
    scram_with("SCRAM-SHA-256", SASL_USUAL, "another", false);
}

/* "r=" with the client's own nonce at its front, as a hostile server would. */
static void begin_and_mirror(struct sasl_client *c, struct buffer *out, const char *rest)
{
    struct buffer first;
    buffer_init(&first, OUT_MAX);
    assert_true(sasl_client_begin(c, &first));
    assert_true(slice_starts_with_nocase(buffer_slice(&first), SLICE("n,,n=tim,r=")));
    buffer_append(out, slice_from(buffer_slice(&first), strlen("n,,n=tim,")));
    buffer_append_string(out, rest);
    buffer_free(&first);
}

static void hostile_servers_of_scram_get_nowhere(void **state)
{
    (void)state;
    static const struct {
        const char *rest;
        bool answered;
    } rows[] = {
        { "x,s=QSXCR+Q6sek8bf92,i=4096", true },
        { "x,s=QSXCR+Q6sek8bf92,i=50000", true },
        { "x,s=QSXCR+Q6sek8bf92,i=50001", false },
        { "x,s=QSXCR+Q6sek8bf92,i=2147483647", false },
        { "x,s=QSXCR+Q6sek8bf92,i=99999999999999999999", false },
        { "x,s=QSXCR+Q6sek8bf92,i=0", false },
        { "x,s=QSXCR+Q6sek8bf92,i=-1", false },
        { "x,i=4096", false },
        { "", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer says, out;
        struct sasl_client *c = client_for(SASL_SCRAM_SHA_256);
        buffer_init(&says, OUT_MAX);
        buffer_init(&out, OUT_MAX);
        begin_and_mirror(c, &says, rows[i].rest);
        assert_int_equal(sasl_client_answer(c, buffer_slice(&says), &out), rows[i].answered);
        if (rows[i].answered) /* a signature that does not fit */
            assert_false(sasl_client_answer(
                c, SLICE("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), &out));
        assert_false(sasl_client_is_done(c));
        sasl_client_close(&c);
        buffer_free(&says);
        buffer_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(plain_is_one_message),
        cmocka_unit_test(login_answers_twice),
        cmocka_unit_test(tokens_are_carried),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(scram_proves_both),
        cmocka_unit_test(hostile_servers_of_scram_get_nowhere),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
