/* rules_test.c: the rules, with a DNS in the test's hand. */
#include "policy/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char yaml[] =
    "rules:\n"
    "  - { when: { client: 192.0.2.99 }, then: close }\n"                              /* 0 */
    "  - { when: { dnsbl: [bl.test, \"multi.test=127.0.0.4\"], role: relay }, then: reject }\n"
    "  - { when: { name: [\"*.dyn.test\", bad.test] }, then: defer }\n"                  /* 2 */
    "  - { when: { name: none, to: \"@strict.test\" }, then: reject, reply: no name }\n" /* 3 */
    "  - { when: { helo: [localhost, \"*.local\"] }, then: delay, delay: 10ms }\n"       /* 4 */
    "  - { when: { from: [\"<>\", \"@*.spam.test\", \"Ann@Bad.test\"] }, then: hold }\n" /* 5 */
    "  - { when: { to: trap@our.test }, then: discard }\n"                               /* 6 */
    "  - { when: { account: \"@staff.test\", tls: yes }, then: accept }\n"               /* 7 */
    "  - { when: { account: none, role: submission }, then: reject }\n"                  /* 8 */
    "  - { when: { account: \"*\" }, then: relay }\n"                                    /* 9 */
    "  - { when: { client: [10.0.0.0/8, \"2001:db8::/32\"] }, then: relay }\n"          /* 10 */
    "  - { when: { client: 198.51.100.0/24, helo_is: [literal, bare] }, then: reject }\n"
    "  - { when: { client: 198.51.100.0/24, helo_is: ours }, then: defer }\n"            /* 12 */
    "  - { when: { client: 198.51.100.0/24, helo_is: unknown }, then: hold }\n"          /* 13 */
    "domains: { our.test: {} }\n"
    "hostname: mx.our.test\n";

static const struct config *config;
static struct rules_memory memory;
static unsigned asked;

/* "name type data": what there is. */
static const struct {
    const char *name;
    uint16_t type;
    struct slice data;
} zone[] = {
    { "1.2.0.192.bl.test", DNS_TYPE_A, SLICE_INIT("\x7f\0\0\2") },
    { "2.2.0.192.bl.test", DNS_TYPE_A, SLICE_INIT("\x7f\xff\xff\xfe") }, /* refused to say */
    { "3.2.0.192.bl.test", DNS_TYPE_A, SLICE_INIT("\x0a\0\0\1") },       /* no list */
    { "4.2.0.192.multi.test", DNS_TYPE_A, SLICE_INIT("\x7f\0\0\4") },
    { "5.2.0.192.multi.test", DNS_TYPE_A, SLICE_INIT("\x7f\0\0\3") },
    { "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test", DNS_TYPE_A,
      SLICE_INIT("\x7f\0\0\2") },
    { "6.2.0.192.in-addr.arpa", DNS_TYPE_PTR, SLICE_INIT("\1a\3dyn\4test\0") },
    { "a.dyn.test", DNS_TYPE_A, SLICE_INIT("\xc0\0\2\6") },
    { "7.2.0.192.in-addr.arpa", DNS_TYPE_PTR, SLICE_INIT("\3bad\4test\0") },
    { "mail.only.test", DNS_TYPE_MX, SLICE_INIT("\0\12\0") },
    { "bad.test", DNS_TYPE_A, SLICE_INIT("\xc0\0\2\1") }, /* does not lead back */
};

static void answer(struct rules_run *run)
{
    struct lookup_answer a = { .kind = LOOKUP_NXDOMAIN };
    asked++;
    if (slice_starts_with_nocase(run->question.name, SLICE("8.")))
        a.kind = LOOKUP_FAILED;
    for (size_t i = 0; i < sizeof zone / sizeof *zone; i++)
        if (slice_equal_nocase(run->question.name, slice_from_string(zone[i].name)) &&
            run->question.type == zone[i].type)
            a = (struct lookup_answer){ .kind = LOOKUP_FOUND, .records = &zone[i].data,
                                        .records_count = 1 };
    rules_answer(run, &a);
}

/* The numbers of the rules that apply, "2 4 " say. */
static void apply(const struct rules_facts *facts, char out[64])
{
    struct rules_run run;
    size_t len = 0;
    out[0] = '\0';
    rules_begin(&run, facts, &memory);
    for (;;) {
        if (rules_next(&run) == RULES_ASK) {
            answer(&run);
            continue;
        }
        if (run.rule == NULL)
            return;
        len += (size_t)snprintf(out + len, 64 - len, "%zu ", run.at);
        if (run.rule->then != CONFIG_THEN_DELAY)
            return;
        rules_go_on(&run);
    }
}

/* What a case says nothing of. */
static void complete(struct rules_facts *facts, const struct net_address *client)
{
    facts->config = config;
    facts->client = client;
    if (facts->helo.data == NULL)
        facts->helo = SLICE("mx.far.test");
    if (facts->from.data == NULL)
        facts->from = SLICE("x@far.test");
    if (facts->to.data == NULL)
        facts->to = SLICE("y@our.test");
}

static void assert_rules(const char *client, struct rules_facts facts, const char *want)
{
    struct net_address address;
    char got[64];
    assert_true(net_host_parse(slice_from_string(client), 25, &address));
    complete(&facts, &address);
    memory = (struct rules_memory){ 0 };
    asked = 0;
    apply(&facts, got);
    if (strcmp(got, want) != 0)
        fail_msg("%s %.*s: '%s', not '%s'", client, (int)facts.to.len, facts.to.data, got, want);
}

#define FACTS(...) ((struct rules_facts){ __VA_ARGS__ })

static void the_first_that_matches_decides(void **state)
{
    (void)state;
    assert_rules("192.0.2.99", FACTS(.from = SLICE("")), "0 ");
    assert_int_equal(asked, 0);
    assert_rules("192.0.2.50", FACTS(.from = SLICE("")), "5 ");
    assert_rules("192.0.2.50", FACTS(.from = SLICE("a@b.spam.test")), "5 ");
    assert_rules("192.0.2.50", FACTS(.from = SLICE("a@spam.test")), "");
    assert_rules("192.0.2.50", FACTS(.from = SLICE("\"ann\"@BAD.test")), "5 ");
    assert_rules("192.0.2.50", FACTS(.from = SLICE("anne@bad.test")), "");
    assert_rules("192.0.2.50", FACTS(.to = SLICE("TRAP@our.test")), "6 ");
    assert_rules("192.0.2.50", FACTS(.helo = SLICE("LocalHost")), "4 ");
    assert_rules("192.0.2.50", FACTS(.helo = SLICE("a.local"), .to = SLICE("trap@our.test")),
                 "4 6 ");
    assert_rules("10.1.2.3", FACTS(.is_tls = true), "10 ");
    assert_rules("2001:db8::2", FACTS(.is_tls = true), "10 ");
}

static void accounts_and_listeners(void **state)
{
    (void)state;
    struct slice staff = SLICE("ann@staff.test");
    assert_rules("192.0.2.50", FACTS(.account = staff, .is_tls = true), "7 ");
    assert_rules("192.0.2.50", FACTS(.account = staff), "9 ");
    assert_rules("192.0.2.50", FACTS(.account = SLICE("ann@sub.staff.test"), .is_tls = true),
                 "9 ");
    assert_rules("192.0.2.50", FACTS(.is_submission = true), "8 ");
    assert_rules("192.0.2.1", FACTS(.is_submission = true), "8 "); /* listed, but not asked */
}

static void lists_in_the_dns(void **state)
{
    (void)state;
    assert_rules("192.0.2.1", FACTS(.is_tls = true), "1 ");
    assert_rules("192.0.2.2", FACTS(.is_tls = true), "");
    assert_rules("192.0.2.3", FACTS(.is_tls = true), "");
    assert_rules("192.0.2.4", FACTS(.is_tls = true), "1 ");
    assert_rules("192.0.2.5", FACTS(.is_tls = true), "");
    assert_rules("192.0.2.8", FACTS(.is_tls = true), ""); /* the resolver fails */
    assert_rules("2001:db8::1", FACTS(.is_tls = true), "1 ");
}

static void names_count_when_they_lead_back(void **state)
{
    (void)state;
    assert_rules("192.0.2.6", FACTS(.is_tls = true), "2 ");
    assert_rules("192.0.2.6", FACTS(.to = SLICE("a@strict.test")), "2 ");
    assert_rules("192.0.2.7", FACTS(.is_tls = true), "");
    assert_rules("192.0.2.7", FACTS(.to = SLICE("a@strict.test")), "3 ");
    assert_rules("192.0.2.50", FACTS(.to = SLICE("a@strict.test")), "3 ");
}

static void what_a_client_calls_itself(void **state)
{
    (void)state;
    static const struct { const char *helo; const char *want; unsigned asked; } cases[] = {
        { "[198.51.100.1]", "11 ", 0 }, { "mailer", "11 ", 0 }, { "MX.our.test", "12 ", 0 },
        { "Our.test", "12 ", 0 }, { "www.our.test", "13 ", 3 }, { "a.dyn.test", "", 1 },
        { "mail.only.test", "", 3 }, { "8.unsure.test", "", 3 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_rules("198.51.100.1", FACTS(.helo = slice_from_string(cases[i].helo)),
                     cases[i].want);
        assert_int_equal(asked, 3 + cases[i].asked); /* two lists and the pointer before */
    }
}

static void the_dns_is_asked_once_a_client(void **state)
{
    (void)state;
    struct net_address address;
    char got[64];
    struct rules_facts facts = FACTS(.is_tls = true);
    assert_rules("192.0.2.6", FACTS(.is_tls = true), "2 ");
    assert_int_equal(asked, 4); /* two lists, the pointer, its name */
    assert_true(net_host_parse(SLICE("192.0.2.6"), 25, &address));
    complete(&facts, &address);
    apply(&facts, got);
    assert_string_equal(got, "2 ");
    assert_int_equal(asked, 4);
}

static int setup(void **state)
{
    char name[] = "/tmp/godwit-rules-XXXXXX";
    struct config_error error;
    (void)state;
    int fd = mkstemp(name);
    bool good = fd >= 0 && write(fd, yaml, sizeof yaml - 1) == (ssize_t)(sizeof yaml - 1);
    close(fd);
    enum err result = config_load(slice_from_string(name), NULL, &config, &error);
    unlink(name);
    if (result != ERR_OK)
        print_error("%s\n", error.text);
    return good && result == ERR_OK ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    config_drop(&config);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_matches_decides),
        cmocka_unit_test(accounts_and_listeners),
        cmocka_unit_test(lists_in_the_dns),
        cmocka_unit_test(names_count_when_they_lead_back),
        cmocka_unit_test(what_a_client_calls_itself),
        cmocka_unit_test(the_dns_is_asked_once_a_client),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
