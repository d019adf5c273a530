/* config_test.c: defaults, flags, files that are right and files that are wrong. */
#include "config/fake_file_private.h"

#include "base/moment.h"

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


/* Every key: in a file of its own, and where it lands. */
#define LANDS(type, yaml, member, value) { yaml, offsetof(struct config, member), \
                                           sizeof(type), (uint64_t)(value) }

static const struct {
    const char *yaml;
    size_t offset;
    size_t size;
    uint64_t value;
} lands[] = {
    LANDS(uint32_t, "threads: 3", threads, 3),
    LANDS(bool, "sandbox: no", sandbox, 0),
    LANDS(bool, "early_talkers: allow", refuse_early_talkers, 0),
    LANDS(size_t, "relay_clients: []", relay_clients_count, 0),
    LANDS(size_t, "relay_clients: 192.0.2.1", relay_clients_count, 1),
    LANDS(size_t, "xclient_from: [10.0.0.0/8]", xclient_from_count, 1),
    LANDS(size_t, "proxy_from: [10.0.0.0/8, 2001:db8::/32]", proxy_from_count, 2),
    LANDS(uint64_t, "limits: { message: 1MiB }", limits.message_bytes, 1 << 20),
    LANDS(uint64_t, "limits: { line: 2000 }", limits.line_bytes, 2000),
    LANDS(uint64_t, "limits: { header: 2KiB }", limits.header_bytes, 2048),
    LANDS(uint32_t, "limits: { header_fields: 11 }", limits.header_fields, 11),
    LANDS(uint32_t, "limits: { hops: 12 }", limits.hops, 12),
    LANDS(uint32_t, "limits: { recipients: 100 }", limits.recipients, 100),
    LANDS(uint32_t, "limits: { command: 1KiB }", limits.command_bytes, 1024),
    LANDS(uint32_t, "limits: { errors: 4 }", limits.errors, 4),
    LANDS(uint32_t, "limits: { junk_commands: 5 }", limits.junk_commands, 5),
    LANDS(uint32_t, "limits: { connections: 6 }", limits.connections, 6),
    LANDS(uint32_t, "limits: { connections_per_client: 7 }", limits.connections_per_client, 7),
    LANDS(int64_t, "limits: { future_release: 2d }", limits.future_release_ms, 2 * 86400000),
    LANDS(uint64_t, "limits: { body_memory: 1GiB }", limits.body_memory_bytes, 1 << 30),
    LANDS(int64_t, "timeouts: { command: 250ms }", timeouts.command, 250),
    LANDS(int64_t, "timeouts: { data_block: 2s }", timeouts.data_block, 2000),
    LANDS(uint64_t, "timeouts: { data_rate: 0 }", timeouts.data_bytes_per_second, 0),
    LANDS(int64_t, "timeouts: { connect: 3s }", timeouts.connect, 3000),
    LANDS(int64_t, "timeouts: { greeting: 4s }", timeouts.greeting, 4000),
    LANDS(int64_t, "timeouts: { mail: 5s }", timeouts.mail, 5000),
    LANDS(int64_t, "timeouts: { rcpt: 6s }", timeouts.rcpt, 6000),
    LANDS(int64_t, "timeouts: { data_start: 7s }", timeouts.data_start, 7000),
    LANDS(int64_t, "timeouts: { data_send: 8s }", timeouts.data_send, 8000),
    LANDS(int64_t, "timeouts: { data_end: 9s }", timeouts.data_end, 9000),
    LANDS(int64_t, "timeouts: { idle: 0s }", timeouts.idle, 0),
    LANDS(int64_t, "timeouts: { attempt_total: 2h }", timeouts.attempt_total, 2 * HOUR_MS),
    LANDS(uint64_t, "queue: { recipients_max: 5 }", queue.recipients_max, 5),
    LANDS(int64_t, "queue: { retry_first: 1m }", queue.retry_first_ms, MINUTE_MS),
    LANDS(int64_t, "queue: { retry_max: 2m }", queue.retry_max_ms, 2 * MINUTE_MS),
    LANDS(uint32_t, "queue: { retry_factor_percent: 150 }", queue.retry_factor_percent, 150),
    LANDS(uint32_t, "queue: { retry_jitter_percent: 0 }", queue.retry_jitter_percent, 0),
    LANDS(int64_t, "queue: { lifetime: 3d }", queue.lifetime_ms, 3 * DAY_MS),
    LANDS(int64_t, "queue: { report_lifetime: 1d }", queue.report_lifetime_ms, DAY_MS),
    LANDS(int64_t, "queue: { delay_notice: 2h }", queue.delay_notice_ms, 2 * HOUR_MS),
    LANDS(bool, "queue: { hold: yes }", queue.hold, 1),
    LANDS(int64_t, "history: { keep: 3d }", history.keep_ms, 3 * DAY_MS),
    LANDS(uint64_t, "history: { size: 2MiB }", history.size_bytes, 2 << 20),
    LANDS(size_t, "events: { file: /tmp/e }", events_file.len, 6),
    LANDS(size_t, "rules: [{ then: hold }, { then: accept }]", rules_count, 2),
    LANDS(size_t, "milters: [{ socket: /run/a }, { socket: 'inet:11332@127.0.0.1' }]",
          milters_count, 2),
    LANDS(bool, "verify: { check: no }", verify.check, 0),
    LANDS(uint32_t, "compliance: { action: hold }", compliance.action, CONFIG_COMPLIANCE_HOLD),
    LANDS(uint32_t, "compliance: { bulk_recipients: 7 }", compliance.bulk_recipients, 7),
    LANDS(bool, "greylist: { on: yes }", greylist.on, 1),
    LANDS(int64_t, "greylist: { delay: 1m }", greylist.delay_ms, 60 * 1000),
    LANDS(int64_t, "greylist: { window: 1h }", greylist.window_ms, 3600 * 1000),
    LANDS(int64_t, "greylist: { keep: 1d }", greylist.keep_ms, 86400 * 1000),
    LANDS(bool, "reports: { dmarc: no }", reports.dmarc, 0),
    LANDS(bool, "reports: { tls: no }", reports.tls, 0),
    LANDS(size_t, "reports: { receive: [d@a.x, t@a.x] }", reports.receive.count, 2),
    LANDS(bool, "verify: { iprev: no }", verify.iprev, 0),
    LANDS(bool, "verify: { require_dkim: yes }", verify.require_dkim, 1),
    LANDS(bool, "verify: { received_spf: no }", verify.received_spf, 0),
    LANDS(size_t, "verify: { trusted_sealers: [a.x, '*.b.x'] }", verify.trusted_sealers.count, 2),
    LANDS(size_t, "verify: { forwarders: [192.0.2.1, 10.0.0.0/8] }", verify.forwarders_count, 2),
    LANDS(uint32_t, "verify: { spf_fail: reject }", verify.spf_fail, CONFIG_VERDICT_REJECT),
    LANDS(uint32_t, "verify: { dmarc_reject: hold }", verify.dmarc_reject, CONFIG_VERDICT_HOLD),
    LANDS(uint32_t, "verify: { dmarc_quarantine: hold }", verify.dmarc_quarantine, 1),
    LANDS(uint32_t, "auth: { failures: 4 }", login.failures, 4),
    LANDS(int64_t, "auth: { delay: 5s }", login.delay_ms, 5000),
    LANDS(int64_t, "auth: { delay_max: 6s }", login.delay_max_ms, 6000),
    LANDS(uint64_t, "account_limits: { messages: 7 }", account_limits.messages, 7),
    LANDS(uint64_t, "account_limits: { recipients: 8 }", account_limits.recipients, 8),
    LANDS(uint64_t, "account_limits: { bytes: 1KiB }", account_limits.bytes, 1024),
    LANDS(int64_t, "account_limits: { window: 2s }", account_limits.window_ms, 2000),
    LANDS(uint64_t, "client_limits: { connections: 7 }", client_limits.connections, 7),
    LANDS(uint64_t, "client_limits: { messages: 8 }", client_limits.messages, 8),
    LANDS(uint64_t, "client_limits: { recipients: 9 }", client_limits.recipients, 9),
    LANDS(int64_t, "client_limits: { window: 2s }", client_limits.window_ms, 2000),
    LANDS(uint32_t, "tarpit: { after: 3 }", tarpit.after, 3),
    LANDS(int64_t, "srs: { max_age: 2d }", srs.max_age_ms, 2 * 86400000),
    LANDS(int64_t, "tarpit: { step: 2s }", tarpit.step_ms, 2000),
    LANDS(int64_t, "tarpit: { max: 3s }", tarpit.max_ms, 3000),
    LANDS(int64_t, "timeouts: { stress: 3s }", timeouts.stress, 3000),
    LANDS(uint32_t, "suppression: { then: refuse }", suppression.then, CONFIG_SUPPRESSED_REFUSE),
    LANDS(int64_t, "suppression: { keep: 1d }", suppression.keep_ms, 86400 * 1000),
    LANDS(uint32_t, "sites: { default: { connections: 8 } }", site.connections, 8),
    LANDS(uint32_t, "sites: { default: { messages_per_connection: 9 } }", site.messages_per_connection, 9),
    LANDS(uint32_t, "sites: { default: { recipients_per_message: 10 } }", site.recipients_per_message, 10),
    LANDS(bool, "sites: { default: { tls_downgrade: refuse } }", site.refuse_downgrade, 1),
    LANDS(bool, "sites: { default: { dane: false } }", site.dane, 0),
    LANDS(bool, "sites: { default: { mta_sts: false } }", site.mta_sts, 0),
    LANDS(bool, "sites: { default: {} }", site.dane, 1),
    LANDS(bool, "sites: { default: {} }", site.mta_sts, 1),
    LANDS(size_t, "dns: { servers: [192.0.2.53, '[::1]:5353'] }", dns.servers_count, 2),
    LANDS(bool, "dns: { allow_private: true }", dns.allow_private, 1),
    LANDS(int64_t, "dns: { timeout: 1s }", dns.timeout_ms, 1000),
    LANDS(uint32_t, "log: { form: json }", log_form, CONFIG_LOG_JSON),
    LANDS(uint32_t, "log: { level: error }", log_level, 3),
    LANDS(bool, "log: { sessions: true }", log_sessions, 1),
    LANDS(uint32_t, "domains: { a.example: { relay: true } }", domains.count, 1),
};

/* In the folder that the test runs in. */
#define SECRET "config_test.secret"
#define SRS "domains: { A.x: { users: [ann], deliver: { maildir: /m } } }\n" \
            "srs: { domain: a.X, secret: " SECRET " }"

static const struct {
    const char *yaml;
    size_t offset;
    const char *text;
} lands_text[] = {
    { "hostname: MX.EXAMPLE", offsetof(struct config, hostname), "mx.example" },
    { "data: /srv/x", offsetof(struct config, data), "/srv/x" },
    { "user: mail", offsetof(struct config, user), "mail" },
    { "postmaster: Ops@EXAMPLE.com", offsetof(struct config, postmaster),
      "Ops@example.com" },
    { "dns: { trust_anchor: /k }", offsetof(struct config, dns.trust_anchor), "/k" },
    { "domains: { A.x: { relay: true, dkim: [{ selector: s, key: /k }] } }\n"
      "verify: { arc_seal: a.X }", offsetof(struct config, verify.arc_domain), "a.x" },
    { "reports: { from: r@A.x }", offsetof(struct config, reports.from), "r@a.x" },
    { "reports: { organization: Us }", offsetof(struct config, reports.organization), "Us" },
    { "reports: { contact: 'https://x' }", offsetof(struct config, reports.contact),
      "https://x" },
    { "verify: { authserv_id: m.x }", offsetof(struct config, verify.authserv_id), "m.x" },
    { "tls: { client_ca: /ca }", offsetof(struct config, client_ca), "/ca" },
    { "auth: { introspect: 'https://i.x/y', introspect_client: c, introspect_secret: /s }",
      offsetof(struct config, login.introspect), "https://i.x/y" },
    { "auth: { introspect_client: c }", offsetof(struct config, login.introspect_client), "c" },
    { "auth: { introspect_secret: /s }", offsetof(struct config, login.introspect_secret), "/s" },
    { "auth: { introspect_scope: smtp }", offsetof(struct config, login.introspect_scope), "smtp" },
    { "auth: { dovecot: /d }", offsetof(struct config, login.dovecot), "/d" },
    { "log: { file: /l }", offsetof(struct config, log_file), "/l" },
    { SRS, offsetof(struct config, srs.domain), "a.x" },
    { SRS, offsetof(struct config, srs.secret), SECRET },
};

static void test_lands(void **state)
{
    (void)state;
    FILE *secret = fopen(SECRET, "w");
    assert_non_null(secret);
    assert_true(fputs("a secret of some octets\n", secret) >= 0);
    assert_int_equal(fclose(secret), 0);
    for (size_t i = 0; i < sizeof lands / sizeof lands[0]; i++) {
        uint64_t value = 0;
        const struct config *c = load(lands[i].yaml, NULL);
        memcpy(&value, (const char *)c + lands[i].offset, lands[i].size);
        if (value != lands[i].value)
            fail_msg("%s: %llu", lands[i].yaml, (unsigned long long)value);
        config_drop(&c);
    }
    for (size_t i = 0; i < sizeof lands_text / sizeof lands_text[0]; i++) {
        const struct config *c = load(lands_text[i].yaml, NULL);
        struct slice value;
        memcpy(&value, (const char *)c + lands_text[i].offset, sizeof value);
        assert_slice(value, lands_text[i].text);
        config_drop(&c);
    }
    assert_int_equal(unlink(SECRET), 0);
}

static bool is_tested(const char *name)
{
    for (size_t i = 0; i < sizeof lands / sizeof lands[0]; i++)
        if (strstr(lands[i].yaml, name) != NULL)
            return true;
    for (size_t i = 0; i < sizeof lands_text / sizeof lands_text[0]; i++)
        if (strstr(lands_text[i].yaml, name) != NULL)
            return true;
    return false;
}

static void assert_tested(const struct key *keys)
{
    char name[64];
    for (const struct key *k = keys; k->name != NULL; k++) {
        snprintf(name, sizeof name, "%s:", k->name);
        if (k->keys == NULL && !is_tested(name))
            fail_msg("no test says where '%s' lands", k->name);
        if (k->keys != NULL && k->type == &type_section)
            assert_tested(k->keys);
    }
}

/* A key that is added needs its row above; lists of maps have their own tests. */
static void test_every_key_is_tested(void **state)
{
    (void)state;
    assert_tested(config_keys);
}

static const char good[] =
    "# the whole of a small mail domain\n"
    "hostname: mx.example.com\n"
    "data: /var/lib/godwit\n"
    "proxy_from: 192.0.2.9\n"
    "listen:\n"
    "  - { address: \"*:25\", role: relay, bare_line_end: convert, proxy: true }\n"
    "  - address: '127.0.0.1:587'\n"
    "    role: submission\n"
    "  - 2525\n"
    "domains:\n"
    "  Example.COM:\n"
    "    users: [Ann, bob, \"'o.k'\"]\n"
    "    aliases: { Postmaster: ann, \"*\": [bob, X@Far.example] }\n"
    "    deliver: { maildir: \"/srv/mail/{domain}/{user}\" }\n"
    "    quota: 1GiB\n"
    "  lmtp.example: { users: [], deliver: { lmtp: /run/lmtp } }\n"
    "  relay.example: { relay: true }\n"
    "routes:\n"
    "  - { to: \"@partner.test\", deliver: { smtp: \"mail.partner.test:26\",\n"
    "                                       downgrade: quoted-printable } }\n"
    "  - { to: \"@*.Partner.test\", deliver: { smtp: 192.0.2.7 } }\n"
    "  - { to: \"@gone.test\", deliver: discard }\n"
    "  - { to: \"@l.test\", deliver: { lmtp: \"[::1]:24\" } }\n"
    "  - { to: \"@[192.0.2.1]\", deliver: { maildir: /m } }\n"
    "  - { to: \"@cap.test\", deliver: capture }\n"
    "  - { deliver: mx }\n";

static void test_good_listeners(void **state)
{
    (void)state;
    const struct config *c = load(good, NULL);
    assert_int_equal(c->listeners_count, 3);
    assert_address(&c->listeners[0].address, "[::]:25");
    assert_int_equal(c->listeners[0].bare_line_end, LINE_END_CONVERT);
    assert_true(c->listeners[0].proxy);
    assert_int_equal(c->listeners[1].role, CONFIG_ROLE_SUBMISSION);
    assert_int_equal(c->listeners[1].bare_line_end, LINE_END_CONVERT);
    assert_false(c->listeners[1].proxy);
    assert_address(&c->listeners[2].address, "[::]:2525");
    assert_int_equal(c->listeners[2].role, CONFIG_ROLE_RELAY);
    assert_int_equal(c->listeners[2].tls, CONFIG_TLS_STARTTLS);
    config_drop(&c);
}

static void test_tls(void **state)
{
    (void)state;
    const struct config *c = load(
        "tls: { certificates: [/c.pem, { cert: /d.pem, key: /d.key }] }\n"
        "listen: [{ address: '465', tls: implicit }, { address: '587', tls: required },\n"
        "         { address: '25', tls: none }]\n", NULL);
    assert_int_equal(c->certificates_count, 2);
    assert_slice(c->certificates[0].cert, "/c.pem");
    assert_slice(c->certificates[0].key, "");
    assert_slice(c->certificates[1].cert, "/d.pem");
    assert_slice(c->certificates[1].key, "/d.key");
    assert_int_equal(c->listeners[0].tls, CONFIG_TLS_IMPLICIT);
    assert_int_equal(c->listeners[1].tls, CONFIG_TLS_REQUIRED);
    assert_int_equal(c->listeners[2].tls, CONFIG_TLS_NONE);
    config_drop(&c);
    c = load("", NULL);
    assert_int_equal(c->certificates_count, 0);
    config_drop(&c);
}

static void test_good_domains(void **state)
{
    (void)state;
    const struct config *c = load(good, NULL);
    const struct config_domain *d = config_domain(c, SLICE("example.com"));
    assert_non_null(d);
    assert_int_equal(d->kind, CONFIG_DOMAIN_LOCAL);
    assert_int_equal(d->users_count, 3);
    assert_true(config_domain_has_user(d, SLICE("ann")));
    assert_true(config_domain_has_user(d, SLICE("'o.k'")));
    assert_false(config_domain_has_user(d, SLICE("Ann")));
    assert_false(config_domain_has_user(d, SLICE("an")));
    const struct config_alias *all = config_domain_alias(d, SLICE("*"));
    assert_int_equal(all->targets_count, 2);
    assert_slice(all->targets[0], "bob@example.com");
    assert_slice(all->targets[1], "X@far.example");
    assert_non_null(config_domain_alias(d, SLICE("postmaster")));
    assert_null(config_domain_alias(d, SLICE("bob")));
    assert_slice(c->postmaster, "postmaster@example.com");
    assert_int_equal(config_domain(c, SLICE("relay.example"))->kind, CONFIG_DOMAIN_RELAY);
    assert_null(config_domain(c, SLICE("Example.COM")));
    config_drop(&c);
}

static void test_good_routes(void **state)
{
    static const struct {
        const char *domain;
        enum config_way way;
        const char *host;
        uint16_t port;
        const char *path;
    } rows[] = {
        { "example.com", CONFIG_WAY_MAILDIR, "", 0, "/srv/mail/{domain}/{user}" },
        { "lmtp.example", CONFIG_WAY_LMTP, "/run/lmtp", 0, "" },
        { "relay.example", CONFIG_WAY_MX, "", 0, "" },
        { "partner.test", CONFIG_WAY_SMTP, "mail.partner.test", 26, "" },
        { "a.b.partner.test", CONFIG_WAY_SMTP, "192.0.2.7", 25, "" },
        { "notpartner.test", CONFIG_WAY_MX, "", 0, "" },
        { "gone.test", CONFIG_WAY_DISCARD, "", 0, "" },
        { "l.test", CONFIG_WAY_LMTP, "::1", 24, "" },
        { "[192.0.2.1]", CONFIG_WAY_MAILDIR, "", 0, "/m" },
        { "cap.test", CONFIG_WAY_CAPTURE, "", 0, "/var/lib/godwit/captured" },
        { "other.test", CONFIG_WAY_MX, "", 0, "" },
    };
    (void)state;
    const struct config *c = load(good, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct config_deliver *d =
            config_route(c, slice_from_string(rows[i].domain));
        if (d->way != rows[i].way)
            fail_msg("%s: way %d", rows[i].domain, (int)d->way);
        assert_slice(d->host, rows[i].host);
        assert_int_equal(d->port, rows[i].port);
        assert_slice(d->path, rows[i].path);
    }
    assert_true(config_route(c, SLICE("partner.test"))->downgrade);
    assert_false(config_route(c, SLICE("partner.test"))->downgrade_signed);
    assert_false(config_route(c, SLICE("a.partner.test"))->downgrade);
    assert_int_equal(config_route(c, SLICE("example.com"))->quota_bytes, 1 << 30);
    config_drop(&c);
}

static void test_next_hop_overrides(void **state)
{
    (void)state;
    struct config_flags flags = { .next_hop = SLICE("hop.example") };
    const struct config *c = load(good, &flags);
    static const char *const domains[] = { "example.com", "partner.test", "gone.test" };
    for (size_t i = 0; i < 3; i++) {
        const struct config_deliver *d = config_route(c, slice_from_string(domains[i]));
        assert_int_equal(d->way, CONFIG_WAY_SMTP);
        assert_slice(d->host, "hop.example");
        assert_int_equal(d->port, 25);
    }
    config_drop(&c);
}

static const struct {
    const char *yaml;
    uint32_t line;
    uint32_t column;
    const char *says; /* a part of the message */
} bad[] = {
    { "hostnam: x", 1, 1, "hostnam: unknown key; did you mean 'hostname'?" },
    { "tlz: {}", 1, 1, "tlz: unknown key; did you mean 'tls'?" },
    { "tls: { certificates: [{ key: /k }] }", 1, 23, "the key 'cert' is missing" },
    { "tls: { certificates: { cert: /c } }", 1, 22, "a list of certificates such as" },
    { "data: /x\nlimits:\n  mesage: 1MiB", 3, 3,
      "limits.mesage: unknown key; did you mean 'message'?" },
    { "domains:\n  a.example:\n    usres: []", 3, 5,
      "domains.a.example.usres: unknown key; did you mean 'users'?" },
    { "listen:\n  - address: '*:25'\n    tls: implicid", 3, 10,
      "'implicid' is none of: starttls, required, implicit, none; did you mean 'implicit'?" },
    { "listen:\n  - address: '*:25'\n    colour: red", 3, 5,
      "listen[1].colour: unknown key; known here: address, role, bare_line_end, proxy, tls, "
      "auth, auth_in_clear" },
    { "hostname: 'a b'", 1, 11, "hostname: 'a b' is not a domain name such as" },
    { "hostname: [a]", 1, 11, "a list stands where a domain name" },
    { "hostname: '[192.0.2.1]'", 1, 11, "is not a domain name" },
    { "hostname:\n", 1, 10, "hostname: a value is missing" },
    { "hostname: a\nhostname: b", 2, 1, "hostname: the key stands here twice" },
    { "hostname: a\nHostname: b", 2, 1, "unknown key; did you mean 'hostname'?" },
    { "user: \"a\\u0007\"", 1, 7, "is not a text without control characters" },
    { "data: ''", 1, 7, "data: '' is not a path" },
    { "postmaster: ops", 1, 13, "is not an address such as ops@example.com" },
    { "threads: many", 1, 10, "threads: 'many' is not a whole number" },
    { "threads: -1", 1, 10, "is not a whole number" },
    { "threads: 257", 1, 10, "is too much, at most 256 is allowed" },
    { "limits: { message: 50MB }", 1, 20, "is not a size such as" },
    { "limits: { message: 99999999999TiB }", 1, 20, "is not a size" },
    { "limits: { message: 1KiB }", 1, 20, "is too little, at least 65536 is allowed" },
    { "limits: { recipients: 99 }", 1, 23, "limits.recipients: '99' is too little" },
    { "limits: { command: 5GiB }", 1, 20, "is too much, at most 65536" },
    { "limits: []", 1, 9, "limits: a map of keys and values is expected" },
    { "timeouts: { command: 5 }", 1, 22, "'5' is not a duration such as 250ms" },
    { "timeouts: { command: 5M }", 1, 22, "is not a duration" },
    { "timeouts: { command: 1.5h }", 1, 22, "is not a duration" },
    { "timeouts: { command: 0s }", 1, 22, "is too little, at least 1 ms is allowed" },
    { "timeouts: { command: 400d }", 1, 22, "is too much" },
    { "queue: { hold: maybe }", 1, 16, "'maybe' is not true or false" },
    { "log: { form: jsno }", 1, 14, "'jsno' is none of: human, json; did you mean 'json'?" },
    { "early_talkers: no", 1, 16, "'no' is none of: allow, refuse" },
    { "listen: []", 1, 9, "at least one listener is needed" },
    { "listen: [{ role: relay }]", 1, 10, "listen[1]: the key 'address' is missing" },
    { "listen: [{ address: 'example.com:25' }]", 1, 21, "is not an address and port" },
    { "listen: ['*:25', '*:99999']", 1, 18, "listen[2].address: '*:99999' is not" },
    { "listen: [{ address: '25', role: relai }]", 1, 33, "did you mean 'relay'?" },
    { "listen: [{ address: '25', proxy: true }]", 1, 27, "say in proxy_from who may" },
    { "relay_clients: [192.0.2.1/24]", 1, 17, "is not a network such as" },
    { "relay_clients: { a: b }", 1, 16, "a map stands where a list of networks" },
    { "dns: { servers: [dns.example] }", 1, 18, "is not an address such as" },
    { "dns: { servers: [/run/dns] }", 1, 18, "is not an address such as" },
    { "routes: mx", 1, 9, "is not a list of routes" },
    { "routes: [{ to: '@x.example' }]", 1, 10, "the key 'deliver' is missing" },
    { "routes: [{ to: x.example, deliver: mx }]", 1, 16, "is not \"@example.com\"" },
    { "routes: [{ to: '', deliver: mx }]", 1, 16, "is not \"@example.com\"" },
    { "routes: [{ to: '@', deliver: mx }]", 1, 16, "is not \"@example.com\"" },
    { "routes: [{ to: 'u@x.example', deliver: mx }]", 1, 16, "is not \"@example.com\"" },
    { "routes: [{ deliver: bounce }]", 1, 21, "'bounce' is not mx, discard" },
    { "routes: [{ deliver: {} }]", 1, 21, "one of mx, smtp, lmtp and maildir is expected" },
    { "routes: [{ deliver: { smtp: a.example, lmtp: /x } }]", 1, 21, "not 2 of them" },
    { "routes: [{ deliver: { smtp: 'a.example:0' } }]", 1, 29, "is not a host such as" },
    { "routes: [{ deliver: { smtp: 'a.example:x' } }]", 1, 29, "is not a host such as" },
    { "routes: [{ deliver: { smtp: '-:25' } }]", 1, 29, "is not a host such as" },
    { "routes: [{ deliver: { lmtp: a.example } }]", 1, 29, "is neither the path" },
    { "routes: [{ deliver: { lmtp: 'a.example:25' } }]", 1, 29, "other than 25" },
    { "routes: [{ deliver: { maildir: '/m/{usr}' } }]", 1, 32, "only {user} and {domain}" },
    { "routes: [{ deliver: { maildir: '/m/{USER}' } }]", 1, 32, "only {user} and {domain}" },
    { "routes: [{ deliver: { maildir: 'm/{user}' } }]", 1, 32, "begins with '/'" },
    { "routes: [{ deliver: { maildir: /m, downgrade: bounce } }]", 1, 36,
      "a Maildir takes 8-bit mail" },
    { "domains: { 'a b': {} }", 1, 12, "domains.a b: not a domain name" },
    { "domains: { a.example: {}, A.Example: {} }", 1, 27, "the domain stands here twice" },
    { "listen: [{ address: '587', auth: offered }]", 1, 28, "nobody can log in" },
    { "domains: { a.example: { users: [a] } }", 1, 12, "nothing says where mail" },
    { "domains: { a.example: { users: [a@b.example] } }", 1, 33, "is not a local part" },
    { "domains: { a.example: { users: ['*'] } }", 1, 33, "is not a local part" },
    { "domains: { a.example: { users: ['a b'] } }", 1, 33, "is not a local part" },
    { "domains: { a.example: { users: [a, A] } }", 1, 32, "'a' stands here twice" },
    { "domains: { a.example: { users: /does/not/exist } }", 1, 32, "cannot be read" },
    { "domains: { a.example: { users: /tmp } }", 1, 32, "cannot be read" },
    { "domains: { a.example: { users: [[a]] } }", 1, 33, "a list stands where" },
    { "domains: { a.example: { relay: true, users: [a] } }", 1, 23, "takes every local part" },
    { "domains: { a.example: { quota: 1GiB } }", 1, 25, "a quota needs" },
    { "domains: { a.example: { aliases: { a: [] } } }", 1, 39, "at least one target" },
    { "domains: { a.example: { aliases: { 'a@b': x@y.example } } }", 1, 36,
      "an alias is a local part" },
    { "domains: { a.example: { aliases: { a: '|/bin/sh' } } }", 1, 39,
      "mail goes to addresses only" },
    { "domains: { a.example: { aliases: { a: ':include:/x' } } }", 1, 39,
      "mail goes to addresses only" },
    { "domains: { a.example: { aliases: { a: '/etc/passwd' } } }", 1, 39,
      "mail goes to addresses only" },
    { "domains: { a.example: { aliases: { a: 'b c' } } }", 1, 39, "is neither an address" },
    { "domains: { a.example: { aliases: { x: y@b.test, a: b, c: d@b.test } } }", 1, 49,
      "'a' goes to b@a.example, which does not exist" },
    { "domains: { a.example: { aliases: { a: x@y.example, A: x@y.example } } }", 1, 34,
      "'a' stands here twice" },
    { "domains:\n  a.example:\n    aliases:\n      x: y@b.test\n      a: a", 5, 7,
      "domains.a.example.aliases.a: this alias goes round in a circle and reaches nobody: "
      "a -> a@a.example" },
    { "domains:\n  a.example:\n    aliases:\n      '\"A b\"': e@b.test\n      c: [c, d]\n      d: c", 5, 7,
      "c -> c@a.example" },
    { "domains:\n  a.example: { aliases: { a: b@b.example } }\n"
      "  b.example: { aliases: { b: a@a.example } }", 2, 27,
      "a -> b@b.example -> a@a.example" },
    { "domains: { a.example: { aliases: { '*': nobody } } }", 1, 36,
      "* -> nobody@a.example" },
    { "domains: { a.example: { users: [ann], aliases: { ann: bob, bob: ann },"
      " deliver: { lmtp: /x } } }", 1, 60, "bob -> ann@a.example -> bob@a.example" },
    { "postmaster: x@a.example\ndomains: { a.example: {} }", 1, 13, "does not exist" },
    { "- a", 1, 1, "a map of keys and values is expected" },
    { "just a text", 1, 1, "a map of keys and values is expected" },
    { "a: &x 1", 1, 4, "anchors and tags of YAML are not used here" },
    { "user: !!str x", 1, 7, "anchors and tags" },
    { "user: *x", 1, 7, "aliases of YAML are not used here" },
    { "user: a\n---\nuser: b", 2, 1, "a second document begins" },
    { "user: [a", 2, 1, "not YAML" },
    { "user: 'a", 1, 9, "not YAML" },
    { "a:\n\tb: c", 2, 1, "not YAML" },
    { "{ [a]: b }", 1, 3, "a key is a single word" },
    { "a: [[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]", 1, 15, "nested too deep" },
    { "user: \"\xff\"", 1, 1, "not YAML" },
};

static void test_bad(void **state)
{
    size_t wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct config *c = NULL;
        struct config_error error = { .line = 9999 };
        enum err result = config_load_text(slice_from_string(bad[i].yaml), SLICE("g.yaml"),
                                           NULL, &c, &error);
        if (result != ERR_INVALID || c != NULL || error.line != bad[i].line ||
            error.column != bad[i].column || strstr(error.text, bad[i].says) == NULL) {
            print_error("%s\n is %d at %u:%u: %s\n", bad[i].yaml, (int)result, error.line,
                        error.column, error.text);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* What comes round to itself, and leads to somebody all the same. */
static void test_circles_with_a_way_out(void **state)
{
    static const char *const fine[] = {
        "domains: { a.example: { users: [ann], aliases: { ann: [ann, x@b.test] },"
        " deliver: { lmtp: /x } } }",
        "domains: { a.example: { users: [ann], aliases: { ann: ann },"
        " deliver: { lmtp: /x } } }",
        "domains: { a.example: { aliases: { a: [b, x@b.test], b: a } } }",
        "domains: { a.example: { aliases: { a: b, b: c, c: [a, b, d], d: x@b.test } } }",
        "domains: { a.example: { users: [ann], aliases: { '*': ann },"
        " deliver: { lmtp: /x } } }",
        "domains:\n  a.example: { aliases: { a: [a, x@b.example] } }\n"
        "  b.example: { relay: true }",
    };
    (void)state;
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        const struct config *c = NULL;
        struct config_error error;
        if (config_load_text(slice_from_string(fine[i]), SLICE("g.yaml"), NULL, &c,
                             &error) != ERR_OK)
            fail_msg("%s", error.text);
        config_drop(&c);
    }
}

static void test_bad_flags(void **state)
{
    static const struct slice listen[] = { SLICE_INIT("nowhere") };
    static const struct {
        struct config_flags flags;
        const char *says;
    } rows[] = {
        { { .hostname = SLICE_INIT("a b") }, "command line: hostname: 'a b' is not" },
        { { .next_hop = SLICE_INIT("x:y") }, "command line: routes[1].deliver.smtp: 'x:y'" },
        { { .log_level = SLICE_INIT("debgu") }, "did you mean 'debug'?" },
        { { .listen = (struct slice *)(uintptr_t)listen, .listen_count = 1 },
          "command line: listen[1].address: 'nowhere' is not" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct config *c = NULL;
        struct config_error error = { .line = 9999 };
        assert_int_equal(config_load(SLICE(""), &rows[i].flags, &c, &error), ERR_INVALID);
        assert_int_equal(error.line, 0);
        if (strstr(error.text, rows[i].says) == NULL)
            fail_msg("%s", error.text);
    }
}

/* A file of its own; the name is in `name`, the caller unlinks it. */
static void test_files(void **state)
{
    char name[] = "/tmp/godwit-config-XXXXXX";
    const struct config *c = NULL;
    struct config_error error;
    (void)state;
    write_file(name, good);
    assert_int_equal(config_load(slice_from_string(name), NULL, &c, &error), ERR_OK);
    assert_slice(c->hostname, "mx.example.com");
    config_drop(&c);
    assert_int_equal(truncate(name, 5 << 20), 0);
    assert_int_equal(config_load(slice_from_string(name), NULL, &c, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "is larger than 4 MiB"));
    unlink(name);
    assert_int_equal(config_load(slice_from_string(name), NULL, &c, &error), ERR_ABSENT);
    assert_non_null(strstr(error.text, name));
    assert_int_equal(config_load(SLICE("/tmp"), NULL, &c, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "is not a file"));
    assert_null(c);
}

static void assert_shows(const struct buffer *shown, const char *line)
{
    if (memmem(buffer_slice(shown).data, buffer_len(shown), line, strlen(line)) == NULL)
        fail_msg("no line '%s' in:\n%.*s", line, (int)buffer_len(shown),
                 buffer_slice(shown).data);
}

static void test_show(void **state)
{
    struct config_flags flags = { .log_level = SLICE("debug") };
    struct buffer shown, again;
    const struct config *second = NULL;
    struct config_error error;
    (void)state;
    const struct config *c = load(good, &flags);
    buffer_init(&shown, 1 << 20);
    config_show(c, &shown);
    assert_shows(&shown, "hostname: mx.example.com  # godwit.yaml:2\n");
    assert_shows(&shown, "    address: \"*:25\"  # godwit.yaml:6\n");
    assert_shows(&shown, "  level: debug  # command line\n");
    assert_shows(&shown, "  form: human  # default\n");
    assert_shows(&shown, "  message: 50MiB  # default\n");
    assert_shows(&shown, "      \"*\":\n        - bob  # godwit.yaml:13\n");
    assert_shows(&shown, "    bare_line_end: reject  # default\n");
    assert_shows(&shown, "xclient_from: []  # default\n");
    assert_shows(&shown, "postmaster: \"postmaster@example.com\"  # default\n");
    /* What is shown is a configuration, and the same one. */
    enum err result = config_load_text(buffer_slice(&shown), SLICE("shown"), NULL, &second,
                                       &error);
    if (result != ERR_OK)
        fail_msg("%s", error.text);
    assert_int_equal(second->log_level, 0);
    assert_int_equal(second->listeners_count, 3);
    assert_int_equal(second->domains.count, 3);
    buffer_init(&again, 1 << 20);
    config_show(second, &again);
    assert_shows(&again, "  level: debug  # shown:");
    buffer_free(&again);
    buffer_free(&shown);
    config_drop(&second);
    config_drop(&c);
}

/* Strings closed, brackets in pairs, nothing doubled or left out around commas. */
static void assert_is_json(struct slice text)
{
    char open[64];
    size_t depth = 0;
    char before = ' ';
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '\n')
            continue;
        if (c == '"')
            for (i++; i < text.len && text.data[i] != '"'; i++)
                i += text.data[i] == '\\';
        if (c == ',' || c == ']' || c == '}')
            assert_false(before == ',' || before == ':');
        if (c == ',' || c == ':')
            assert_false(before == '{' || before == '[');
        if (c == '"' || c == '{' || c == '[')
            assert_false(before == '"' || before == '}' || before == ']');
        if (c == '{' || c == '[') {
            assert_true(depth < sizeof open);
            open[depth++] = c == '{' ? '}' : ']';
        }
        if (c == '}' || c == ']') {
            assert_true(depth > 0);
            assert_int_equal(open[--depth], c);
        }
        before = c;
    }
    assert_int_equal(depth, 0);
}

static void test_schema(void **state)
{
    struct buffer schema;
    (void)state;
    buffer_init(&schema, 1 << 20);
    config_schema(&schema);
    assert_false(schema.overflow);
    assert_is_json(buffer_slice(&schema));
    assert_shows(&schema, "\"hostname\":{\"type\":\"string\"");
    assert_shows(&schema, "\"required\":[\"address\"]");
    buffer_free(&schema);
}

/* Bombs of aliases never unfold, and a large file takes no square of its time. */
static void test_bombs(void **state)
{
    struct buffer yaml;
    struct config_error error;
    const struct config *c = NULL;
    (void)state;
    buffer_init(&yaml, 8 << 20);
    buffer_append_string(&yaml, "domains:\n");
    for (unsigned i = 0; i < 100000; i++)
        buffer_append_format(&yaml, "  d%u.example: { relay: true }\n", i);
    assert_int_equal(config_load_text(buffer_slice(&yaml), SLICE("b"), NULL, &c, &error),
                     ERR_OK);
    assert_int_equal(c->domains.count, 100000);
    config_drop(&c);
    buffer_clear(&yaml);
    buffer_append_string(&yaml, "a: ");
    for (unsigned i = 0; i < 1000000; i++)
        buffer_append_byte(&yaml, '[');
    assert_int_equal(config_load_text(buffer_slice(&yaml), SLICE("b"), NULL, &c, &error),
                     ERR_INVALID);
    buffer_free(&yaml);
}

static void filters_are_asked_about_some(void **state)
{
    (void)state;
    struct config_milter m = { .listener = CONFIG_MILTER_ANY };
    assert_true(config_milter_applies(&m, false, false, false));
    assert_true(config_milter_applies(&m, true, true, true));
    m.listener = CONFIG_MILTER_RELAY;
    assert_true(config_milter_applies(&m, false, true, true));
    assert_false(config_milter_applies(&m, true, true, true));
    m.listener = CONFIG_MILTER_SUBMISSION;
    assert_false(config_milter_applies(&m, false, false, false));
    assert_true(config_milter_applies(&m, true, false, false));
    m = (struct config_milter){ .skip_accounts = true };
    assert_false(config_milter_applies(&m, false, true, false));
    assert_true(config_milter_applies(&m, false, false, true));
    m = (struct config_milter){ .skip_relay_clients = true };
    assert_false(config_milter_applies(&m, true, false, true));
    assert_true(config_milter_applies(&m, true, true, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_are_asked_about_some),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_capture),
        cmocka_unit_test(test_lands),
        cmocka_unit_test(test_every_key_is_tested),
        cmocka_unit_test(test_good_listeners),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_good_domains),
        cmocka_unit_test(test_good_routes),
        cmocka_unit_test(test_next_hop_overrides),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_circles_with_a_way_out), cmocka_unit_test(test_bad_flags),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_show),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_bombs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
