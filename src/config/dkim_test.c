/* dkim_test.c: what a domain signs with. */
#include "config/reader_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum err load(const char *domains, const struct config **out,
                     struct config_error *error)
{
    struct buffer yaml;
    buffer_init(&yaml, 1 << 20);
    buffer_append_format(&yaml, "hostname: mx.test\n%s\n", domains);
    enum err result = config_load_text(buffer_slice(&yaml), SLICE("x"), NULL, out, error);
    buffer_free(&yaml);
    return result;
}

static void keys_are_read_and_files_counted(void **state)
{
    (void)state;
    const struct config *c;
    struct config_error error;
    assert_int_equal(load("domains:\n"
                          "  a.test: { dkim: [{ selector: S1, key: /k1 },\n"
                          "                   { selector: x.y, key: /k2 }] }\n"
                          "  b.test: { relay: true, dkim: [{ selector: s1, key: /k1 }],\n"
                          "            dkim_subdomains: true }\n"
                          "  c.test: { dkim: [] }\n", &c, &error), ERR_OK);
    const struct config_domain *a = config_domain(c, SLICE("a.test"));
    const struct config_domain *b = config_domain(c, SLICE("b.test"));
    assert_int_equal(a->dkim_count, 2);
    assert_true(slice_equal(a->dkim[0].selector, SLICE("s1")));
    assert_true(slice_equal(a->dkim[0].path, SLICE("/k1")));
    assert_int_equal(a->dkim[0].file, 1);
    assert_true(slice_equal(a->dkim[1].selector, SLICE("x.y")));
    assert_int_equal(a->dkim[1].file, 2);
    assert_false(a->dkim_subdomains);
    assert_int_equal(b->dkim_count, 1);
    assert_int_equal(b->dkim[0].file, 1);
    assert_true(b->dkim_subdomains);
    assert_int_equal(config_domain(c, SLICE("c.test"))->dkim_count, 0);
    assert_int_equal(c->files_count, 2);
    assert_string_equal(c->files->key, "dkim.key");
    config_drop(&c);
}

#define LABEL "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"

static void what_cannot_sign_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *domain;
        const char *words;
    } rows[] = {
        { "a.test: { dkim: { selector: s, key: /k } }", "a map stands where a list of keys" },
        { "a.test: { dkim: [s] }", "a map of keys and values" },
        { "a.test: { dkim: [{ selector: s }] }", "the key 'key' is missing" },
        { "a.test: { dkim: [{ key: /k }] }", "the key 'selector' is missing" },
        { "a.test: { dkim: [{ selector: '', key: /k }] }", "selector" },
        { "a.test: { dkim: [{ selector: 'a b', key: /k }] }", "is not a selector such as" },
        { "a.test: { dkim: [{ selector: a..b, key: /k }] }", "is not a selector such as" },
        { "a.test: { dkim: [{ selector: s, keys: /k }] }", "did you mean 'key'?" },
        { "a.test: { dkim: [{ selector: s, key: /k }, { selector: S, key: /l }] }",
          "the selector 's' stands here twice" },
        { "a.test: { dkim: [{ selector: a, key: /k }, { selector: b, key: /k },"
          " { selector: c, key: /k }, { selector: d, key: /k }, { selector: e, key: /k }] }",
          "at most 4 keys sign" },
        { "test: { dkim: [{ selector: s, key: /k }] }", "a name without a dot" },
        { "a.test: { dkim_subdomains: true }", "there are no keys" },
        { LABEL "." LABEL "." LABEL ".test: { dkim: [{ selector: " LABEL "." LABEL
          ", key: /k }] }", "too long for the DNS" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct config *c;
        struct config_error error;
        char text[1024];
        snprintf(text, sizeof text, "domains:\n  %s", rows[i].domain);
        assert_int_equal(load(text, &c, &error), ERR_INVALID);
        if (strstr(error.text, rows[i].words) == NULL)
            fail_msg("%s: %s", rows[i].domain, error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_read_and_files_counted),
        cmocka_unit_test(what_cannot_sign_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
