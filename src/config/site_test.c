/* site_test.c: limits by name, what is shipped, and replies. */
#include "config/reader_private.h"

#include "base/moment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct config *load(const char *sites)
{
    const struct config *c;
    struct config_error error;
    struct buffer yaml;
    buffer_init(&yaml, 1 << 20);
    buffer_append_format(&yaml, "hostname: mx.test\nsites: %s\n", sites);
    if (config_load_text(buffer_slice(&yaml), SLICE("x"), NULL, &c, &error) != ERR_OK)
        fail_msg("%s", error.text);
    buffer_free(&yaml);
    return c;
}

static void assert_refused(const char *sites, const char *why)
{
    const struct config *c;
    struct config_error error;
    struct buffer yaml;
    buffer_init(&yaml, 1 << 20);
    buffer_append_format(&yaml, "hostname: mx.test\nsites: %s\n", sites);
    assert_int_equal(config_load_text(buffer_slice(&yaml), SLICE("x"), NULL, &c, &error),
                     ERR_INVALID);
    if (strstr(error.text, why) == NULL)
        fail_msg("%s: %s", sites, error.text);
    buffer_free(&yaml);
}

static const struct config_site *at(const struct config *c, const char *domain,
                                    const char *host)
{
    return config_site_for(c, slice_from_string(domain), slice_from_string(host));
}

static void assert_name(const struct config_site *site, const char *name)
{
    if (!slice_equal(site->name, slice_from_string(name)))
        fail_msg("%.*s, not %s", (int)site->name.len, site->name.data, name);
}

static void a_name_has_what_it_says_and_else_the_default(void **state)
{
    (void)state;
    const struct config *c = load("{ default: { connections: 7, rate: 5/s, retry_first: 2m },"
                                  " a: { hosts: '*.a.test', connections: 3 },"
                                  " b: { domains: [b.test], rate: none, retry_max: 1h } }");
    const struct config_site *a = at(c, "x.test", "MX.a.test");
    assert_name(a, "a");
    assert_int_equal(a->connections, 3);
    assert_int_equal(a->messages_per_connection, 100);
    assert_int_equal(a->rate.count, 5);
    assert_int_equal(a->rate.per_ms, SECOND_MS);
    assert_int_equal(a->retry_first_ms, 2 * MINUTE_MS);
    const struct config_site *b = at(c, "b.test", "mx.a.test");
    assert_name(b, "a"); /* the first that fits */
    b = at(c, "b.test", "");
    assert_name(b, "b");
    assert_int_equal(b->rate.count, 0);
    assert_int_equal(b->retry_max_ms, HOUR_MS);
    assert_name(at(c, "c.test", "a.test"), "default"); /* not below it */
    assert_int_equal(at(c, "c.test", "a.test")->connections, 7);
    assert_ptr_equal(config_site_named(c, SLICE("a")), a);
    assert_ptr_equal(config_site_named(c, SLICE("default")), &c->site);
    assert_null(config_site_named(c, SLICE("z")));
    config_drop(&c);
}

static void rates(void **state)
{
    (void)state;
    static const struct { const char *text; uint32_t count; uint32_t per_ms; } rows[] = {
        { "10/s", 10, SECOND_MS }, { "20/min", 20, MINUTE_MS }, { "1000000/h", 1000000, HOUR_MS },
        { "5/d", 5, DAY_MS }, { "none", 0, 0 },
    };
    static const char *const bad[] = { "0/s", "10", "10/m", "/s", "1000001/s", "-1/s", "1/ s",
                                       "1/s/s", "", "[1/s]" };
    char text[64];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(text, sizeof text, "{ default: { rate: %s } }", rows[i].text);
        const struct config *c = load(text);
        assert_int_equal(c->site.rate.count, rows[i].count);
        assert_int_equal(c->site.rate.per_ms, rows[i].per_ms);
        config_drop(&c);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "{ default: { rate: %s } }",
                 bad[i][0] == '\0' ? "''" : bad[i]);
        assert_refused(text, "10/s, 20/min");
    }
}

/* What the program ships is read like the rest, key by key below what the file says. */
static void what_is_shipped_can_be_overridden(void **state)
{
    (void)state;
    const struct config *c = load("{ mine: { domains: special.test, connections: 1 },"
                                  " gmail: { connections: 4 }, yahoo: { hosts: [] } }");
    const struct config_site *gmail = at(c, "gmail.com", "gmail-smtp-in.l.google.com");
    assert_name(gmail, "gmail");
    assert_int_equal(gmail->connections, 4);
    assert_true(gmail->replies_count > 0);
    assert_name(at(c, "special.test", "aspmx.l.google.com"), "mine");
    assert_name(at(c, "yahoo.com", "mta5.am0.yahoodns.net"), "default");
    assert_name(at(c, "live.com", "live-com.olc.protection.outlook.com"),
                "microsoft-consumer");
    struct buffer shown;
    buffer_init(&shown, 1 << 20);
    config_show(c, &shown);
    buffer_append_byte(&shown, '\0');
    assert_non_null(strstr(shown.memory, "  # shipped\n"));
    assert_non_null(strstr(shown.memory, "connections: 4  # x:2\n"));
    buffer_free(&shown);
    config_drop(&c);
}

static enum config_reply_then then(const struct config *c, const char *site, uint32_t code,
                                   struct smtp_status status, const char *text)
{
    const struct config_reply *reply =
        config_site_reply(c, config_site_named(c, slice_from_string(site)), code, status,
                          slice_from_string(text));
    return reply == NULL ? (enum config_reply_then)99 : reply->then;
}

static void replies(void **state)
{
    (void)state;
    const struct config *c = load(
        "{ default: { replies: [{ code: 4xx, text: [busy, 'too many'], then: slow },"
        "   { code: 554, then: suspend, for: 2h }] },"
        "  a: { hosts: a.test, replies: [{ status: 4.7, then: suspend, for: 10s },"
        "   { code: 550, status: 5.7.1, text: 'for now', then: defer },"
        "   { code: 552, then: bounce }] } }");
    struct smtp_status s471 = { 4, 7, 1 };
    struct smtp_status none = { 0, 0, 0 };
    assert_int_equal(then(c, "default", 421, none, "We are BUSY."), CONFIG_REPLY_SLOW);
    assert_int_equal(then(c, "default", 521, none, "We are BUSY."), 99);
    assert_int_equal(then(c, "default", 421, s471, "hello"), 99);
    assert_int_equal(then(c, "a", 421, s471, "hello"), CONFIG_REPLY_SUSPEND);
    assert_int_equal(then(c, "a", 421, (struct smtp_status){ 4, 70, 1 }, "x"), 99);
    assert_int_equal(then(c, "a", 421, none, "Too Many"), CONFIG_REPLY_SLOW);
    assert_int_equal(then(c, "a", 550, (struct smtp_status){ 5, 7, 1 }, "not for now"),
                     CONFIG_REPLY_DEFER);
    assert_int_equal(then(c, "a", 550, (struct smtp_status){ 5, 7, 10 }, "not for now"), 99);
    assert_int_equal(then(c, "a", 552, none, ""), CONFIG_REPLY_BOUNCE);
    assert_int_equal(then(c, "a", 554, none, ""), CONFIG_REPLY_SUSPEND);
    assert_int_equal(c->site.replies[0].for_ms, 15 * MINUTE_MS);
    assert_int_equal(c->site.replies[1].for_ms, 2 * HOUR_MS);
    config_drop(&c);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct { const char *sites; const char *why; } rows[] = {
        { "{ a: { connections: 1 } }", "no shipped site has that name" },
        { "{ '-a': { hosts: a.test } }", "a name has letters" },
        { "{ a: { host: a.test } }", "did you mean 'hosts'?" },
        { "{ a: { hosts: 'a b' } }", "is not a domain" },
        { "{ a: 1 }", "a map of keys and values" },
        { "{ a: { hosts: a.test, dane: false } }", "unknown key" },
        { "{ default: { hosts: a.test } }", "unknown key" },
        { "{ default: { replies: [{ then: slow }] } }", "a code, a status or a text" },
        { "{ default: { replies: [{ code: 250, then: slow }] } }", "4xx or 5xx" },
        { "{ default: { replies: [{ code: 600, then: slow }] } }", "4xx or 5xx" },
        { "{ default: { replies: [{ code: 421 }] } }", "'then' is missing" },
        { "{ default: { replies: [{ code: 421, then: stop }] } }", "slow" },
        { "{ default: { replies: [{ status: 2.0.0, then: slow }] } }", "4.7.28" },
        { "{ default: { replies: [{ status: 4.7.1.1, then: slow }] } }", "4.7.28" },
        { "{ default: { replies: [{ text: '', then: slow }] } }", "from 1 to 200" },
        { "{ default: { replies: { text: a } } }", "a map stands" },
        { "[1]", "a list stands" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(rows[i].sites, rows[i].why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_what_it_says_and_else_the_default),
        cmocka_unit_test(rates),
        cmocka_unit_test(what_is_shipped_can_be_overridden),
        cmocka_unit_test(replies),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
