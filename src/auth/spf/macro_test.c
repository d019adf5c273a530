/* macro_test.c: the examples of RFC 7208 7.4, and the edges. */
#include "auth/spf/macro_private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct spf_macros example(bool is_v6)
{
    struct spf_macros macros = { 0 };
    *spf_macro_of(&macros, 's') = SLICE("strong-bad@email.example.com");
    *spf_macro_of(&macros, 'l') = SLICE("strong-bad");
    *spf_macro_of(&macros, 'o') = SLICE("email.example.com");
    *spf_macro_of(&macros, 'd') = SLICE("email.example.com");
    *spf_macro_of(&macros, 'h') = SLICE("a b/c~d.\xc3\xa9");
    *spf_macro_of(&macros, 'v') = is_v6 ? SLICE("ip6") : SLICE("in-addr");
    *spf_macro_of(&macros, 'i') =
        is_v6 ? SLICE("2.0.0.1.0.D.B.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.C.B.0.1")
              : SLICE("192.0.2.3");
    return macros;
}

static void assert_expands(const struct spf_macros *macros, struct slice text,
                           struct slice wanted)
{
    struct buffer out;
    buffer_init(&out, 8192);
    assert_true(spf_macro_is_valid(text, SPF_MACRO_EXPLAIN));
    spf_macro_expand(macros, text, SPF_MACRO_EXPLAIN, &out);
    if (!slice_equal(buffer_slice(&out), wanted))
        fail_msg("%.*s became %.*s", (int)text.len, text.data, (int)buffer_len(&out),
                 out.memory);
    buffer_free(&out);
}

static void test_examples(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        struct slice wanted;
    } cases[] = {
        { SLICE_INIT("%{s}"), SLICE_INIT("strong-bad@email.example.com") },
        { SLICE_INIT("%{o}"), SLICE_INIT("email.example.com") },
        { SLICE_INIT("%{d4}"), SLICE_INIT("email.example.com") },
        { SLICE_INIT("%{d3}"), SLICE_INIT("email.example.com") },
        { SLICE_INIT("%{d2}"), SLICE_INIT("example.com") },
        { SLICE_INIT("%{d1}"), SLICE_INIT("com") },
        { SLICE_INIT("%{dr}"), SLICE_INIT("com.example.email") },
        { SLICE_INIT("%{d2r}"), SLICE_INIT("example.email") },
        { SLICE_INIT("%{l}"), SLICE_INIT("strong-bad") },
        { SLICE_INIT("%{l-}"), SLICE_INIT("strong.bad") },
        { SLICE_INIT("%{lr}"), SLICE_INIT("strong-bad") },
        { SLICE_INIT("%{lr-}"), SLICE_INIT("bad.strong") },
        { SLICE_INIT("%{l1r-}"), SLICE_INIT("strong") },
        { SLICE_INIT("%{ir}.%{v}._spf.%{d2}"),
          SLICE_INIT("3.2.0.192.in-addr._spf.example.com") },
        { SLICE_INIT("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}"),
          SLICE_INIT("bad.strong.lp.3.2.0.192.in-addr._spf.example.com") },
        { SLICE_INIT("%{d2}.trusted-domains.example.net"),
          SLICE_INIT("example.com.trusted-domains.example.net") },
        { SLICE_INIT("a%%b%_c%-d"), SLICE_INIT("a%b c%20d") },
        { SLICE_INIT("%{S}"), SLICE_INIT("strong-bad%40email.example.com") },
        { SLICE_INIT("%{H}"), SLICE_INIT("a%20b%2Fc~d.%C3%A9") },
        { SLICE_INIT("%{D2R}"), SLICE_INIT("example.email") },
        { SLICE_INIT("%{o-.}"), SLICE_INIT("email.example.com") },
        { SLICE_INIT("%{s@}"), SLICE_INIT("") }, /* not valid: see below */
        { SLICE_INIT("%{oe}"), SLICE_INIT("") },
    };
    struct spf_macros macros = example(false);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (cases[i].wanted.len > 0)
            assert_expands(&macros, cases[i].text, cases[i].wanted);
        else
            assert_false(spf_macro_is_valid(cases[i].text, SPF_MACRO_EXPLAIN));
}

static void test_v6(void **state)
{
    (void)state;
    struct spf_macros macros = example(true);
    assert_expands(&macros, SLICE("%{ir}.%{v}._spf.%{d2}"),
                   SLICE("1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2."
                         "ip6._spf.example.com"));
}

/* Empty parts count (RFC 7208 7.3). */
static void test_empty_parts(void **state)
{
    (void)state;
    struct spf_macros macros = { 0 };
    *spf_macro_of(&macros, 'l') = SLICE("-a--b-");
    assert_expands(&macros, SLICE("%{l-}"), SLICE(".a..b."));
    assert_expands(&macros, SLICE("%{l2-}"), SLICE("b."));
    assert_expands(&macros, SLICE("%{l2r-}"), SLICE("a."));
    *spf_macro_of(&macros, 'l') = SLICE("");
    assert_expands(&macros, SLICE("x%{l1r-}y"), SLICE("xy"));
}

static void test_places(void **state)
{
    (void)state;
    assert_true(spf_macro_is_valid(SLICE("a b %{c}%{r}%{t}"), SPF_MACRO_EXPLAIN));
    assert_false(spf_macro_is_valid(SLICE("a b"), SPF_MACRO_MODIFIER));
    assert_true(spf_macro_is_valid(SLICE(""), SPF_MACRO_MODIFIER));
    assert_false(spf_macro_is_valid(SLICE(""), SPF_MACRO_DOMAIN));
    assert_false(spf_macro_is_valid(SLICE("a\r\nb"), SPF_MACRO_EXPLAIN));
    assert_true(spf_macro_uses(SLICE("x.%{d}.%{P2r}"), 'p'));
    assert_false(spf_macro_uses(SLICE("p.%%{p}%{d}"), 'p'));
}

/* However much a domain-spec expands to, its end is kept: no more is ever asked for. */
static void test_long_names(void **state)
{
    (void)state;
    static char text[8 * 900 + 8];
    struct spf_macros macros = example(false);
    struct buffer out;
    buffer_init(&out, 4096);
    for (size_t i = 0; i < 900; i++)
        memcpy(text + i * 8, "%{o}.%_a", 8);
    memcpy(text + 8 * 900, ".end.org", 8);
    spf_macro_expand(&macros, slice_make(text, sizeof text), SPF_MACRO_DOMAIN, &out);
    assert_false(out.overflow);
    struct slice target = spf_macro_target(buffer_slice(&out));
    assert_true(target.len <= 253 && target.len > 253 - 18);
    assert_true(slice_ends_with_nocase(target, SLICE("email.example.com. a.end.org")));
    buffer_free(&out);
}

static void test_targets(void **state)
{
    (void)state;
    static char longest[64 * 5];
    memset(longest, 'x', sizeof longest);
    for (size_t i = 63; i < sizeof longest; i += 64)
        longest[i] = '.';
    assert_true(slice_equal(spf_macro_target(SLICE("a.b.")), SLICE("a.b")));
    assert_int_equal(spf_macro_target(SLICE("a.b..")).len, 0);
    assert_int_equal(spf_macro_target(SLICE("a..b")).len, 0);
    assert_int_equal(spf_macro_target(SLICE(".a")).len, 0);
    assert_int_equal(spf_macro_target(SLICE(".")).len, 0);
    assert_int_equal(spf_macro_target(SLICE("")).len, 0);
    assert_int_equal(spf_macro_target(slice_make(longest, 63)).len, 63);
    longest[63] = 'x';
    assert_int_equal(spf_macro_target(slice_make(longest, 64)).len, 0);
    longest[63] = '.';
    assert_int_equal(spf_macro_target(slice_make(longest, 64 * 5 - 1)).len, 64 * 3 - 1);
    memset(longest, 'x', sizeof longest);
    assert_int_equal(spf_macro_target(slice_make(longest, sizeof longest)).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),    cmocka_unit_test(test_v6),
        cmocka_unit_test(test_empty_parts), cmocka_unit_test(test_places),
        cmocka_unit_test(test_long_names),  cmocka_unit_test(test_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
