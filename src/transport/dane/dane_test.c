/* dane_test.c: which answers promise what, and which names are asked for. Signed zones are
 * asked in tests/interop. */
#include "transport/dane/dane.h"

#include "base/must.h"
#include "dns/fake_server.h"
#include "event/loop.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define DIGEST "0123456789abcdef0123456789abcdef"

struct row {
    enum dns_kind kind;
    bool secure;
    struct slice records[3];
    bool is_decided;
    enum dane_kind want;
    size_t usable;
};

static const struct row rows[] = {
    { DNS_OK, true, { SLICE_INIT("\3\1\1" DIGEST) }, true, DANE_USABLE, 1 },
    { DNS_OK, true, { SLICE_INIT("\3\0\1" DIGEST), SLICE_INIT("\2\1\2" DIGEST DIGEST) },
      true, DANE_USABLE, 2 },
    { DNS_OK, true, { SLICE_INIT("\0\1\1" DIGEST), SLICE_INIT("\3\1\1" DIGEST) },
      true, DANE_USABLE, 1 },
    { DNS_OK, true, { SLICE_INIT("\0\1\1" DIGEST), SLICE_INIT("\1\1\1" DIGEST) },
      true, DANE_UNUSABLE, 0 },
    { DNS_OK, true, { SLICE_INIT("\3\2\1" DIGEST), SLICE_INIT("\3\1\3" DIGEST),
                      SLICE_INIT("\4\1\1" DIGEST) }, true, DANE_UNUSABLE, 0 },
    { DNS_OK, true, { SLICE_INIT("\3\1\1" DIGEST "x"), SLICE_INIT("\3\1\2" DIGEST),
                      SLICE_INIT("\3\1") }, true, DANE_UNUSABLE, 0 },
    { DNS_OK, true, { SLICE_INIT("\3\0\0" DIGEST), SLICE_INIT("\2\1\0" DIGEST) },
      true, DANE_UNUSABLE, 0 },
    { DNS_OK, false, { SLICE_INIT("\3\1\1" DIGEST) }, false, DANE_ABSENT, 0 },
    { DNS_NODATA, true, { { 0 } }, false, DANE_ABSENT, 0 },
    { DNS_NODATA, false, { { 0 } }, false, DANE_ABSENT, 0 },
    { DNS_NXDOMAIN, true, { { 0 } }, false, DANE_ABSENT, 0 },
    { DNS_INVALID, false, { { 0 } }, false, DANE_ABSENT, 0 },
    { DNS_BOGUS, false, { { 0 } }, true, DANE_FAILED, 0 },
    { DNS_SERVFAIL, false, { { 0 } }, true, DANE_FAILED, 0 },
    { DNS_TIMEOUT, false, { { 0 } }, true, DANE_FAILED, 0 },
    { DNS_CANCELLED, false, { { 0 } }, true, DANE_FAILED, 0 },
};

static void answers_and_what_they_promise(void **state)
{
    (void)state;
    struct dns_name base;
    assert_true(dns_name_parse(SLICE("mx.example"), &base));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        struct dane *d = dane_make();
        size_t count = 0;
        while (count < 3 && row->records[count].len > 0)
            count++;
        struct dns_answer answer = { .kind = row->kind, .secure = row->secure,
                                     .records = row->records, .records_count = count };
        assert_non_null(d);
        assert_int_equal(dane_take(d, &base, &answer), row->is_decided);
        assert_int_equal(d->kind, row->want);
        assert_int_equal(d->associations_count, row->usable);
        assert_int_equal(d->why != NULL, d->kind == DANE_FAILED || d->kind == DANE_UNUSABLE);
        if (row->usable > 0)
            assert_string_equal(d->base.text, "mx.example");
        dane_drop(&d);
    }
}

static void records_without_end_have_one(void **state)
{
    (void)state;
    static struct slice many[DANE_RECORDS_MAX * 2];
    struct dns_name base = { .len = 0 };
    for (size_t i = 0; i < DANE_RECORDS_MAX * 2; i++)
        many[i] = SLICE("\3\1\1" DIGEST);
    struct dane *d = dane_make();
    struct dns_answer answer = { .kind = DNS_OK, .secure = true, .records = many,
                                 .records_count = DANE_RECORDS_MAX * 2 };
    assert_true(dane_take(d, &base, &answer));
    assert_int_equal(d->associations_count, DANE_RECORDS_MAX);
    assert_memory_equal(d->associations[DANE_RECORDS_MAX - 1].data.data, DIGEST, 32);
    dane_drop(&d);
}

/* ---- which names are asked for: of a server whose answers nobody vouches for ---- */

static struct loop *loop;

static void on_done(struct dane_lookup *lookup)
{
    (void)lookup;
    loop_stop(loop);
}

static void names_that_are_asked_for(void **state)
{
    (void)state;
    static const struct fake_record records[] = {
        { "_25._tcp.fails.example", FAKE_SERVFAIL, "" },
        { "alias.example", DNS_TYPE_CNAME, "mx.example" },
        { "lame.example", FAKE_SERVFAIL, "" },
        { NULL, 0, NULL },
    };
    static const struct {
        const char *name, *canonical;
        bool secure;
        unsigned asked;
        enum dane_kind want;
    } cases[] = {
        { "mx.example", "mx.example", false, 0, DANE_ABSENT }, /* never: RFC 7672 2.2.2 */
        { "mx.example", "mx.example", true, 1, DANE_ABSENT },
        { "alias.example", "mx2.example", true, 2, DANE_ABSENT },
        { "alias.example", "other.example", false, 1, DANE_ABSENT }, /* the alias alone */
        { "lame.example", "other.example", false, 1, DANE_FAILED },
        { "fails.example", "fails.example", true, 1, DANE_FAILED },
        { "mx.example", "fails.example", true, 1, DANE_FAILED },
        { "", "", true, 0, DANE_ABSENT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_server server;
        struct dns *dns;
        struct dns_host host = { .secure = cases[i].secure };
        fake_server_start(&server, records);
        struct dns_options options = { .upstreams = &server.address, .upstreams_count = 1,
                                       .timeout_ms = 5000 };
        assert_int_equal(loop_open(&loop), ERR_OK);
        assert_int_equal(dns_open(&options, &dns), ERR_OK);
        dns_name_parse(slice_from_string(cases[i].name), &host.name);
        dns_name_parse(slice_from_string(cases[i].canonical), &host.canonical);
        struct dane_lookup lookup = { .home = loop_home(loop), .done = on_done,
                                      .host = &host, .port = 25 };
        dane_look_up(dns, &lookup);
        loop_run(loop);
        assert_int_equal(lookup.dane->kind, cases[i].want);
        unsigned asked = atomic_load(&server.questions);
        assert_true(cases[i].want == DANE_FAILED ? asked >= 1 : asked == cases[i].asked);
        dane_drop(&lookup.dane);
        dns_close(&dns);
        loop_close(&loop);
        fake_server_stop(&server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_and_what_they_promise),
        cmocka_unit_test(records_without_end_have_one),
        cmocka_unit_test(names_that_are_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
