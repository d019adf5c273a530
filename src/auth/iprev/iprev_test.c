/* iprev_test.c: names that lead back, and all ways in which they do not. */
#include "auth/iprev/iprev.h"

#include "wire/dns/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

/* Answers in the order of the questions: of the PTR first. */
struct step {
    const char *question;
    uint16_t type;
    enum lookup_kind kind;
    struct slice records[3];
};

#define A(text) SLICE_INIT(text)
#define NAME SLICE_INIT("\2mx\3far\4test")     /* its root is the string's NUL */
#define OTHER SLICE_INIT("\1b\3far\4test")

static const uint8_t v4[4] = { 192, 0, 2, 1 };
static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };

static const struct {
    const uint8_t *octets;
    size_t len;
    struct step steps[4];
    const char *result;
} cases[] = {
    { v4, 4, { { "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, LOOKUP_FOUND, { NAME } },
               { "mx.far.test", DNS_TYPE_A, LOOKUP_FOUND, { A("\xc0\0\2\1") } } },
      "iprev=pass policy.iprev=192.0.2.1 (mx.far.test)" },
    { mapped, 16, { { "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, LOOKUP_FOUND, { NAME } },
                    { "mx.far.test", DNS_TYPE_A, LOOKUP_FOUND, { A("\xc0\0\2\1") } } },
      "iprev=pass policy.iprev=192.0.2.1 (mx.far.test)" },
    { v4, 4, { { "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, LOOKUP_FOUND, { OTHER, NAME } },
               { "b.far.test", DNS_TYPE_A, LOOKUP_NXDOMAIN, { { 0 } } },
               { "mx.far.test", DNS_TYPE_A, LOOKUP_FOUND, { A("\1\2\3\4"), A("\xc0\0\2\1") } } },
      "iprev=pass policy.iprev=192.0.2.1 (mx.far.test)" },
    { v4, 4, { { "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, LOOKUP_FOUND, { NAME } },
               { "mx.far.test", DNS_TYPE_A, LOOKUP_FOUND, { A("\1\2\3\4") } } },
      "iprev=fail policy.iprev=192.0.2.1" },
    { v4, 4, { { "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, LOOKUP_FOUND, { NAME } },
               { "mx.far.test", DNS_TYPE_A, LOOKUP_NODATA, { { 0 } } } },
      "iprev=fail policy.iprev=192.0.2.1" },
    { v4, 4, { { "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, LOOKUP_FOUND, { NAME } },
               { "mx.far.test", DNS_TYPE_A, LOOKUP_FAILED, { { 0 } } } },
      "iprev=temperror policy.iprev=192.0.2.1" },
    { v4, 4, { { "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, LOOKUP_FAILED, { { 0 } } } },
      "iprev=temperror policy.iprev=192.0.2.1" },
    { v4, 4, { { "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, LOOKUP_NXDOMAIN, { { 0 } } } },
      "iprev=permerror policy.iprev=192.0.2.1" },
    { v4, 4, { { "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, LOOKUP_FOUND, { A("\7a b) (c") } } },
      "iprev=fail policy.iprev=192.0.2.1" },
    { v6, 16, { { "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
                  DNS_TYPE_PTR, LOOKUP_FOUND, { NAME } },
                { "mx.far.test", DNS_TYPE_AAAA, LOOKUP_FOUND, { A("\xc0\0\2\1") } } },
      "iprev=fail policy.iprev=\"2001:db8::1\"" },
};

static void answer(struct iprev *iprev, const struct step *step)
{
    struct lookup_question q;
    struct slice records[3];
    struct lookup_answer a = { .kind = step->kind, .records = records };
    assert_true(iprev_next(iprev, &q));
    assert_true(slice_equal(q.name, slice_from_string(step->question)));
    assert_int_equal(q.type, step->type);
    for (; a.records_count < 3 && step->records[a.records_count].len > 0; a.records_count++) {
        records[a.records_count] = step->records[a.records_count];
        if (q.type == DNS_TYPE_PTR)
            records[a.records_count].len++; /* the NUL */
    }
    iprev_answer(iprev, &a);
}

static void names_and_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct iprev iprev;
        struct lookup_question q;
        struct buffer text;
        buffer_init(&text, 1024);
        iprev_begin(cases[i].octets, cases[i].len, &iprev);
        for (const struct step *s = cases[i].steps; s->question != NULL; s++)
            answer(&iprev, s);
        assert_false(iprev_next(&iprev, &q));
        iprev_append_result(&iprev, &text);
        assert_true(slice_equal(buffer_slice(&text), slice_from_string(cases[i].result)));
        buffer_free(&text);
    }
}

static void only_some_names_are_looked_at(void **state)
{
    struct slice records[100];
    struct lookup_answer many = { .kind = LOOKUP_FOUND, .records = records,
                                  .records_count = 100 };
    struct lookup_answer none = { .kind = LOOKUP_NXDOMAIN };
    struct lookup_question q;
    struct iprev iprev;
    unsigned asked = 0;
    (void)state;
    for (size_t i = 0; i < 100; i++)
        records[i] = slice_make("\2mx\3far\4test", 13);
    iprev_begin(v4, 4, &iprev);
    for (; iprev_next(&iprev, &q); asked++)
        iprev_answer(&iprev, asked == 0 ? &many : &none);
    assert_int_equal(asked, 1 + IPREV_NAMES_MAX);
    assert_int_equal(iprev_result(&iprev), IPREV_FAIL);
    assert_int_equal(iprev_name(&iprev).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_addresses),
        cmocka_unit_test(only_some_names_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
