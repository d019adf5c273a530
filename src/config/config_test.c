/* config_test.c: defaults, flags, files that are right and files that are wrong. */
#include "config/reader_private.h"

#include "base/moment.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct config *load(const char *yaml, const struct config_flags *flags)
{
    const struct config *c = NULL;
    struct config_error error = { .line = 0 };
    enum err result = config_load_text(slice_from_string(yaml), SLICE("godwit.yaml"), flags,
                                       &c, &error);
    if (result != ERR_OK)
        print_error("%s\n", error.text);
    assert_int_equal(result, ERR_OK);
    return c;
}

static void assert_slice(struct slice s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.data == NULL ? "" : s.data, text, s.len);
}

static void assert_address(const struct net_address *address, const char *text)
{
    struct buffer b;
    buffer_init(&b, 200);
    net_address_append(&b, address);
    assert_slice(buffer_slice(&b), text);
    buffer_free(&b);
}

static void test_defaults(void **state)
{
    (void)state;
    const struct config *c = load("", NULL);
    assert_int_equal(c->listeners_count, 1);
    assert_address(&c->listeners[0].address, "[127.0.0.1]:2525");
    assert_int_equal(c->listeners[0].role, CONFIG_ROLE_SUBMISSION);
    assert_int_equal(c->listeners[0].bare_line_end, LINE_END_CONVERT);
    assert_true(c->hostname.len > 0);
    assert_true(c->refuse_early_talkers);
    assert_int_equal(c->relay_clients_count, 2);
    assert_int_equal(c->limits.message_bytes, 50 << 20);
    assert_int_equal(c->limits.command_bytes, 4096);
    assert_int_equal(c->limits.connections_per_client, 50);
    assert_int_equal(c->timeouts.command, 5 * MINUTE_MS);
    assert_int_equal(c->timeouts.data_end, 10 * MINUTE_MS);
    assert_int_equal(c->queue.retry_first_ms, 5 * MINUTE_MS);
    assert_int_equal(c->queue.lifetime_ms, 5 * DAY_MS);
    assert_int_equal(c->queue.recipients_max, 10000000);
    assert_int_equal(c->site.connections, 20);
    assert_int_equal(c->log_level, 1);
    assert_int_equal(config_route(c, SLICE("example.org"))->way, CONFIG_WAY_MX);
    config_drop(&c);
    assert_null(c);
    config_drop(&c);
}

static void test_flags(void **state)
{
    (void)state;
    struct slice listen[] = { SLICE("127.0.0.1:0"), SLICE("[::1]:26") };
    struct config_flags flags = {
        .hostname = SLICE("MX.Example.COM"), .data = SLICE("/tmp/x"),
        .next_hop = SLICE("[::1]:2626"), .listen = listen, .listen_count = 2,
        .log_form = SLICE("json"), .log_level = SLICE("debug"), .hold = true,
    };
    const struct config *c = load("hostname: other.example\nlisten: ['*:25']\n", &flags);
    const struct config_deliver *d = config_route(c, SLICE("any.example"));
    assert_slice(c->hostname, "mx.example.com");
    assert_slice(c->data, "/tmp/x");
    assert_int_equal(d->way, CONFIG_WAY_SMTP);
    assert_slice(d->host, "::1");
    assert_int_equal(d->port, 2626);
    assert_int_equal(c->listeners_count, 2);
    assert_address(&c->listeners[1].address, "[::1]:26");
    assert_int_equal(c->listeners[1].role, CONFIG_ROLE_RELAY);
    assert_int_equal(c->listeners[1].bare_line_end, LINE_END_REJECT);
    assert_int_equal(c->log_form, CONFIG_LOG_JSON);
    assert_int_equal(c->log_level, 0);
    assert_true(c->queue.hold);
    const struct config *again = config_hold(c);
    config_drop(&c);
    assert_slice(again->data, "/tmp/x");
    config_drop(&again);
}

static void test_capture(void **state)
{
    (void)state;
    struct config_flags flags = { .data = SLICE("/d"), .capture = true };
    const struct config *c = load("routes: [{ to: '@a.example', deliver: mx }]", &flags);
    assert_int_equal(config_route(c, SLICE("a.example"))->way, CONFIG_WAY_MX);
    assert_int_equal(config_route(c, SLICE("b.example"))->way, CONFIG_WAY_CAPTURE);
    assert_slice(config_route(c, SLICE("b.example"))->path, "/d/captured");
    config_drop(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
