/* destinations_test.c: addresses as people publish them, and those that are none. */
#include "reports/reports_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *rua;
    const char *addresses[3]; /* of mailto:, or the URI */
} cases[] = {
    { "mailto:a@b.test", { "a@b.test" } },
    { " mailto:a@b.test , MAILTO:c@d.test!10m", { "a@b.test", "c@d.test" } },
    { "mailto:a%2Bx%40y@b.test", { NULL } },
    { "mailto:a%2Bx@b.test?subject=x", { "a+x@b.test" } },
    { "mailto:a%0d%0aRCPT@b.test", { NULL } },
    { "mailto:a%0@b.test", { NULL } },
    { "mailto:a%", { NULL } },
    { "mailto:a@[192.0.2.1]", { NULL } },
    { "mailto:", { NULL } },
    { "a@b.test", { NULL } },
    { "ftp://b.test/x,mailto:a@b.test", { "a@b.test" } },
    { "https://b.test/in?x=1", { "https://b.test/in?x=1" } },
    { "https://u@b.test/in", { NULL } },
    { "mailto:a@b.test!ten", { NULL } },
    { "mailto:a@b.test!99999999999999999999", { NULL } },
    { "mailto:a@b.test,,mailto:c@d.test,", { "a@b.test", "c@d.test" } },
    { "", { NULL } },
};

static void addresses_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct destinations d;
        size_t count = 0;
        destinations_parse(slice_from_string(cases[i].rua), true, &d);
        for (; count < 3 && cases[i].addresses[count] != NULL; count++) {
            assert_true(count < d.count);
            struct slice found = d.all[count].is_https
                                     ? slice_from_string(d.all[count].uri)
                                     : d.all[count].address;
            assert_true(slice_equal(found, slice_from_string(cases[i].addresses[count])));
        }
        assert_int_equal(d.count, count);
        destinations_free(&d);
    }
}

static void a_list_is_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice whole = slice_from_string(cases[i].rua);
        for (size_t len = 0; len <= whole.len; len++) {
            struct destinations d;
            destinations_parse(slice_part(whole, 0, len), false, &d);
            destinations_free(&d);
        }
    }
}

static void ten_are_enough(void **state)
{
    struct buffer many;
    struct destinations d;
    (void)state;
    buffer_init(&many, 1 << 20);
    for (int i = 0; i < 10000; i++)
        buffer_append_format(&many, "mailto:r%d@b.test!%dk,", i, i + 1);
    assert_true(destinations_parse(buffer_slice(&many), false, &d));
    assert_int_equal(d.count, REPORT_DESTINATIONS_MAX);
    assert_int_equal(d.all[9].size_max, 10 * 1024);
    destinations_free(&d);
    buffer_free(&many);
}

static void who_must_agree(void **state)
{
    struct destinations d;
    (void)state;
    assert_true(destinations_parse(SLICE("mailto:a@in.b.test"), false, &d));
    assert_true(destination_is_own(&d.all[0], SLICE("in.B.test"), slice_make(NULL, 0)));
    assert_true(destination_is_own(&d.all[0], SLICE("x.b.test"), SLICE("b.test")));
    assert_false(destination_is_own(&d.all[0], SLICE("x.in.b.test"), SLICE("n.b.test")));
    assert_false(destination_is_own(&d.all[0], SLICE("in.bb.test"), SLICE("")));
    assert_false(destination_agrees(&d.all[0], SLICE("v=spf1")));
    assert_true(destination_agrees(&d.all[0], SLICE("v=DMARC1")));
    assert_false(destination_agrees(&d.all[0], SLICE("v=DMARC1; rua=mailto:x@other.test")));
    assert_true(destination_agrees(&d.all[0], SLICE("v=DMARC1; rua=mailto:x@IN.b.test")));
    assert_true(slice_equal(d.all[0].address, SLICE("x@IN.b.test")));
    destinations_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read), cmocka_unit_test(a_list_is_cut_anywhere),
        cmocka_unit_test(ten_are_enough), cmocka_unit_test(who_must_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
