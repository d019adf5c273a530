/* hop_test.c: what `deliver` says of TLS and of authentication. */
#include "config/reader_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum err load(const char *deliver, const struct config **out,
                     struct config_error *error)
{
    struct buffer yaml;
    buffer_init(&yaml, 1 << 20);
    buffer_append_format(&yaml, "hostname: mx.test\nroutes: [{ deliver: %s }]\n", deliver);
    enum err result = config_load_text(buffer_slice(&yaml), SLICE("x"), NULL, out, error);
    buffer_free(&yaml);
    return result;
}

static void levels_and_ports(void **state)
{
    (void)state;
    static const struct {
        const char *deliver;
        enum config_hop_tls tls;
        uint16_t port;
    } rows[] = {
        { "mx", CONFIG_HOP_OPPORTUNISTIC, 0 },
        { "{ mx: true }", CONFIG_HOP_OPPORTUNISTIC, 0 },
        { "{ mx: true, tls: verified }", CONFIG_HOP_VERIFIED, 0 },
        { "{ smtp: h.test }", CONFIG_HOP_OPPORTUNISTIC, 25 },
        { "{ smtp: h.test, tls: none }", CONFIG_HOP_CLEAR, 25 },
        { "{ smtp: h.test, tls: opportunistic }", CONFIG_HOP_OPPORTUNISTIC, 25 },
        { "{ smtp: h.test, tls: required }", CONFIG_HOP_REQUIRED, 25 },
        { "{ smtp: h.test, tls: implicit }", CONFIG_HOP_IMPLICIT, 465 },
        { "{ smtp: 'h.test:10465', tls: implicit }", CONFIG_HOP_IMPLICIT, 10465 },
        { "{ lmtp: 'h.test:24' }", CONFIG_HOP_OPPORTUNISTIC, 24 },
        { "{ lmtp: /run/lmtp }", CONFIG_HOP_CLEAR, 0 },
        { "{ maildir: /m }", CONFIG_HOP_CLEAR, 0 },
        { "{ smtp: 'h.test:587', auth: { user: u, password_file: /p } }",
          CONFIG_HOP_VERIFIED, 587 },
        { "{ smtp: h.test, auth: { user: u, password_file: /p, over: encrypted } }",
          CONFIG_HOP_REQUIRED, 25 },
        { "{ smtp: h.test, auth: { user: u, password_file: /p, over: clear } }",
          CONFIG_HOP_OPPORTUNISTIC, 25 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct config *c;
        struct config_error error;
        assert_int_equal(load(rows[i].deliver, &c, &error), ERR_OK);
        const struct config_deliver *d = config_route(c, SLICE("a.test"));
        print_message("  %s\n", rows[i].deliver);
        assert_int_equal(d->hop.tls, rows[i].tls);
        assert_int_equal(d->port, rows[i].port);
        config_drop(&c);
    }
}

static const struct config_file *file_at(const struct config *c, uint32_t place)
{
    const struct config_file *f = c->files;
    assert_in_range(place, 1, c->files_count);
    while (--place > 0)
        f = f->next;
    return f;
}

static void files_are_kept_in_order(void **state)
{
    (void)state;
    const struct config *c;
    struct config_error error;
    assert_int_equal(load("{ smtp: h.test, tls: verified, name: .h.test, ca: /ca, "
                          "certificate: { cert: /c }, auth: { user: u, "
                          "password_file: /p, mechanism: login } }, "
                          "to: '@a.test' }, { deliver: { smtp: i.test, ca: /ca, "
                          "tls: required, certificate: { cert: /c, key: /k } }", &c, &error),
                     ERR_OK);
    const struct config_hop *a = &config_route(c, SLICE("a.test"))->hop;
    const struct config_hop *b = &config_route(c, SLICE("b.test"))->hop;
    static const char *const paths[] = { "/ca", "/c", "/c", "/p", "/k" };
    static const char *const keys[] = {
        "deliver.ca", "deliver.certificate.cert", "deliver.certificate.key",
        "deliver.auth.password_file", "deliver.certificate.key" };
    assert_int_equal(c->files_count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(slice_equal(file_at(c, i + 1)->path, slice_from_string(paths[i])));
        assert_string_equal(file_at(c, i + 1)->key, keys[i]);
    }
    assert_int_equal(a->ca_file, 1);
    assert_int_equal(a->cert_file, 2);
    assert_int_equal(a->key_file, 3);
    assert_int_equal(a->password_file, 4);
    assert_int_equal(a->auth.mechanism, CONFIG_AUTH_LOGIN);
    assert_int_equal(a->auth.over, CONFIG_HOP_VERIFIED);
    assert_true(slice_equal(a->auth.user, SLICE("u")));
    assert_true(slice_equal(a->name, SLICE(".h.test")));
    assert_int_equal(b->ca_file, 1);
    assert_int_equal(b->cert_file, 2);
    assert_int_equal(b->key_file, 5);
    assert_int_equal(b->password_file, 0);
    config_drop(&c);
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *deliver;
        const char *words;
    } rows[] = {
        { "{ mx: false }", "only 'mx: true' says anything" },
        { "{ mx: true, smtp: h.test }", "not 2 of them" },
        { "{ smtp: h.test, tls: require }", "did you mean 'required'?" },
        { "{ maildir: /m, tls: required }", "a Maildir has no other side" },
        { "{ maildir: /m, auth: { user: u, password_file: /p } }", "a Maildir has no" },
        { "{ lmtp: /run/lmtp, tls: none }", "a socket of this machine needs no TLS" },
        { "{ lmtp: 'h.test:24', tls: implicit }", "implicit is for a host that is named" },
        { "{ mx: true, tls: implicit }", "implicit is for a host that is named" },
        { "{ smtp: h.test, tls: none, ca: /ca }", "ca: this needs TLS, which is none here" },
        { "{ smtp: h.test, tls: none, name: n.test }", "name: this needs TLS" },
        { "{ smtp: h.test, tls: none, auth: { user: u, password_file: /p } }",
          "the password is said over verified TLS only" },
        { "{ smtp: h.test, tls: required, auth: { user: u, password_file: /p } }",
          "say tls: verified or implicit" },
        { "{ smtp: h.test, tls: opportunistic, auth: { user: u, password_file: /p, "
          "over: encrypted } }", "say tls: required" },
        { "{ mx: true, auth: { user: u, password_file: /p } }",
          "a password is for a host that is named" },
        { "{ smtp: h.test, auth: { user: u } }", "the key 'password_file' is missing" },
        { "{ smtp: h.test, auth: { user: u, password_file: /p, mechanism: cram-md5 } }",
          "is none of: any, scram-sha-256" },
        { "{ smtp: h.test, name: 'a b' }", "is not a host such as" },
        { "{ smtp: h.test, name: '..a' }", "is not a host such as" },
        { "{ smtp: h.test, name: '[::1]' }", "is not a host such as" },
        { "{ smtp: h.test, certificate: { key: /k } }", "the key 'cert' is missing" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct config *c;
        struct config_error error;
        assert_int_equal(load(rows[i].deliver, &c, &error), ERR_INVALID);
        if (strstr(error.text, rows[i].words) == NULL)
            fail_msg("%s: %s", rows[i].deliver, error.text);
    }
}

static void files_have_a_limit(void **state)
{
    (void)state;
    const struct config *c;
    struct config_error error;
    struct buffer text;
    for (int more = 0; more < 2; more++) {
        buffer_init(&text, 1 << 20);
        buffer_append_string(&text, "mx");
        for (int i = 0; i < CONFIG_FILES_MAX + more; i++)
            buffer_append_format(&text, " }, { deliver: { smtp: h.test, ca: /%d }", i);
        buffer_append_byte(&text, '\0');
        assert_int_equal(load(buffer_slice(&text).data, &c, &error),
                         more ? ERR_INVALID : ERR_OK);
        if (!more)
            config_drop(&c);
        else
            assert_non_null(strstr(error.text, "at most 1000 files"));
        buffer_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_and_ports),
        cmocka_unit_test(files_are_kept_in_order),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(files_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
