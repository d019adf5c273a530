/* record_test.c: terms that are right and terms that are not. */
#include "auth/spf/record_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_versions(void **state)
{
    (void)state;
    assert_true(spf_record_is_spf(SLICE("v=spf1")));
    assert_true(spf_record_is_spf(SLICE("V=SPF1 a")));
    assert_false(spf_record_is_spf(SLICE("v=spf10")));
    assert_false(spf_record_is_spf(SLICE("v=spf1\ta")));
    assert_false(spf_record_is_spf(SLICE("v=spf1\0")));
    assert_false(spf_record_is_spf(SLICE(" v=spf1")));
    assert_false(spf_record_is_spf(SLICE("v=spf")));
    assert_false(spf_record_is_spf(SLICE("v\0=\0s\0p\0f\0" "1\0")));
}

static bool parses(struct slice terms)
{
    static char text[512];
    struct spf_record record;
    struct slice wrong;
    memcpy(text, "v=spf1 ", 7);
    memcpy(text + 7, terms.data, terms.len);
    return spf_record_parse(slice_make(text, 7 + terms.len), &record, &wrong);
}

static void test_terms(void **state)
{
    (void)state;
    static const struct slice right[] = {
        SLICE_INIT(""), SLICE_INIT("  all  -all ~ALL ?aLL"), SLICE_INIT("a"),
        SLICE_INIT("a/0"), SLICE_INIT("a/32//128"), SLICE_INIT("a//0"),
        SLICE_INIT("a:b.c/24//64"), SLICE_INIT("a:b/c.d"), SLICE_INIT("mx:b.c."),
        SLICE_INIT("a:%{d}"), SLICE_INIT("a:%{d}/24"), SLICE_INIT("a:%%"),
        SLICE_INIT("a:.com"), SLICE_INIT("a:b.1-1"), SLICE_INIT("ptr"),
        SLICE_INIT("ptr:b.c"), SLICE_INIT("ip4:192.0.2.1"), SLICE_INIT("ip4:0.0.0.0/0"),
        SLICE_INIT("ip6:::/0"), SLICE_INIT("ip6:::ffff:192.0.2.1/128"),
        SLICE_INIT("exists:%{ir}.%{L1R-.+}.x"), SLICE_INIT("include:b.c"),
        SLICE_INIT("redirect=b.c exp=%{d}"), SLICE_INIT("x=%{c}%{t}"), SLICE_INIT("x="),
        SLICE_INIT("a=b"), SLICE_INIT("exists:%{d127}.x"),
        SLICE_INIT("exists:%{d99999999999999999999}.x"),
    };
    static const struct slice wrong[] = {
        SLICE_INIT("all."), SLICE_INIT("all:b"), SLICE_INIT("all/8"), SLICE_INIT("al"),
        SLICE_INIT("--all"), SLICE_INIT("-"), SLICE_INIT("a:"), SLICE_INIT("a/"),
        SLICE_INIT("a//"), SLICE_INIT("a/33"), SLICE_INIT("a//129"), SLICE_INIT("a/024"),
        SLICE_INIT("a/24/64"), SLICE_INIT("a//64/24"), SLICE_INIT("a/99999999999999999999"),
        SLICE_INIT("a:b"), SLICE_INIT("a:b."), SLICE_INIT("a:b.c.."), SLICE_INIT("a:b.1"),
        SLICE_INIT("a:b.-c"), SLICE_INIT("a:b.c-"), SLICE_INIT("a:1.2.3.4"),
        SLICE_INIT("a:b.c:80"), SLICE_INIT("a:%{d}c"), SLICE_INIT("a:b.\xc3\xa9"),
        SLICE_INIT("a:b\0.c"), SLICE_INIT("a\tb"), SLICE_INIT("\xef\xbb\xbf" "a"),
        SLICE_INIT("ptr/0"), SLICE_INIT("ptr:"), SLICE_INIT("ip4"), SLICE_INIT("ip4:"),
        SLICE_INIT("ip4:1.2.3"), SLICE_INIT("ip4:1.2.3.04"), SLICE_INIT("ip4:1.2.3.256"),
        SLICE_INIT("ip4:1.2.3.4/33"), SLICE_INIT("ip4:1.2.3.4//32"),
        SLICE_INIT("ip4:1.2.3.4\0"), SLICE_INIT("ip4/8"), SLICE_INIT("ip6:1.2.3.4"),
        SLICE_INIT("ip6:::1//64"), SLICE_INIT("ip6:::1/129"), SLICE_INIT("ip6::1"),
        SLICE_INIT("include"), SLICE_INIT("include:"), SLICE_INIT("include:b.c/24"),
        SLICE_INIT("exists"), SLICE_INIT("exists:b.c/24"), SLICE_INIT("redirect:b.c"),
        SLICE_INIT("redirect="), SLICE_INIT("redirect=b.c redirect=b.c"),
        SLICE_INIT("exp="), SLICE_INIT("exp=b.c EXP=b.c"), SLICE_INIT("-exp=b.c"),
        SLICE_INIT("1x=b"), SLICE_INIT("=b"), SLICE_INIT("x=%"), SLICE_INIT("x=%a"),
        SLICE_INIT("x=%{}"), SLICE_INIT("x=%{d"), SLICE_INIT("x=%{d0}"),
        SLICE_INIT("x=%{dr1}"), SLICE_INIT("x=%{d.r}"), SLICE_INIT("x=%{a}"),
        SLICE_INIT("x=%{d:}"), SLICE_INIT("a:%{c}"), SLICE_INIT("exp=%{r}.b.c"),
        SLICE_INIT("redirect=%{t}"), SLICE_INIT("x=%(d)"),
    };
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        if (!parses(right[i]))
            fail_msg("refused: %.*s", (int)right[i].len, right[i].data);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (parses(wrong[i]))
            fail_msg("taken: %.*s", (int)wrong[i].len, wrong[i].data);
}

static void test_what_a_term_says(void **state)
{
    (void)state;
    struct spf_record record;
    struct slice wrong;
    struct spf_term term;
    assert_true(spf_record_parse(SLICE("v=spf1 x=y a:b.c/8//16 exp=e.f ?ip4:192.0.2.0/25 "
                                       "redirect=g.h ~mx -all"),
                                 &record, &wrong));
    assert_true(record.has_all);
    assert_true(slice_equal(record.explanation, SLICE("e.f")));
    assert_true(slice_equal(record.redirect, SLICE("g.h")));
    struct cursor c = cursor_over(record.terms);
    assert_true(spf_record_next(&c, &term));
    assert_int_equal(term.mechanism, SPF_MECHANISM_A);
    assert_int_equal(term.result, SPF_PASS);
    assert_true(slice_equal(term.domain_spec, SLICE("b.c")));
    assert_int_equal(term.v4_bits, 8);
    assert_int_equal(term.v6_bits, 16);
    assert_true(spf_record_next(&c, &term));
    assert_int_equal(term.mechanism, SPF_MECHANISM_IP4);
    assert_int_equal(term.result, SPF_NEUTRAL);
    assert_int_equal(term.v4_bits, 25);
    assert_memory_equal(term.address, "\xc0\x00\x02\x00", 4);
    assert_true(spf_record_next(&c, &term));
    assert_int_equal(term.mechanism, SPF_MECHANISM_MX);
    assert_int_equal(term.result, SPF_SOFTFAIL);
    assert_int_equal(term.v4_bits, 32);
    assert_int_equal(term.v6_bits, 128);
    assert_true(spf_record_next(&c, &term));
    assert_int_equal(term.mechanism, SPF_MECHANISM_ALL);
    assert_int_equal(term.result, SPF_FAIL);
    assert_false(spf_record_next(&c, &term));
}

static void test_names_what_is_wrong(void **state)
{
    (void)state;
    struct spf_record record;
    struct slice wrong;
    assert_false(spf_record_parse(SLICE("v=spf1 ip4:1.2.3.4 a:b moo"), &record, &wrong));
    assert_true(slice_equal(wrong, SLICE("a:b")));
}

/* Cut anywhere, from memory that ends there, so that a sanitizer sees a step too far. */
static void test_truncated(void **state)
{
    (void)state;
    static const struct slice whole = SLICE_INIT(
        "v=spf1 include:%{d2r-}.x.y a:b.c/8//16 ip4:192.0.2.0/25 ip6:2001:db8::/32 exp=e.f "
        "ptr:b.c exists:%{l}.z.y x=%% redirect=g.h -all");
    size_t right = 0;
    for (size_t len = 6; len <= whole.len; len++) {
        struct spf_record record;
        struct slice wrong;
        char *copy = malloc(len);
        assert_non_null(copy);
        memcpy(copy, whole.data, len);
        right += spf_record_parse(slice_make(copy, len), &record, &wrong);
        free(copy);
    }
    assert_true(right > 10 && right < whole.len - 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_what_a_term_says),
        cmocka_unit_test(test_names_what_is_wrong),
        cmocka_unit_test(test_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
