/* mtasts_test.c: the table of domains over a DNS of the test's own. Policy hosts that answer
 * are met in tests/interop; here none can be connected to. */
#include "transport/mtasts/mtasts.h"

#include "dns/fake_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct fake_record records[] = {
    { "_mta-sts.has.example", DNS_TYPE_TXT, "v=STSv1; id=1;" },
    { "mta-sts.has.example", DNS_TYPE_A, "127.0.0.1" },
    { "_mta-sts.old.example", DNS_TYPE_TXT, "v=STSv1; id=2;" },
    { "_mta-sts.fails.example", FAKE_SERVFAIL, "" },
    { NULL, 0, NULL },
};

struct world {
    struct fake_server server;
    struct loop *loop;
    struct dns *dns;
    struct http *http;
    struct mtasts *sts;
    struct mtasts_keeper keeper;
    unsigned left;
    unsigned kept;
    unsigned failed;
    char why[HTTP_TROUBLE_MAX];
};

static void one_less(struct world *w)
{
    if (--w->left == 0)
        loop_stop(w->loop);
}

static void on_keep(struct mtasts_keeper *keeper, struct slice domain, struct slice text)
{
    struct world *w = container_of(keeper, struct world, keeper);
    (void)domain;
    (void)text;
    w->kept++;
}

static void on_failed(struct mtasts_keeper *keeper, struct slice domain, struct slice why,
                      struct slice result)
{
    struct world *w = container_of(keeper, struct world, keeper);
    (void)domain;
    w->failed++;
    assert_true(slice_equal(result, SLICE("sts-policy-fetch-error")));
    snprintf(w->why, sizeof w->why, "%.*s", (int)why.len, why.data);
    if (w->left > 0)
        one_less(w);
}

static void world_open(struct world *w, size_t domains_max)
{
    *w = (struct world){ .keeper = { on_keep, on_failed } };
    fake_server_start(&w->server, records);
    struct dns_options dns = { .upstreams = &w->server.address, .upstreams_count = 1,
                               .timeout_ms = 5000 };
    struct http_options http = { .ca_file = NULL };
    assert_int_equal(loop_open(&w->loop), ERR_OK);
    assert_int_equal(dns_open(&dns, &w->dns), ERR_OK);
    assert_int_equal(http_open(&http, &w->http), ERR_OK);
    struct mtasts_options options = { .loop = w->loop, .dns = w->dns, .http = w->http,
                                      .keeper = &w->keeper, .domains_max = domains_max };
    assert_int_equal(mtasts_open(&options, &w->sts), ERR_OK);
}

static void world_close(struct world *w)
{
    http_close(&w->http);
    dns_close(&w->dns);
    mtasts_close(&w->sts);
    loop_close(&w->loop);
    fake_server_stop(&w->server);
}

struct asked {
    struct mtasts_lookup lookup;
    struct world *world;
};

static void on_done(struct mtasts_lookup *lookup)
{
    one_less(container_of(lookup, struct asked, lookup)->world);
}

static void ask(struct world *w, struct asked *a, const char *domain)
{
    *a = (struct asked){ .lookup = { .home = loop_home(w->loop), .done = on_done,
                                     .domain = slice_from_string(domain) }, .world = w };
    w->left++;
    mtasts_look_up(w->sts, &a->lookup);
}

static bool knows(struct world *w, const char *domain, bool *out_has)
{
    struct mtasts_policy *policy = NULL;
    bool known = mtasts_find(w->sts, slice_from_string(domain), moment_now(), &policy);
    *out_has = policy != NULL;
    mtasts_policy_drop(&policy);
    return known;
}

static const char old_policy[] = "version: STSv1\nmode: enforce\nmax_age: 864000\n"
                                 "mx: a.example\n";

static bool recall(struct world *w, const char *domain, int64_t age_ms)
{
    char text[200];
    struct moment now = moment_now();
    snprintf(text, sizeof text, "%lld 2\n%s", (long long)(now.wall_ms - age_ms), old_policy);
    return mtasts_recall(w->sts, slice_from_string(domain), slice_from_string(text), now);
}

static void who_waits_for_the_same_asks_once(void **state)
{
    (void)state;
    struct world w;
    struct asked asked[3];
    bool has = true;
    world_open(&w, 10);
    assert_false(knows(&w, "none.example", &has));
    for (int i = 0; i < 3; i++)
        ask(&w, &asked[i], "none.example");
    loop_run(w.loop);
    assert_int_equal(atomic_load(&w.server.questions), 1);
    for (int i = 0; i < 3; i++)
        assert_null(asked[i].lookup.policy);
    assert_true(knows(&w, "none.example", &has));
    assert_false(has);
    assert_int_equal(w.failed, 0);
    world_close(&w);
}

static void what_is_no_domain_has_no_policy(void **state)
{
    (void)state;
    static const char *const names[] = { "[192.0.2.1]", "a b", "", "a..b" };
    struct world w;
    struct asked asked;
    bool has = true;
    world_open(&w, 10);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ask(&w, &asked, names[i]);
        loop_run(w.loop);
        assert_null(asked.lookup.policy);
        assert_true(knows(&w, names[i], &has));
        assert_false(has);
    }
    assert_int_equal(atomic_load(&w.server.questions), 0);
    world_close(&w);
}

/* Loopback is not connected to: the fetch fails, and is not tried again at once. */
static void a_policy_that_cannot_be_fetched_is_told(void **state)
{
    (void)state;
    struct world w;
    struct asked asked;
    bool has = true;
    world_open(&w, 10);
    for (int i = 0; i < 2; i++) {
        ask(&w, &asked, "has.example");
        w.left += i == 0; /* it is told, too */
        loop_run(w.loop);
        assert_null(asked.lookup.policy);
        assert_string_equal(asked.lookup.id.text, "1");
        assert_string_equal(asked.lookup.trouble,
                            "the host's addresses are not to be connected to");
        assert_int_equal(w.failed, 1);
    }
    assert_true(knows(&w, "has.example", &has));
    assert_false(has);
    assert_int_equal(w.kept, 0);
    world_close(&w);
}

static void what_was_kept_holds_though_nothing_can_be_asked(void **state)
{
    (void)state;
    struct world w;
    struct asked asked;
    bool has = false;
    world_open(&w, 10);
    assert_true(recall(&w, "fails.example", HOUR_MS));
    assert_false(recall(&w, "over.example", 11 * DAY_MS));
    assert_false(recall(&w, "fails.example", HOUR_MS)); /* it is there already */
    ask(&w, &asked, "fails.example");
    loop_run(w.loop);
    assert_non_null(asked.lookup.policy);
    assert_int_equal(mtasts_policy_mode(asked.lookup.policy), MTASTS_ENFORCE);
    mtasts_policy_drop(&asked.lookup.policy);
    assert_true(knows(&w, "fails.example", &has));
    assert_true(has);
    world_close(&w);
}

/* Two days old: it is fetched anew though nobody asks. */
static void old_policies_are_fetched_anew(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 10);
    assert_true(recall(&w, "old.example", 2 * DAY_MS));
    w.left = 1;
    loop_run(w.loop);
    assert_int_equal(w.failed, 1);
    assert_string_equal(w.why, "the policy host has no address");
    world_close(&w);
}

static void many_domains_forget_no_promise(void **state)
{
    (void)state;
    struct world w;
    struct asked asked;
    char name[40];
    bool has = false;
    world_open(&w, 2);
    assert_true(recall(&w, "kept.example", HOUR_MS));
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "n%d.example", i);
        ask(&w, &asked, name);
        loop_run(w.loop);
    }
    assert_false(knows(&w, "n0.example", &has));
    assert_true(knows(&w, "n9.example", &has));
    ask(&w, &asked, "kept.example");
    loop_run(w.loop);
    assert_non_null(asked.lookup.policy);
    mtasts_policy_drop(&asked.lookup.policy);
    assert_true(recall(&w, "second.example", HOUR_MS));
    assert_false(recall(&w, "third.example", HOUR_MS));
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_for_the_same_asks_once),
        cmocka_unit_test(what_is_no_domain_has_no_policy),
        cmocka_unit_test(a_policy_that_cannot_be_fetched_is_told),
        cmocka_unit_test(what_was_kept_holds_though_nothing_can_be_asked),
        cmocka_unit_test(old_policies_are_fetched_anew),
        cmocka_unit_test(many_domains_forget_no_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
