/* net_test.c: addresses and networks as text. */
#include "net/egress.h"
#include "net/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void addresses_read_and_show(void **state)
{
    (void)state;
    static const struct { const char *text; const char *shown; } cases[] = {
        { "127.0.0.1:2525", "[127.0.0.1]:2525" }, { "[::1]:25", "[::1]:25" },
        { "*:587", "[::]:587" }, { "587", "[::]:587" },
        { "localhost:25", "[127.0.0.1]:25" }, { "/run/x", "/run/x" },
        { "::1:25", NULL }, { "host:25", NULL }, { "127.0.0.1", NULL },
        { "127.0.0.1:65536", NULL }, { "127.0.0.1:", NULL }, { "", NULL },
        { "127.1:25", NULL }, { "0177.0.0.1:25", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net_address a;
        bool good = net_address_parse(slice_from_string(cases[i].text), &a);
        assert_int_equal(good, cases[i].shown != NULL);
        if (!good)
            continue;
        struct buffer b;
        buffer_init(&b, 200);
        net_address_append(&b, &a);
        assert_true(slice_equal(buffer_slice(&b), slice_from_string(cases[i].shown)));
        buffer_free(&b);
    }
}

static void networks_hold_their_addresses(void **state)
{
    (void)state;
    static const struct { const char *network; const char *host; bool has; } cases[] = {
        { "192.0.2.0/24", "192.0.2.255", true }, { "192.0.2.0/24", "192.0.3.0", false },
        { "192.0.2.128/25", "192.0.2.127", false }, { "0.0.0.0/0", "8.8.8.8", true },
        { "0.0.0.0/0", "::1", false }, { "2001:db8::/32", "2001:db8:1::5", true },
        { "2001:db8::/33", "2001:db8:8000::", false }, { "::1", "::1", true },
        { "127.0.0.0/8", "::ffff:127.0.0.9", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct network n;
        struct net_address a;
        assert_true(network_parse(slice_from_string(cases[i].network), &n));
        assert_true(net_host_parse(slice_from_string(cases[i].host), 0, &a));
        assert_int_equal(network_has(&n, &a), cases[i].has);
    }
    struct network n;
    assert_false(network_parse(SLICE("192.0.2.1/24"), &n));
    assert_false(network_parse(SLICE("192.0.2.0/33"), &n));
    assert_false(network_parse(SLICE("192.0.2.0/"), &n));
    assert_false(network_parse(SLICE("example.com"), &n));
}

static void addresses_that_others_name(void **state)
{
    (void)state;
    static const struct { const char *host; bool always, loopback, private; } cases[] = {
        { "192.0.2.1", true, true, true },      { "2001:db8::1", true, true, true },
        { "127.0.0.1", false, true, false },    { "::1", false, true, false },
        { "::ffff:127.0.0.1", false, true, false }, { "64:ff9b::7f00:1", false, true, false },
        { "10.0.0.1", false, false, true },     { "100.64.0.1", false, false, true },
        { "fd00::1", false, false, true },      { "0.0.0.0", false, false, false },
        { "169.254.169.254", false, false, false }, { "::", false, false, false },
        { "fe80::1", false, false, false },     { "224.0.0.1", false, false, false },
        { "ff02::1", false, false, false },     { "255.255.255.255", false, false, false },
        { "2002:7f00:1::", false, true, false }, { "2002:c000:201::", true, true, true },
        { "::127.0.0.1", false, true, false },  { "::2", false, false, false },
        { "2001::7f00:1", false, false, false }, { "64:ff9b:1::7f00:1", false, false, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net_address a;
        assert_true(net_host_parse(slice_from_string(cases[i].host), 443, &a));
        assert_int_equal(egress_is_allowed(&a, &(struct egress_rules){ 0 }), cases[i].always);
        assert_int_equal(egress_is_allowed(&a, &(struct egress_rules){ .allow_loopback = true }),
                         cases[i].loopback);
        assert_int_equal(egress_is_allowed(&a, &(struct egress_rules){ .allow_private = true }),
                         cases[i].private);
        struct egress_rules near = { .allow_loopback = true, .refuse_public = true };
        assert_int_equal(egress_is_allowed(&a, &near), cases[i].loopback && !cases[i].always);
    }
    struct net_address local;
    assert_true(net_address_parse(SLICE("/run/x"), &local));
    assert_false(egress_is_allowed(&local, &(struct egress_rules){ true, true }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_read_and_show),
        cmocka_unit_test(networks_hold_their_addresses),
        cmocka_unit_test(addresses_that_others_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
