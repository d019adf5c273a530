/* record_test.c: records of both generations, and what is wrong in them. */
#include "auth/dmarc/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_versions(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        bool is_record;
    } cases[] = {
        { SLICE_INIT("v=DMARC1"), true },
        { SLICE_INIT("v=DMARC1;"), true },
        { SLICE_INIT("V = DMARC1 ; p=none"), true },
        { SLICE_INIT("v=dmarc1; p=none"), false },
        { SLICE_INIT("v=DMARC1p=none"), false },
        { SLICE_INIT("v=DMARC1 p=none"), false },
        { SLICE_INIT("v=DMARC12; p=none"), false },
        { SLICE_INIT("p=none; v=DMARC1"), false },
        { SLICE_INIT("; v=DMARC1; p=none"), false },
        { SLICE_INIT(" v=DMARC1; p=none"), false },
        { SLICE_INIT("v=DMARC1\0; p=none"), false },
        { SLICE_INIT("v=spf1 -all"), false },
        { SLICE_INIT("v\0=\0D\0M\0A\0R\0C\0" "1\0"), false },
        { SLICE_INIT(""), false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dmarc_record record;
        if (dmarc_record_parse(cases[i].text, &record) != cases[i].is_record)
            fail_msg("%.*s", (int)cases[i].text.len, cases[i].text.data);
    }
}

static void test_tags(void **state)
{
    (void)state;
    struct dmarc_record r;
    assert_true(dmarc_record_parse(
        SLICE("v=DMARC1; P = Reject;sp=none ; np=quarantine; adkim=s; aspf=r; t=y; psd=n; "
              "pct=50; rua=mailto:a@b.test!10m, https://c.test ;ruf=mailto:d@e.test; fo=1:d; "
              "p=none; unknown=x; =y; z; ;"),
        &r));
    assert_int_equal(r.domain.state, DMARC_TAG_VALID);
    assert_int_equal(r.domain.policy, DMARC_POLICY_REJECT);
    assert_int_equal(r.subdomains.policy, DMARC_POLICY_NONE);
    assert_int_equal(r.non_existent.policy, DMARC_POLICY_QUARANTINE);
    assert_true(r.is_dkim_strict && !r.is_spf_strict && r.is_test);
    assert_int_equal(r.psd, DMARC_PSD_NO);
    assert_true(slice_equal(r.rua, SLICE("mailto:a@b.test!10m, https://c.test")));
    assert_true(slice_equal(r.ruf, SLICE("mailto:d@e.test")));
    assert_true(slice_equal(r.fo, SLICE("1:d")));

    assert_true(dmarc_record_parse(SLICE("v=DMARC1; adkim=x; aspf=; t=1; psd=maybe; sp=no"),
                                   &r));
    assert_int_equal(r.domain.state, DMARC_TAG_ABSENT);
    assert_int_equal(r.subdomains.state, DMARC_TAG_INVALID);
    assert_false(r.is_dkim_strict || r.is_spf_strict || r.is_test);
    assert_int_equal(r.psd, DMARC_PSD_UNKNOWN);
}

/* RFC 9989 4.10.1 */
static void test_settles(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        bool counts;
        enum dmarc_policy policy;
    } cases[] = {
        { SLICE_INIT("v=DMARC1; p=reject"), true, DMARC_POLICY_REJECT },
        { SLICE_INIT("v=DMARC1; p=reject; np=no"), false, DMARC_POLICY_NONE },
        { SLICE_INIT("v=DMARC1; p=reject; sp=no; rua=mailto:a@b.test"), true,
          DMARC_POLICY_NONE },
        { SLICE_INIT("v=DMARC1; rua=mailto:a@b.test!5k"), true, DMARC_POLICY_NONE },
        { SLICE_INIT("v=DMARC1; rua=x, ,mailto:a@b.test"), true, DMARC_POLICY_NONE },
        { SLICE_INIT("v=DMARC1; p=no; rua=mailto:a"), false, DMARC_POLICY_NONE },
        { SLICE_INIT("v=DMARC1; rua=mailto:@b.test,1a:b,:c,a@b,mailto:a b@c"), false,
          DMARC_POLICY_NONE },
        { SLICE_INIT("v=DMARC1; psd=y"), false, DMARC_POLICY_NONE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dmarc_record r;
        assert_true(dmarc_record_parse(cases[i].text, &r));
        assert_int_equal(dmarc_record_settle(&r), cases[i].counts);
        if (cases[i].counts) {
            assert_int_equal(r.domain.policy, cases[i].policy);
            assert_int_not_equal(r.subdomains.state, DMARC_TAG_INVALID);
        }
    }
}

/* Cut anywhere, from memory that ends there, so that a sanitizer sees a step too far. */
static void test_truncated(void **state)
{
    (void)state;
    static const struct slice whole =
        SLICE_INIT("v=DMARC1; p = reject; sp=none;adkim=s; rua=mailto:a@b.test!10m,x:y; t=y");
    for (size_t len = 0; len <= whole.len; len++) {
        char *copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy + 1, whole.data, len);
        struct dmarc_record r;
        assert_int_equal(dmarc_record_parse(slice_make(copy + 1, len), &r), len >= 8);
        bool is_sp_cut = len >= 26 && len <= 28;
        if (len >= 8)
            assert_int_equal(dmarc_record_settle(&r), len >= 20 && !is_sp_cut);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_settles),
        cmocka_unit_test(test_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
