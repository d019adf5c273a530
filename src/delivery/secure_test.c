/* secure_test.c: what becomes of jobs where TLS is wanted and cannot be had, and which
 * routes share a site. Handshakes that are good belong to tests/dialog. */
#include "delivery/delivery.h"

#include "crypto/sasl_client.h"
#include "delivery/fake_peer.h"
#include "delivery/fake_world.h"

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
        assert_int_equal(delivery_routes_make(&r, 1, &routes), ERR_INVALID);
    }
    tls_client_drop(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_had_waits_or_goes_in_clear),
        cmocka_unit_test(what_was_shown_is_asked_for),
        cmocka_unit_test(routes_that_ask_for_other_things_share_no_site),
        cmocka_unit_test(routes_without_what_they_need_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
