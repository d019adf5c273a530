/* mx_test.c: the rules over tables of records, and the search against a real server. */
#include "dns/mx.h"

#include "dns/fake_server.h"
#include "event/loop.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct fake_record records[] = {
    { "one.example", DNS_TYPE_MX, "10 mx1.one.example" },
    { "one.example", DNS_TYPE_MX, "20 mx2.one.example" },
    { "one.example", DNS_TYPE_MX, "30 mx3.one.example" },
    { "mx1.one.example", DNS_TYPE_A, "192.0.2.1" },
    { "mx1.one.example", DNS_TYPE_AAAA, "2001:db8::1" },
    { "mx2.one.example", FAKE_SERVFAIL, "" },
    { "mx3.one.example", DNS_TYPE_A, "192.0.2.3" },
    { "implicit.example", DNS_TYPE_A, "192.0.2.9" },
    { "nothing.example", DNS_TYPE_TXT, "no address" },
    { "null.example", DNS_TYPE_MX, "0 ." },
    { "nullandmore.example", DNS_TYPE_MX, "0 ." },
    { "nullandmore.example", DNS_TYPE_MX, "10 mx1.one.example" },
    { "servfail.example", FAKE_SERVFAIL, "" },
    { "servfail2.example", DNS_TYPE_MX, "10 servfail.example" },
    { "refused.example", FAKE_REFUSED, "" },
    { "silent.example", FAKE_SILENT, "" },
    { "noaddress.example", DNS_TYPE_MX, "10 absent.example" },
    { "literal.example", DNS_TYPE_MX, "10 192.0.2.1" },
    { "loopback.example", DNS_TYPE_MX, "10 lo.example" },
    { "lo.example", DNS_TYPE_A, "127.0.0.1" },
    { "lo.example", DNS_TYPE_A, "0.0.0.0" },
    { "lo.example", DNS_TYPE_A, "169.254.169.254" },
    { "lo.example", DNS_TYPE_AAAA, "::1" },
    { "lo.example", DNS_TYPE_AAAA, "::ffff:127.0.0.1" },
    { "lo.example", DNS_TYPE_AAAA, "64:ff9b::7f00:1" },
    { "private.example", DNS_TYPE_A, "10.1.2.3" },
    { "backup.example", DNS_TYPE_MX, "10 mx1.one.example" },
    { "backup.example", DNS_TYPE_MX, "20 ME.example" },
    { "backup.example", DNS_TYPE_MX, "20 equal.example" },
    { "backup.example", DNS_TYPE_MX, "30 mx3.one.example" },
    { "mine.example", DNS_TYPE_MX, "10 me.example" },
    { "mine.example", DNS_TYPE_MX, "20 mx1.one.example" },
    { "byaddress.example", DNS_TYPE_MX, "10 mx1.one.example" },
    { "byaddress.example", DNS_TYPE_MX, "20 other-name.example" },
    { "byaddress.example", DNS_TYPE_MX, "30 mx3.one.example" },
    { "other-name.example", DNS_TYPE_A, "198.51.100.7" },
    { "selfbyaddress.example", DNS_TYPE_MX, "20 other-name.example" },
    { "cname.example", DNS_TYPE_CNAME, "one.example" },
    { "mxcname.example", DNS_TYPE_MX, "5 alias.example" },
    { "alias.example", DNS_TYPE_CNAME, "mx3.one.example" },
    { "loop.example", DNS_TYPE_CNAME, "loop.example" },
    { NULL, 0, NULL },
};

/* Each domain with its hosts as "name[address ...]" or "kind code status". */
static const struct {
    const char *domain;
    const char *want;
} cases[] = {
    { "one.example", "mx1.one.example[2001:db8::1 192.0.2.1] "
                     "mx3.one.example[192.0.2.3] " },
    { "ONE.example", "mx1.one.example[2001:db8::1 192.0.2.1] "
                     "mx3.one.example[192.0.2.3] " },
    { "implicit.example", "implicit.example[192.0.2.9] " },
    { "nothing.example", "failed 0 5.4.4" },
    { "absent.example", "failed 0 5.1.2" },
    { "null.example", "failed 556 5.1.10" },
    { "nullandmore.example",
      "mx1.one.example[2001:db8::1 192.0.2.1] " },
    { "servfail.example", "deferred 0 4.4.3" },
    { "servfail2.example", "deferred 0 4.4.3" },
    { "refused.example", "deferred 0 4.4.3" },
    { "silent.example", "deferred 0 4.4.3" },
    { "noaddress.example", "failed 0 5.4.4" },
    { "literal.example", "failed 0 5.4.4" },
    { "loopback.example", "failed 0 5.4.4" },
    { "private.example", "failed 0 5.4.4" },
    { "backup.example", "mx1.one.example[2001:db8::1 192.0.2.1] " },
    { "mine.example", "failed 0 5.4.6" },
    { "me.example", "failed 0 5.1.2" },
    { "byaddress.example", "mx1.one.example[2001:db8::1 192.0.2.1] " },
    { "selfbyaddress.example", "failed 0 5.4.6" },
    { "cname.example", "mx1.one.example[2001:db8::1 192.0.2.1] "
                       "mx3.one.example[192.0.2.3] " },
    { "mxcname.example", "alias.example[192.0.2.3] " },
    { "loop.example", "deferred 0 4.4.3" },
    { "[192.0.2.77]", "[192.0.2.77] " },
    { "[IPv6:2001:db8::77]", "[2001:db8::77] " },
    { "[127.0.0.1]", "failed 0 5.4.4" },
    { "[198.51.100.7]", "failed 0 5.4.6" },
    { "[x]", "failed 0 5.1.2" },
    { "[192.0.2.77", "failed 0 5.1.2" },
    { "", "failed 0 5.1.2" },
    { "a b.example", "failed 0 5.1.2" },
};

enum { CASES = sizeof cases / sizeof cases[0] };

struct world {
    struct fake_server server;
    struct loop *loop;
    struct dns *dns;
    struct net_address own;
    struct dns_mx_rules rules;
    unsigned left;
};

struct search {
    struct dns_mx_lookup lookup;
    struct world *world;
};

static void on_done(struct dns_mx_lookup *lookup)
{
    struct search *s = container_of(lookup, struct search, lookup);
    if (--s->world->left == 0)
        loop_stop(s->world->loop);
}

static void describe(const struct dns_mx_lookup *l, struct buffer *out)
{
    if (l->hosts == NULL) {
        buffer_append_format(out, "%s %u ",
                             l->outcome.kind == OUTCOME_FAILED ? "failed" : "deferred",
                             l->outcome.code);
        smtp_status_append(out, l->outcome.status);
        assert_true(l->outcome.text.len > 0);
    }
    for (uint32_t i = 0; l->hosts != NULL && i < l->hosts->count; i++) {
        const struct dns_host *h = &l->hosts->hosts[i];
        buffer_append_format(out, "%s[", h->name.text);
        for (unsigned a = 0; a < h->addresses_count; a++) {
            struct net_address address;
            dns_address_to_net(&h->addresses[a], 25, &address);
            if (a > 0)
                buffer_append_byte(out, ' ');
            net_host_append(out, &address);
        }
        buffer_append(out, SLICE("] "));
    }
    buffer_append_byte(out, '\0');
}

static void world_open(struct world *w)
{
    *w = (struct world){ .left = 0 };
    fake_server_start(&w->server, records);
    struct dns_options options = { .upstreams = &w->server.address,
                                   .upstreams_count = 1, .timeout_ms = 1000 };
    assert_int_equal(loop_open(&w->loop), ERR_OK);
    assert_int_equal(dns_open(&options, &w->dns), ERR_OK);
    assert_true(net_host_parse(SLICE("198.51.100.7"), 0, &w->own));
    w->rules = (struct dns_mx_rules){ .own_name = SLICE("me.example"),
                                      .own_addresses = &w->own,
                                      .own_addresses_count = 1 };
}

static void world_close(struct world *w)
{
    dns_close(&w->dns);
    loop_close(&w->loop);
    fake_server_stop(&w->server);
}

static void search(struct world *w, struct search *s, const char *domain)
{
    *s = (struct search){ .world = w,
                          .lookup = { .home = loop_home(w->loop), .done = on_done,
                                      .domain = slice_from_string(domain),
                                      .rules = &w->rules, .random = 7 } };
    w->left++;
    dns_mx_lookup(w->dns, &s->lookup);
}

static void domains_lead_to_hosts(void **state)
{
    (void)state;
    struct world w;
    static struct search searches[CASES];
    world_open(&w);
    for (size_t i = 0; i < CASES; i++)
        search(&w, &searches[i], cases[i].domain);
    loop_run(w.loop);
    for (size_t i = 0; i < CASES; i++) {
        struct buffer text;
        buffer_init(&text, 1000);
        describe(&searches[i].lookup, &text);
        print_message("  %s: %s\n", cases[i].domain, buffer_slice(&text).data);
        assert_string_equal(buffer_slice(&text).data, cases[i].want);
        buffer_free(&text);
        free(searches[i].lookup.hosts);
    }
    world_close(&w);
}

static void allowed_where_configured(void **state)
{
    (void)state;
    struct world w;
    struct search lo;
    struct search private;
    world_open(&w);
    w.rules.allow_loopback = true;
    w.rules.allow_private = true;
    search(&w, &lo, "loopback.example");
    search(&w, &private, "private.example");
    loop_run(w.loop);
    assert_non_null(lo.lookup.hosts);
    assert_non_null(private.lookup.hosts);
    /* 127.0.0.1 in its four forms, ::1 among them; never 0.0.0.0 nor link-local */
    assert_int_equal(lo.lookup.hosts->hosts[0].addresses_count, 4);
    free(lo.lookup.hosts);
    free(private.lookup.hosts);
    world_close(&w);
}

static void a_host_is_asked_for_no_mx(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        const char *want;
    } table[] = {
        { "mx1.one.example", "mx1.one.example[2001:db8::1 192.0.2.1] " },
        { "one.example", "failed 0 5.4.4" },
        { "servfail.example", "deferred 0 4.4.3" },
        { "me.example", "failed 0 5.4.6" },
        { "a..b", "failed 0 5.1.2" },
        { "[192.0.2.5]", "[192.0.2.5] " },
    };
    struct world w;
    world_open(&w);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct search s;
        struct buffer text;
        search(&w, &s, "x");
        loop_run(w.loop);
        free(s.lookup.hosts);
        s.lookup.domain = slice_from_string(table[i].host);
        s.lookup.is_host = true;
        w.left++;
        dns_mx_lookup(w.dns, &s.lookup);
        loop_run(w.loop);
        buffer_init(&text, 1000);
        describe(&s.lookup, &text);
        assert_string_equal(buffer_slice(&text).data, table[i].want);
        buffer_free(&text);
        free(s.lookup.hosts);
    }
    world_close(&w);
}

static void addresses_by_kind(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool allowed;
        bool allowed_private;
        bool allowed_loopback;
    } table[] = {
        { "8.8.8.8", true, true, true },
        { "0.1.2.3", false, false, false },
        { "127.255.0.1", false, false, true },
        { "10.0.0.1", false, true, false },
        { "172.15.0.1", true, true, true },
        { "172.16.0.1", false, true, false },
        { "172.31.255.255", false, true, false },
        { "172.32.0.1", true, true, true },
        { "192.168.0.1", false, true, false },
        { "100.64.0.1", false, true, false },
        { "100.128.0.1", true, true, true },
        { "169.254.1.1", false, false, false },
        { "223.255.255.255", true, true, true },
        { "224.0.0.1", false, false, false },
        { "255.255.255.255", false, false, false },
        { "2001:db8::1", true, true, true },
        { "::", false, false, false },
        { "::1", false, false, true },
        { "::2", false, false, false },
        { "fe80::1", false, false, false },
        { "febf::1", false, false, false },
        { "fec0::1", true, true, true },
        { "fd00::1", false, true, false },
        { "ff02::1", false, false, false },
        { "::ffff:10.0.0.1", false, true, false },
        { "64:ff9b::10.0.0.1", false, true, false },
        { "64:ff9b::8.8.8.8", true, true, true },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct dns_address a = { .is_v6 = strchr(table[i].text, ':') != NULL };
        assert_int_equal(inet_pton(a.is_v6 ? AF_INET6 : AF_INET, table[i].text, a.bytes),
                         1);
        struct dns_mx_rules rules = { .allow_private = false };
        assert_int_equal(dns_address_is_allowed(&a, &rules), table[i].allowed);
        rules.allow_private = true;
        assert_int_equal(dns_address_is_allowed(&a, &rules), table[i].allowed_private);
        rules.allow_private = false;
        rules.allow_loopback = true;
        assert_int_equal(dns_address_is_allowed(&a, &rules), table[i].allowed_loopback);
    }
}

/* MX data "pp NN 0": preference p, host "hNN". */
static size_t make_mx(char *out, unsigned preference, unsigned host)
{
    int len = snprintf(out, 16, "%c%c%ch%02u", (char)(preference >> 8),
                       (char)preference, 3, host);
    must(len == 6);
    out[6] = '\0';
    return 7;
}

static void of_many_hosts_the_best_are_kept(void **state)
{
    (void)state;
    enum { RECORDS = 60 };
    char data[RECORDS][16];
    struct slice slices[RECORDS];
    for (unsigned i = 0; i < RECORDS; i++) /* worst first, each twice */
        slices[i] = slice_make(data[i], make_mx(data[i], 1 + (59 - i) / 2, i / 2));
    struct dns_answer answer = { .kind = DNS_OK, .records = slices,
                                 .records_count = RECORDS, .ttl_s = 60 };
    struct dns_mx_rules rules = { .allow_private = false };
    struct dns_hosts hosts;
    struct outcome outcome;
    assert_true(dns_mx_read(&answer, SLICE("x"), &rules, 1, &hosts, &outcome));
    assert_int_equal(hosts.count, DNS_HOSTS_MAX);
    for (unsigned i = 0; i < DNS_HOSTS_MAX; i++)
        assert_int_equal(hosts.hosts[i].preference, i + 1);
}

static void equal_hosts_come_in_any_order(void **state)
{
    (void)state;
    char data[3][16];
    struct slice slices[3];
    unsigned first[3] = { 0, 0, 0 };
    for (unsigned i = 0; i < 3; i++)
        slices[i] = slice_make(data[i], make_mx(data[i], 10, i));
    struct dns_answer answer = { .kind = DNS_OK, .records = slices, .records_count = 3 };
    struct dns_mx_rules rules = { .allow_private = false };
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct dns_hosts hosts;
        struct outcome outcome;
        assert_true(dns_mx_read(&answer, SLICE("x"), &rules, seed, &hosts, &outcome));
        first[hosts.hosts[0].name.text[2] - '0']++;
    }
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(first[i], 900, 1100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(domains_lead_to_hosts),
        cmocka_unit_test(allowed_where_configured),
        cmocka_unit_test(a_host_is_asked_for_no_mx),
        cmocka_unit_test(addresses_by_kind),
        cmocka_unit_test(of_many_hosts_the_best_are_kept),
        cmocka_unit_test(equal_hosts_come_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
