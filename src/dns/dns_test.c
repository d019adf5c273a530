/* dns_test.c: the resolver against a real server on loopback. */
#include "dns/dns.h"

#include "dns/fake_server.h"
#include "event/loop.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct fake_record records[] = {
    { "plain.test", DNS_TYPE_A, "192.0.2.1" },
    { "plain.test", DNS_TYPE_A, "192.0.2.2" },
    { "plain.test", DNS_TYPE_AAAA, "2001:db8::1" },
    { "mail.example", DNS_TYPE_MX, "10 MX1.mail.example" },
    { "mail.example", DNS_TYPE_MX, "5 mx2.mail.example" },
    { "alias.example", DNS_TYPE_CNAME, "plain.test" },
    { "private.example", DNS_TYPE_A, "10.0.0.1" },
    { "fails.example", FAKE_SERVFAIL, "" },
    { "refused.example", FAKE_REFUSED, "" },
    { "silent.example", FAKE_SILENT, "" },
    { "loop.example", DNS_TYPE_CNAME, "pool.example" },
    { "pool.example", DNS_TYPE_CNAME, "loop.example" },
    { "c8.example", DNS_TYPE_CNAME, "c7.example" },
    { "c9.example", DNS_TYPE_CNAME, "c8.example" },
    { "c7.example", DNS_TYPE_CNAME, "c6.example" },
    { "c6.example", DNS_TYPE_CNAME, "c5.example" },
    { "c5.example", DNS_TYPE_CNAME, "c4.example" },
    { "c4.example", DNS_TYPE_CNAME, "c3.example" },
    { "c3.example", DNS_TYPE_CNAME, "c2.example" },
    { "c2.example", DNS_TYPE_CNAME, "c1.example" },
    { "c1.example", DNS_TYPE_CNAME, "plain.test" },
    { "2.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "plain.test" },
    { "1.0.0.10.in-addr.arpa", DNS_TYPE_PTR, "private.example" },
    { NULL, 0, NULL },
};

struct world {
    struct fake_server server;
    struct loop *loop;
    struct dns *dns;
    unsigned left;
};

struct asked {
    struct dns_query query;
    struct world *world;
};

static void on_done(struct dns_query *query)
{
    struct asked *a = container_of(query, struct asked, query);
    if (--a->world->left == 0)
        loop_stop(a->world->loop);
}

static void world_open(struct world *w, uint32_t timeout_ms)
{
    *w = (struct world){ .left = 0 };
    fake_server_start(&w->server, records);
    struct dns_options options = { .upstreams = &w->server.address,
                                   .upstreams_count = 1,
                                   .timeout_ms = timeout_ms };
    assert_int_equal(loop_open(&w->loop), ERR_OK);
    assert_int_equal(dns_open(&options, &w->dns), ERR_OK);
}

static void world_close(struct world *w)
{
    dns_close(&w->dns);
    loop_close(&w->loop);
    fake_server_stop(&w->server);
}

static void ask(struct world *w, struct asked *a, const char *name, uint16_t type)
{
    *a = (struct asked){ .world = w };
    a->query.home = loop_home(w->loop);
    a->query.done = on_done;
    a->query.name = slice_from_string(name);
    a->query.type = type;
    w->left++;
    dns_query(w->dns, &a->query);
}

static const struct {
    const char *name;
    uint16_t type;
    enum dns_kind kind;
    size_t count;
    const char *canonical;
} cases[] = {
    { "plain.test", DNS_TYPE_A, DNS_OK, 2, "plain.test" },
    { "PLAIN.test.", DNS_TYPE_AAAA, DNS_OK, 1, "plain.test" },
    { "plain.test", DNS_TYPE_MX, DNS_NODATA, 0, NULL },
    { "mail.example", DNS_TYPE_MX, DNS_OK, 2, "mail.example" },
    { "alias.example", DNS_TYPE_A, DNS_OK, 2, "plain.test" },
    { "private.example", DNS_TYPE_A, DNS_OK, 1, "private.example" },
    { "absent.example", DNS_TYPE_A, DNS_NXDOMAIN, 0, NULL },
    { "fails.example", DNS_TYPE_MX, DNS_SERVFAIL, 0, NULL },
    { "refused.example", DNS_TYPE_MX, DNS_SERVFAIL, 0, NULL },
    { "silent.example", DNS_TYPE_MX, DNS_TIMEOUT, 0, NULL },
    { "loop.example", DNS_TYPE_A, DNS_SERVFAIL, 0, NULL },
    { "c8.example", DNS_TYPE_A, DNS_OK, 2, "plain.test" },
    { "c9.example", DNS_TYPE_A, DNS_SERVFAIL, 0, NULL },
    { "2.2.0.192.in-addr.arpa", DNS_TYPE_PTR, DNS_OK, 1, NULL },
    { "1.0.0.10.in-addr.arpa", DNS_TYPE_PTR, DNS_OK, 1, NULL },
    { "a b", DNS_TYPE_A, DNS_INVALID, 0, NULL },
    { "", DNS_TYPE_A, DNS_INVALID, 0, NULL },
};

enum { CASES = sizeof cases / sizeof cases[0] };

static void answers_are_told_apart(void **state)
{
    (void)state;
    struct world w;
    struct asked asked[CASES];
    world_open(&w, 1500);
    for (size_t i = 0; i < CASES; i++)
        ask(&w, &asked[i], cases[i].name, cases[i].type);
    loop_run(w.loop);
    for (size_t i = 0; i < CASES; i++) {
        const struct dns_answer *a = &asked[i].query.answer;
        print_message("  %s %u\n", cases[i].name, cases[i].type);
        assert_int_equal(a->kind, cases[i].kind);
        assert_int_equal(a->records_count, cases[i].count);
        assert_false(a->secure);
        if (cases[i].canonical != NULL)
            assert_string_equal(a->canonical.text, cases[i].canonical);
        if (a->kind == DNS_OK)
            assert_in_range(a->ttl_s, 299, 300);
        dns_query_clear(&asked[i].query);
        dns_query_clear(&asked[i].query);
    }
    world_close(&w);
}

static void the_cache_answers(void **state)
{
    (void)state;
    struct world w;
    struct asked asked;
    world_open(&w, 0);
    for (int i = 0; i < 3; i++) {
        ask(&w, &asked, "plain.test", DNS_TYPE_A);
        loop_run(w.loop);
        assert_int_equal(asked.query.answer.kind, DNS_OK);
        dns_query_clear(&asked.query);
    }
    assert_int_equal(atomic_load(&w.server.questions), 1);
    world_close(&w);
}

static void cancelled_queries_come_back_soon(void **state)
{
    (void)state;
    struct world w;
    struct asked asked[3];
    world_open(&w, 60000);
    ask(&w, &asked[0], "silent.example", DNS_TYPE_A);
    ask(&w, &asked[1], "plain.test", DNS_TYPE_A);
    ask(&w, &asked[2], "a b", DNS_TYPE_A);
    dns_cancel(&asked[0].query);
    dns_cancel(&asked[1].query);
    dns_cancel(&asked[1].query);
    loop_run(w.loop);
    assert_int_equal(asked[0].query.answer.kind, DNS_CANCELLED);
    dns_cancel(&asked[2].query); /* too late: nothing happens */
    dns_query_clear(&asked[1].query);
    world_close(&w);
}

static void closing_cancels(void **state)
{
    (void)state;
    struct world w;
    struct asked asked;
    world_open(&w, 60000);
    ask(&w, &asked, "silent.example", DNS_TYPE_A);
    dns_close(&w.dns);
    loop_run(w.loop);
    assert_int_equal(asked.query.answer.kind, DNS_CANCELLED);
    world_close(&w);
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    struct dns *dns = NULL;
    struct net_address upstream;
    assert_true(net_address_parse(SLICE("[::1]:5300"), &upstream));
    struct dns_options options = { .upstreams = &upstream, .upstreams_count = 1,
                                   .trust_anchor_file = "/nonexistent/anchor" };
    assert_int_equal(dns_open(&options, &dns), ERR_ABSENT);
    assert_null(dns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_told_apart),
        cmocka_unit_test(the_cache_answers),
        cmocka_unit_test(cancelled_queries_come_back_soon),
        cmocka_unit_test(closing_cancels),
        cmocka_unit_test(bad_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
