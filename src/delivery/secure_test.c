/* secure_test.c: what becomes of jobs where TLS is wanted and cannot be had, and which
 * routes share a site. Handshakes that are good belong to tests/dialog. */
#include "delivery/delivery.h"

#include "crypto/sasl_client.h"
#include "delivery/fake_peer.h"
#include "delivery/fake_world.h"
#include "delivery/promise.h"

static const struct fake_record no_names[] = { { NULL, 0, NULL } };

static struct tls_client *believing_nobody(void)
{
    struct tls_client *client;
    assert_int_equal(tls_client_open(NULL, NULL, &client), ERR_OK);
    return client;
}

struct row {
    const char *offers;
    const char *says;   /* to STARTTLS */
    enum transport_level level;
    bool has_password;
    enum transport_level over;
    const char *want;
    unsigned connections;
    const char *trouble; /* in the facts; NULL: none */
};

#define TLS_OFFERED "250-STARTTLS\r\n"
#define RELAYED "kept: b@y.example relayed 250 2.0.0 kept;"

static const struct row rows[] = {
    { "", NULL, TRANSPORT_UNSAID, false, 0, RELAYED, 1, NULL },
    { TLS_OFFERED, NULL, TRANSPORT_CLEAR, false, 0, RELAYED, 1, NULL },
    { "", NULL, TRANSPORT_OPPORTUNISTIC, false, 0, RELAYED, 1, "STARTTLS was not offered" },
    { TLS_OFFERED, "454 4.7.0 no", TRANSPORT_OPPORTUNISTIC, false, 0, RELAYED, 2,
      "STARTTLS was offered and then refused" },
    { "", NULL, TRANSPORT_REQUIRED, false, 0,
      "no site: deferred 0 4.7.4 TLS is required, and the other side does not offer it", 1,
      NULL },
    { TLS_OFFERED, "454 4.7.0 no", TRANSPORT_VERIFIED, false, 0,
      "no site: deferred 0 4.7.4 STARTTLS was offered and then refused: 454 no", 1,
      NULL },
    { TLS_OFFERED, "220 go\r\n250 in clear", TRANSPORT_OPPORTUNISTIC, false, 0,
      "no site: deferred 0 4.5.0 the other side spoke in clear behind its reply to STARTTLS",
      1, NULL },
    { "250-AUTH PLAIN\r\n", NULL, TRANSPORT_OPPORTUNISTIC, true, TRANSPORT_VERIFIED,
      "no site: deferred 0 4.7.0 the password is not said: the other side's certificate is "
      "not good", 1, NULL },
    { "250-AUTH PLAIN\r\n", NULL, TRANSPORT_OPPORTUNISTIC, true, TRANSPORT_REQUIRED,
      "no site: deferred 0 4.7.0 the password is not said in clear", 1, NULL },
    { "250-AUTH CRAM-MD5\r\n", NULL, TRANSPORT_CLEAR, true, TRANSPORT_CLEAR,
      "no site: deferred 0 4.7.0 the other side offers no way to authenticate that may be "
      "used", 1, NULL },
};

static void run_row(const struct row *row)
{
    struct fake_rule rules[] = { { "STARTTLS", row->says, 0 }, { NULL, NULL, 0 } };
    struct world w;
    struct fake_peer peer;
    struct tls_client *client = believing_nobody();
    fake_peer_start(&peer, row->offers, NULL, row->says == NULL ? NULL : rules);
    world_open(&w, no_names);
    struct delivery_route route = {
        .way = DELIVERY_SMTP, .host = SLICE("127.0.0.1"),
        .port = net_address_port(&peer.address),
        .security = { .level = row->level, .tls = client },
        .auth = { .user = SLICE("u"), .secret = slice_make("p", row->has_password),
                  .mechanisms = SASL_USUAL, .over = row->over },
    };
    world_deliver_by(&w, &route, 1);
    tls_client_drop(&client);
    struct world_job *job = world_post(&w, "y.example", 1, world_new);
    world_run(&w);
    const struct outcome *o = job->run.end == ATTEMPT_NO_SITE
                                  ? &job->run.site_failure
                                  : &job->run.recipients[0].outcome;
    assert_int_equal(o->transport.wanted, row->level);
    assert_int_equal(o->transport.had, TRANSPORT_CLEAR);
    assert_null(o->transport.version);
    if (row->trouble == NULL)
        assert_null(o->transport.trouble);
    else
        assert_string_equal(o->transport.trouble, row->trouble);
    world_expect(job, row->want);
    assert_int_equal(atomic_load(&peer.messages), row->want[0] == 'k');
    world_close(&w);
    assert_int_equal(atomic_load(&peer.connections), row->connections);
    fake_peer_stop(&peer);
}

static void what_cannot_be_had_waits_or_goes_in_clear(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        run_row(&rows[i]);
}

/* What was shown before is asked for again, where less is to be refused. */
static void what_was_shown_is_asked_for(void **state)
{
    (void)state;
    for (int refuses = 0; refuses < 2; refuses++) {
        struct world w;
        struct fake_peer peer;
        struct buffer place;
        struct tls_client *client = believing_nobody();
        fake_peer_start(&peer, "", NULL, NULL);
        world_open(&w, no_names);
        w.options.heed.shown = refuses;
        struct delivery_route route = {
            .way = DELIVERY_SMTP, .host = SLICE("127.0.0.1"),
            .port = net_address_port(&peer.address),
            .security = { .level = TRANSPORT_OPPORTUNISTIC, .tls = client },
        };
        world_deliver_by(&w, &route, 1);
        tls_client_drop(&client);
        buffer_init(&place, 200);
        net_address_append(&place, &peer.address);
        int64_t now = moment_now().wall_ms;
        char text[40];
        snprintf(text, sizeof text, "required %lld", (long long)now);
        assert_true(delivery_recall(w.delivery, buffer_slice(&place),
                                    slice_from_string(text), now));
        struct world_job *job = world_post(&w, "y.example", 1, world_new);
        world_run(&w);
        const struct outcome *o = refuses ? &job->run.site_failure
                                          : &job->run.recipients[0].outcome;
        assert_int_equal(o->transport.before, TRANSPORT_REQUIRED);
        assert_int_equal(o->transport.wanted,
                         refuses ? TRANSPORT_REQUIRED : TRANSPORT_OPPORTUNISTIC);
        world_expect(job, refuses ? "no site: deferred 0 4.7.4 TLS is required, and the "
                                    "other side does not offer it"
                                  : RELAYED);
        buffer_free(&place);
        world_close(&w);
        fake_peer_stop(&peer);
    }
}

static void expect_key(const struct delivery_route *route, const char *want)
{
    struct site_key key;
    char text[SITE_KEY_MAX + 1] = { 0 };
    site_of_route(route, SLICE("y.example"), &key);
    memcpy(text, key.text, key.len);
    assert_string_equal(text, want);
    assert_true(site_fits_route(&key, route, SLICE("y.example")));
}

static void routes_that_ask_for_other_things_share_no_site(void **state)
{
    (void)state;
    struct delivery_route r = { .way = DELIVERY_SMTP, .host = SLICE("h.test"), .port = 25 };
    struct site_key plain, other;
    expect_key(&r, "smtp:h.test:25");
    site_of_route(&r, SLICE("y.example"), &plain);
    r.security.level = TRANSPORT_OPPORTUNISTIC;
    expect_key(&r, "smtp:h.test:25");
    r.security.level = TRANSPORT_VERIFIED;
    expect_key(&r, "smtp;tls=verified:h.test:25");
    assert_false(site_fits_route(&plain, &r, SLICE("y.example")));
    r.security.is_implicit = r.downgrade = true;
    expect_key(&r, "smtp;downgrade;implicit;tls=verified:h.test:25");
    r.auth = (struct delivery_auth){ .user = SLICE("u"), .secret = SLICE("p") };
    site_of_route(&r, SLICE("y.example"), &plain);
    r.auth.secret = SLICE("q"); /* a secret leaves no trace in a key */
    site_of_route(&r, SLICE("y.example"), &other);
    assert_memory_equal(plain.text, other.text, plain.len);
    r.auth.user = SLICE("v");
    site_of_route(&r, SLICE("y.example"), &other);
    assert_memory_not_equal(plain.text, other.text, plain.len);
    r = (struct delivery_route){ .way = DELIVERY_MX,
                                 .security = { .level = TRANSPORT_REQUIRED } };
    static const struct { const char *key; bool fits; } sites[] = {
        { "mx;tls=required:a.test", true }, { "mx:a.test", false },
        { "mx;tls=verified:a.test", false }, { "mx;downgrade;tls=required:a.test", false },
    };
    for (size_t i = 0; i < sizeof sites / sizeof *sites; i++) {
        struct site_key key = { .len = (uint8_t)strlen(sites[i].key) };
        memcpy(key.text, sites[i].key, key.len);
        assert_int_equal(site_fits_route(&key, &r, SLICE("y.example")), sites[i].fits);
    }
}

/* ---- what the next hop promises itself ---- */

static struct mtasts_policy *policy_for(const char *mode, const char *mx)
{
    char text[200];
    struct mtasts_policy *policy = NULL;
    if (mode == NULL)
        return NULL;
    snprintf(text, sizeof text, "version: STSv1\nmode: %s\nmax_age: 9\nmx: %s\n", mode, mx);
    assert_null(mtasts_policy_read(slice_from_string(text), &policy));
    return policy;
}

static void promises_and_what_is_asked_for(void **state)
{
    (void)state;
    static const struct {
        enum dane_kind dane;
        const char *mode, *mx;
        enum transport_promise kind;
        enum transport_level level;
        bool is_refused, is_doubted;
    } cases[] = {
        { DANE_ABSENT, NULL, NULL, TRANSPORT_NO_PROMISE, TRANSPORT_UNSAID, false, false },
        { DANE_USABLE, NULL, NULL, TRANSPORT_DANE, TRANSPORT_VERIFIED, false, false },
        { DANE_UNUSABLE, NULL, NULL, TRANSPORT_DANE_UNUSABLE, TRANSPORT_REQUIRED, false, false },
        { DANE_FAILED, NULL, NULL, TRANSPORT_DANE, TRANSPORT_VERIFIED, true, false },
        { DANE_ABSENT, "none", "a", TRANSPORT_NO_PROMISE, TRANSPORT_UNSAID, false, false },
        { DANE_ABSENT, "enforce", "a", TRANSPORT_STS, TRANSPORT_VERIFIED, false, false },
        { DANE_ABSENT, "enforce", "b", TRANSPORT_STS, TRANSPORT_VERIFIED, true, false },
        { DANE_ABSENT, "testing", "a", TRANSPORT_STS_TESTING, TRANSPORT_UNSAID, false, false },
        { DANE_ABSENT, "testing", "b", TRANSPORT_STS_TESTING, TRANSPORT_UNSAID, false, true },
        { DANE_USABLE, "enforce", "b", TRANSPORT_DANE, TRANSPORT_VERIFIED, false, false },
        { DANE_FAILED, "enforce", "a", TRANSPORT_DANE, TRANSPORT_VERIFIED, true, false },
        { DANE_UNUSABLE, "enforce", "a", TRANSPORT_STS, TRANSPORT_VERIFIED, false, false },
        { DANE_UNUSABLE, "enforce", "b", TRANSPORT_STS, TRANSPORT_VERIFIED, true, false },
        { DANE_UNUSABLE, "testing", "b", TRANSPORT_DANE_UNUSABLE, TRANSPORT_REQUIRED, false,
          false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dane dane = { .kind = cases[i].dane, .why = "why" };
        struct mtasts_policy *policy = policy_for(cases[i].mode, cases[i].mx);
        struct promise p;
        promise_judge(&dane, policy, SLICE("a"), &p);
        assert_int_equal(p.kind, cases[i].kind);
        assert_int_equal(p.level, cases[i].level);
        assert_int_equal(p.refusal != NULL, cases[i].is_refused);
        assert_int_equal(p.doubt != NULL, cases[i].is_doubted);
        assert_int_equal(p.why != NULL, p.kind != TRANSPORT_NO_PROMISE);
        for (int level = TRANSPORT_CLEAR; level <= TRANSPORT_VERIFIED; level++) {
            enum transport_level raised = (enum transport_level)level;
            const char *why = "the route";
            promise_raise(&p, &raised, &why);
            assert_int_equal(raised, p.level > raised ? p.level : raised);
            assert_true(raised >= (enum transport_level)level);
        }
        mtasts_policy_drop(&policy);
    }
}

static void what_the_operator_has_settled_is_no_matter_of_promises(void **state)
{
    (void)state;
    static const struct {
        enum delivery_way way;
        struct delivery_security security;
        bool is_heeded;
    } cases[] = {
        { DELIVERY_MX, { .level = TRANSPORT_OPPORTUNISTIC }, true },
        { DELIVERY_MX, { .level = TRANSPORT_OPPORTUNISTIC, .has_own_trust = true }, true },
        { DELIVERY_SMTP, { .level = TRANSPORT_REQUIRED }, true },
        { DELIVERY_SMTP, { .level = TRANSPORT_VERIFIED }, true },
        { DELIVERY_SMTP, { .level = TRANSPORT_VERIFIED, .has_own_trust = true }, false },
        { DELIVERY_SMTP, { .level = TRANSPORT_VERIFIED, .name = SLICE_INIT("x") }, false },
        { DELIVERY_MX, { .level = TRANSPORT_CLEAR }, false },
        { DELIVERY_MX, { .level = TRANSPORT_UNSAID }, false },
        { DELIVERY_LMTP, { .level = TRANSPORT_OPPORTUNISTIC }, false },
        { DELIVERY_MAILDIR, { .level = TRANSPORT_UNSAID }, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct delivery_route r = { .way = cases[i].way, .security = cases[i].security };
        assert_int_equal(promise_is_heeded(&r), cases[i].is_heeded);
    }
}

static void domains_that_promise_other_things_share_no_site(void **state)
{
    (void)state;
    static const char *const modes[] = { NULL, "testing", "enforce", "enforce" };
    static const char *const hosts_of[] = { "", "a", "a", "b" };
    struct delivery_route r = { .way = DELIVERY_MX,
                                .security = { .level = TRANSPORT_REQUIRED } };
    struct dns_hosts hosts = { .count = 1 };
    struct site_key keys[8];
    dns_name_parse(SLICE("mx.example"), &hosts.hosts[0].name);
    for (size_t i = 0; i < 8; i++) {
        struct mtasts_policy *policy = policy_for(modes[i % 4], hosts_of[i % 4]);
        hosts.secure = i >= 4;
        site_of_hosts(&r, &hosts, policy, SLICE("y.example"), &keys[i]);
        assert_true(site_fits_route(&keys[i], &r, SLICE("y.example")));
        assert_int_equal(site_is_secure(&keys[i]), hosts.secure);
        for (size_t other = 0; other < 4; other++) {
            struct mtasts_policy *its = policy_for(modes[other], hosts_of[other]);
            bool is_same = other == i % 4 || (other < 2 && i % 4 < 2); /* tested is no demand */
            assert_int_equal(site_has_policy(&keys[i], its), is_same);
            mtasts_policy_drop(&its);
        }
        for (size_t j = 0; j < i; j++) {
            bool is_same = i / 4 == j / 4 && i % 4 < 2 && j % 4 < 2;
            assert_int_equal(slice_equal(slice_make(keys[i].text, keys[i].len),
                                         slice_make(keys[j].text, keys[j].len)), is_same);
        }
        mtasts_policy_drop(&policy);
    }
    r.downgrade = true;
    for (size_t i = 0; i < 8; i++)
        assert_false(site_fits_route(&keys[i], &r, SLICE("y.example")));
}

static void routes_without_what_they_need_are_refused(void **state)
{
    (void)state;
    struct tls_client *client = believing_nobody();
    struct delivery_routes *routes;
    const struct delivery_security bad[] = {
        { .level = TRANSPORT_OPPORTUNISTIC },
        { .level = TRANSPORT_CLEAR, .is_implicit = true, .tls = client },
        { .level = TRANSPORT_OPPORTUNISTIC, .is_implicit = true, .tls = client },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct delivery_route r = { .way = DELIVERY_MX, .security = bad[i] };
        assert_int_equal(delivery_routes_make(&r, 1, NULL, NULL, &routes), ERR_INVALID);
    }
    tls_client_drop(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_had_waits_or_goes_in_clear),
        cmocka_unit_test(what_was_shown_is_asked_for),
        cmocka_unit_test(routes_that_ask_for_other_things_share_no_site),
        cmocka_unit_test(promises_and_what_is_asked_for),
        cmocka_unit_test(what_the_operator_has_settled_is_no_matter_of_promises),
        cmocka_unit_test(domains_that_promise_other_things_share_no_site),
        cmocka_unit_test(routes_without_what_they_need_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
