/* sasl_test.c: credentials, and whole exchanges with GNU SASL's client as the peer. */
#include "accounts/sasl_private.h"

#include "base/base64.h"
#include "base/list.h"
#include "event/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct workers *workers;
static struct sasl *sasl;
static struct loop *loop;
static const struct config *config;

/* ---- credentials ---- */

static void a_credential_proves_its_password(void **state)
{
    (void)state;
    struct credential c;
    struct buffer b;
    buffer_init(&b, 2000);
    assert_int_equal(credential_make(SLICE("p\xc3\xa4ss"), &b), ERR_OK);
    assert_true(credential_parse(buffer_slice(&b), &c));
    assert_true(credential_has_password(&c, SLICE("p\xc3\xa4ss"), SLICE("")));
    assert_true(credential_has_password(&c, SLICE("p\xc3\xa4s\xc2\xads"), SLICE("")));
    assert_false(credential_has_password(&c, SLICE("pass"), SLICE("")));
    assert_true(c.scram[SCRAM_SHA_256].is_there && c.scram[SCRAM_SHA_1].is_there);
    assert_int_equal(c.scram[SCRAM_SHA_256].iterations, CREDENTIAL_ITERATIONS);
    buffer_free(&b);
    assert_int_equal(credential_make(SLICE(""), &b), ERR_INVALID);
    assert_int_equal(credential_make(SLICE("a\0b"), &b), ERR_INVALID);
    buffer_free(&b);
}

static void bad_credentials_are_told(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "plain", "{SSHA}x", "$y$j9T$", "SCRAM-SHA-256$", "SCRAM-SHA-256$0:YQ==$YQ==:YQ==",
        "SCRAM-SHA-256$4096:YQ==$YQ==:YQ==", "SCRAM-SHA-1$x:y$z:w",
        "SCRAM-SHA-1$4096:$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:D+CSWLOshSulAsxiupA+qs2/fTE=",
        "SCRAM-SHA-1$99999999:YQ==$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:D+CSWLOshSulAsxiupA+qs2/fTE=",
    };
    struct credential c;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bool good = credential_parse(slice_from_string(bad[i]), &c);
        assert_false(good && !slice_equal(slice_from_string(bad[i]), SLICE("$y$j9T$")));
        assert_false(credential_has_password(&c, SLICE("plain"), SLICE("plain")));
    }
    assert_true(credential_parse(SLICE(""), &c));
    assert_true(credential_parse(SLICE("  SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$"
                                       "6dlGYMOdZcOPutkcNY8U2g7vK9Y=:"
                                       "D+CSWLOshSulAsxiupA+qs2/fTE= "), &c));
    assert_true(c.scram[SCRAM_SHA_1].is_there);
}

/* ---- exchanges ---- */

struct dialogue {
    struct sasl_exchange *x;
    enum sasl_result result;
    bool is_answered;
};

static void on_answered(void *context, enum sasl_result result)
{
    struct dialogue *d = context;
    d->result = result;
    d->is_answered = true;
    loop_stop(loop);
}

static struct dialogue begin(const char *mechanism, struct dialogue *d, bool bound)
{
    static char binding[SASL_BINDING_BYTES] = "0123456789abcdef0123456789abcde";
    struct sasl_peer peer = {
        .config = config, .loop = loop, .answered = on_answered, .context = d,
        .binding = bound ? slice_make(binding, sizeof binding) : slice_make(NULL, 0),
    };
    *d = (struct dialogue){ .x = sasl_begin(sasl, slice_from_string(mechanism), &peer) };
    return *d;
}

static enum sasl_result step(struct dialogue *d, struct slice message)
{
    d->is_answered = false;
    d->result = sasl_step(d->x, &message);
    if (d->result == SASL_WAITING)
        loop_run(loop);
    return d->result;
}

static enum sasl_result plain(struct slice message)
{
    struct dialogue d;
    begin("PLAIN", &d, false);
    assert_non_null(d.x);
    enum sasl_result result = step(&d, message);
    sasl_end(&d.x);
    return result;
}

static void plain_knows_its_people(void **state)
{
    (void)state;
    static const struct {
        struct slice message;
        enum sasl_result result;
    } rows[] = {
        { SLICE_INIT("\0ann\0pencil"), SASL_GRANTED },
        { SLICE_INIT("\0ann@a.example\0pencil"), SASL_GRANTED },
        { SLICE_INIT("\0Ann@A.EXAMPLE\0pencil"), SASL_GRANTED },
        { SLICE_INIT("ann\0ann\0pencil"), SASL_GRANTED },
        { SLICE_INIT("ANN@a.example\0ann\0pencil"), SASL_GRANTED },
        { SLICE_INIT("bob\0ann\0pencil"), SASL_REFUSED },
        { SLICE_INIT("\0ann\0Pencil"), SASL_REFUSED },
        { SLICE_INIT("\0ann\0"), SASL_REFUSED },
        { SLICE_INIT("\0nobody\0pencil"), SASL_REFUSED },
        { SLICE_INIT("\0mute\0pencil"), SASL_REFUSED },
        { SLICE_INIT("\0mute\0"), SASL_REFUSED },
        { SLICE_INIT("\0ann@b.example\0pencil"), SASL_REFUSED },
        { SLICE_INIT("\0ann@@\0pencil"), SASL_REFUSED },
        { SLICE_INIT("\0\0pencil"), SASL_MALFORMED },
        { SLICE_INIT("\0ann\0pen\0cil"), SASL_MALFORMED },
        { SLICE_INIT("\0ann"), SASL_MALFORMED },
        { SLICE_INIT("ann"), SASL_MALFORMED },
        { SLICE_INIT(""), SASL_MALFORMED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (plain(rows[i].message) != rows[i].result)
            fail_msg("row %zu", i);
    char *big = calloc(1, SASL_MESSAGE_MAX + 1);
    memcpy(big + 1, "ann", 3);
    memset(big + 5, 'x', SASL_MESSAGE_MAX - 4);
    assert_int_equal(plain(slice_make(big, SASL_MESSAGE_MAX)), SASL_REFUSED);
    assert_int_equal(plain(slice_make(big, SASL_MESSAGE_MAX + 1)), SASL_MALFORMED);
    free(big);
}

static void login_asks_twice(void **state)
{
    (void)state;
    struct dialogue d;
    begin("login", &d, false);
    assert_int_equal(sasl_step(d.x, NULL), SASL_CHALLENGE);
    assert_true(slice_equal(sasl_challenge(d.x), SLICE("Username:")));
    assert_int_equal(step(&d, SLICE("ann")), SASL_CHALLENGE);
    assert_true(slice_equal(sasl_challenge(d.x), SLICE("Password:")));
    assert_int_equal(step(&d, SLICE("pencil")), SASL_GRANTED);
    assert_true(slice_equal(sasl_account(d.x), SLICE("ann@a.example")));
    sasl_end(&d.x);
    begin("LOGIN", &d, false); /* with the name at once, as some clients do */
    assert_int_equal(step(&d, SLICE("ann")), SASL_CHALLENGE);
    assert_int_equal(step(&d, SLICE("wrong")), SASL_REFUSED);
    sasl_end(&d.x);
    begin("LOGIN", &d, false);
    assert_int_equal(step(&d, SLICE("")), SASL_MALFORMED);
    sasl_end(&d.x);
}

static void an_exchange_may_end_while_it_waits(void **state)
{
    (void)state;
    struct dialogue d;
    struct slice message = SLICE("\0ann\0pencil");
    for (int i = 0; i < 5; i++) {
        begin("PLAIN", &d, false);
        assert_int_equal(sasl_step(d.x, &message), SASL_WAITING);
        sasl_end(&d.x);
    }
    assert_int_equal(plain(message), SASL_GRANTED);
    assert_false(d.is_answered);
}

/* ---- SCRAM, against GNU SASL's client ---- */

struct client {
    const char *name, *password, *authzid;
    bool bound;
    const char *binding;
};

static int client_callback(Gsasl *g, Gsasl_session *session, Gsasl_property property)
{
    (void)g;
    const struct client *c = gsasl_session_hook_get(session);
    if (property == GSASL_AUTHID)
        gsasl_property_set(session, property, c->name);
    else if (property == GSASL_PASSWORD)
        gsasl_property_set(session, property, c->password);
    else if (property == GSASL_AUTHZID && c->authzid != NULL)
        gsasl_property_set(session, property, c->authzid);
    else if (property == GSASL_CB_TLS_EXPORTER && c->bound) {
        struct buffer b;
        buffer_init(&b, 100);
        base64_append(&b, slice_make(c->binding, SASL_BINDING_BYTES));
        buffer_append_byte(&b, '\0');
        gsasl_property_set(session, property, buffer_slice(&b).data);
        buffer_free(&b);
    } else
        return GSASL_NO_CALLBACK;
    return GSASL_OK;
}

static const char same_binding[SASL_BINDING_BYTES] = "0123456789abcdef0123456789abcde";
static const char other_binding[SASL_BINDING_BYTES] = "0123456789abcdef0123456789abcdX";

/* The client's verdict and ours must agree; ours. */
static enum sasl_result scram(const char *mechanism, struct client *c, struct buffer *salt)
{
    Gsasl *g;
    Gsasl_session *session;
    struct dialogue d;
    char *out;
    size_t len;
    enum sasl_result result = SASL_CHALLENGE;
    int code;
    assert_int_equal(gsasl_init(&g), GSASL_OK);
    gsasl_callback_set(g, client_callback);
    assert_int_equal(gsasl_client_start(g, mechanism, &session), GSASL_OK);
    gsasl_session_hook_set(session, c);
    begin(mechanism, &d, c->bound);
    assert_non_null(d.x);
    code = gsasl_step(session, NULL, 0, &out, &len);
    for (int i = 0; i < 4 && result == SASL_CHALLENGE; i++) {
        assert_true(code == GSASL_OK || code == GSASL_NEEDS_MORE);
        result = step(&d, slice_make(out, len));
        gsasl_free(out);
        out = NULL;
        if (i == 0 && salt != NULL)
            buffer_append(salt, slice_from(sasl_challenge(d.x), slice_find(sasl_challenge(d.x), ',')));
        if (result == SASL_CHALLENGE) {
            struct slice challenge = sasl_challenge(d.x);
            code = gsasl_step(session, challenge.data, challenge.len, &out, &len);
        }
    }
    assert_int_equal(result == SASL_GRANTED, code == GSASL_OK && result == SASL_GRANTED);
    gsasl_finish(session);
    gsasl_done(g);
    if (result == SASL_GRANTED)
        assert_true(slice_equal(sasl_account(d.x), SLICE("ann@a.example")));
    sasl_end(&d.x);
    return result;
}

static void scram_knows_its_people(void **state)
{
    (void)state;
    static const char *const plain_names[] = { "SCRAM-SHA-256", "SCRAM-SHA-1" };
    static const char *const plus_names[] = { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS" };
    for (int i = 0; i < 2; i++) {
        struct client right = { "ann", "pencil", NULL, false, NULL };
        struct client wrong = { "ann", "penci", NULL, false, NULL };
        struct client nobody = { "nobody", "pencil", NULL, false, NULL };
        struct client as_self = { "ann", "pencil", "ann@a.example", false, NULL };
        struct client as_bob = { "ann", "pencil", "bob", false, NULL };
        struct client bound = { "ann", "pencil", NULL, true, same_binding };
        struct client misled = { "ann", "pencil", NULL, true, other_binding };
        assert_int_equal(scram(plain_names[i], &right, NULL), SASL_GRANTED);
        assert_int_equal(scram(plain_names[i], &wrong, NULL), SASL_REFUSED);
        assert_int_equal(scram(plain_names[i], &nobody, NULL), SASL_REFUSED);
        assert_int_equal(scram(plain_names[i], &as_self, NULL), SASL_GRANTED);
        assert_int_equal(scram(plain_names[i], &as_bob, NULL), SASL_REFUSED);
        assert_int_equal(scram(plus_names[i], &bound, NULL), SASL_GRANTED);
        assert_int_not_equal(scram(plus_names[i], &misled, NULL), SASL_GRANTED);
    }
}

/* Salt and rounds of somebody who does not exist look like anybody's, each time. */
static void nobody_is_not_told_from_somebody(void **state)
{
    (void)state;
    struct client nobody = { "nobody", "pencil", NULL, false, NULL };
    struct buffer a, b;
    buffer_init(&a, 500);
    buffer_init(&b, 500);
    scram("SCRAM-SHA-256", &nobody, &a);
    scram("SCRAM-SHA-256", &nobody, &b);
    assert_true(buffer_len(&a) > 20);
    assert_true(slice_equal(buffer_slice(&a), buffer_slice(&b)));
    assert_true(slice_ends_with_nocase(buffer_slice(&a), SLICE("i=10000")));
    buffer_free(&a);
    buffer_free(&b);
}

/* Who guesses with many connections does not take all of the workers' time. */
static void not_everybody_is_checked_at_once(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static struct dialogue d[COUNT];
    struct slice message = SLICE("\0ann\0wrong");
    size_t waiting = 0;
    for (size_t i = 0; i < COUNT; i++) {
        begin("PLAIN", &d[i], false);
        waiting += sasl_step(d[i].x, &message) == SASL_WAITING;
    }
    assert_in_range(waiting, 200, 299);
    for (size_t i = 0; i < COUNT; i++)
        sasl_end(&d[i].x);
}

static void a_certificate_is_enough(void **state)
{
    (void)state;
    static const struct {
        const char *certified, *wanted;
        enum sasl_result result;
    } rows[] = {
        { "ann@a.example\n", "", SASL_GRANTED }, { "ANN@A.Example\n", "ann", SASL_GRANTED },
        { "x@far.test\nann@a.example\n", "ann@a.example", SASL_GRANTED },
        { "mute@a.example\n", "mute", SASL_GRANTED }, { "ann@a.example\n", "bob", SASL_REFUSED },
        { "nobody@a.example\n", "", SASL_REFUSED }, { "ann@far.test\n", "", SASL_REFUSED },
        { "ann@a.example\nbob@a.example\n", "bob", SASL_GRANTED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sasl_peer peer = { .config = config, .loop = loop,
                                  .certified = slice_from_string(rows[i].certified) };
        struct slice wanted = slice_from_string(rows[i].wanted);
        struct sasl_exchange *x = sasl_begin(sasl, SLICE("EXTERNAL"), &peer);
        assert_non_null(x);
        assert_int_equal(sasl_step(x, NULL), SASL_CHALLENGE);
        if (sasl_step(x, &wanted) != rows[i].result)
            fail_msg("row %zu", i);
        sasl_end(&x);
    }
    struct sasl_peer none = { .config = config, .loop = loop };
    assert_null(sasl_begin(sasl, SLICE("EXTERNAL"), &none));
}

static void what_is_offered(void **state)
{
    (void)state;
    struct dialogue d;
    assert_true(slice_equal(sasl_mechanisms(sasl, config, true, true),
                            SLICE("EXTERNAL SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS "
                                  "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN")));
    assert_true(slice_equal(sasl_mechanisms(sasl, config, false, false),
                            SLICE("SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN")));
    assert_null(begin("SCRAM-SHA-256-PLUS", &d, false).x);
    assert_null(begin("CRAM-MD5", &d, true).x);
    assert_null(begin("", &d, true).x);
}

static const uint8_t secret[SASL_SECRET_BYTES] = { 7 };

static int setup(void **state)
{
    (void)state;
    char path[] = "/tmp/godwit-sasl-XXXXXX";
    struct config_error error;
    struct buffer yaml, user;
    buffer_init(&yaml, 4000);
    buffer_init(&user, 4000);
    buffer_append(&user, SLICE("ann: "));
    if (credential_make(SLICE("pencil"), &user) != ERR_OK)
        return 1;
    buffer_append(&user, SLICE("\nmute\nbob: "));
    if (credential_make(SLICE("eraser"), &user) != ERR_OK)
        return 1;
    int fd = mkstemp(path);
    struct slice text = buffer_slice(&user);
    bool good = fd >= 0 && write(fd, text.data, text.len) == (ssize_t)text.len;
    close(fd);
    buffer_append_format(&yaml, "domains: { a.example: { users: %s, "
                         "deliver: { maildir: /m } }, b.example: { users: [ann], "
                         "deliver: { maildir: /m } } }\n", path);
    int config_fd;
    char config_path[] = "/tmp/godwit-sasl-XXXXXX";
    config_fd = mkstemp(config_path);
    text = buffer_slice(&yaml);
    good = good && config_fd >= 0 &&
           write(config_fd, text.data, text.len) == (ssize_t)text.len;
    close(config_fd);
    good = good && config_load(slice_from_string(config_path), NULL, &config, &error) == ERR_OK;
    unlink(path);
    unlink(config_path);
    buffer_free(&yaml);
    buffer_free(&user);
    return !(good && loop_open(&loop) == ERR_OK && workers_open(1, 1000, &workers) == ERR_OK &&
             sasl_open(workers, secret, &sasl) == ERR_OK);
}

static int teardown(void **state)
{
    (void)state;
    workers_close(&workers);
    sasl_close(&sasl);
    loop_close(&loop);
    config_drop(&config);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_credential_proves_its_password),
        cmocka_unit_test(bad_credentials_are_told),
        cmocka_unit_test(plain_knows_its_people),
        cmocka_unit_test(login_asks_twice),
        cmocka_unit_test(an_exchange_may_end_while_it_waits),
        cmocka_unit_test(scram_knows_its_people),
        cmocka_unit_test(nobody_is_not_told_from_somebody),
        cmocka_unit_test(a_certificate_is_enough),
        cmocka_unit_test(not_everybody_is_checked_at_once),
        cmocka_unit_test(what_is_offered),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
