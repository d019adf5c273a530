/* policy_test.c: records and policies, whole, cut short and bent. */
#include "transport/mtasts/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void records(void **state)
{
    (void)state;
    static const struct { const char *texts[3]; const char *id; } cases[] = {
        { { "v=STSv1; id=20160831085700Z;" }, "20160831085700Z" },
        { { "v=STSv1;id=a" }, "a" },
        { { "v=STSv1 \t; \t id=a \t ; " }, "a" },
        { { "v=STSv1; x=y; id=a; id=b" }, "a" },
        { { "v=STSv1; a.b-c_d=!$; id=a" }, "a" },
        { { "v=STSv1; id=12345678901234567890123456789012" },
          "12345678901234567890123456789012" },
        { { "v=STSv1; id=123456789012345678901234567890123" }, NULL },
        { { "v=STSv1; id=a-b" }, NULL },
        { { "v=STSv1; id=" }, NULL },
        { { "v=STSv1; id" }, NULL },
        { { "v=STSv1; x=y" }, NULL },
        { { "v=STSv1;" }, NULL },
        { { "v=STSv1" }, NULL },
        { { "v=STSv1; id=a; x=" }, NULL },
        { { "v=STSv1; id=a; x=a b" }, NULL },
        { { "v=STSv1; id=a; x=a=b" }, NULL },
        { { "v=STSv1; id=a; \xc3\xa4=b" }, NULL },
        { { "v=STSv1;; id=a" }, NULL },
        { { "v=STSv1; ID=a" }, NULL },
        { { "v=STSv2; id=a" }, NULL },
        { { "V=STSv1; id=a" }, NULL },
        { { "id=a; v=STSv1" }, NULL },
        { { "" }, NULL },
        { { "v=spf1 -all", "v=STSv1; id=a" }, "a" },
        { { "v=STSv1", "v=STSv1; id=a" }, "a" },
        { { "v=STSv1; id=a", "v=STSv1; id=a" }, NULL },
        { { "v=STSv1; bad", "v=STSv1; id=a" }, NULL },
        { { NULL }, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice texts[3];
        size_t count = 0;
        struct mtasts_id id;
        for (; count < 3 && cases[i].texts[count] != NULL; count++)
            texts[count] = slice_from_string(cases[i].texts[count]);
        assert_int_equal(mtasts_record_read(texts, count, &id), cases[i].id != NULL);
        if (cases[i].id != NULL)
            assert_string_equal(id.text, cases[i].id);
    }
}

#define HEAD "version: STSv1\nmode: enforce\nmax_age: 86400\n"

struct row {
    struct slice text;
    const char *as; /* what it reads to; NULL: nothing */
};

static const struct row rows[] = {
    { SLICE_INIT(HEAD "mx: a.example\n"), HEAD "mx: a.example\n" },
    { SLICE_INIT("version:STSv1\r\nmode:\tenforce \r\nmax_age: 86400\r\nmx:A.Example\t\r\n"),
      HEAD "mx: a.example\n" },
    { SLICE_INIT("mx: *.b.example\nmx: a.example\nmax_age: 86400\nmode: enforce\nversion: STSv1"),
      HEAD "mx: *.b.example\nmx: a.example\n" },
    { SLICE_INIT(HEAD "mx: a.example\nmode: none\nmax_age: 1\nversion: 2\n"),
      HEAD "mx: a.example\n" },
    { SLICE_INIT(HEAD "x-y.z_1: \xc3\xa4 b:c\nmx: a.example\n\n"), HEAD "mx: a.example\n" },
    { SLICE_INIT("version: STSv1\nmode: none\nmax_age: 0\n"),
      "version: STSv1\nmode: none\nmax_age: 0\n" },
    { SLICE_INIT("version: STSv1\nmode: testing\nmax_age: 9999999999\nmx: a\n"),
      "version: STSv1\nmode: testing\nmax_age: 31557600\nmx: a\n" },
    { SLICE_INIT(HEAD), NULL },
    { SLICE_INIT("mode: enforce\nmax_age: 1\nmx: a.example\n"), NULL },
    { SLICE_INIT("version: STSv2\nmode: enforce\nmax_age: 1\nmx: a.example\n"), NULL },
    { SLICE_INIT("version: STSv1\nmax_age: 1\nmx: a.example\n"), NULL },
    { SLICE_INIT("version: STSv1\nmode: enforce\nmx: a.example\n"), NULL },
    { SLICE_INIT("version: STSv1\nmode: Enforce\nmax_age: 1\nmx: a.example\n"), NULL },
    { SLICE_INIT("version: STSv1\nmode: enforce\nmax_age: 12345678901\nmx: a.example\n"), NULL },
    { SLICE_INIT("version: STSv1\nmode: enforce\nmax_age: -1\nmx: a.example\n"), NULL },
    { SLICE_INIT("version: STSv1\nmode: enforce\nmax_age:\nmx: a.example\n"), NULL },
    { SLICE_INIT(HEAD "mx: a.example.\n"), NULL },
    { SLICE_INIT(HEAD "mx: *\n"), NULL },
    { SLICE_INIT(HEAD "mx: *.\n"), NULL },
    { SLICE_INIT(HEAD "mx: .a.example\n"), NULL },
    { SLICE_INIT(HEAD "mx: a.*.example\n"), NULL },
    { SLICE_INIT(HEAD "mx: *a.example\n"), NULL },
    { SLICE_INIT(HEAD "mx: a b\n"), NULL },
    { SLICE_INIT(HEAD "mx a.example\n"), NULL },
    { SLICE_INIT(HEAD "mx: a.example\n: x\n"), NULL },
    { SLICE_INIT(HEAD "mx: a.example\n x: y\n"), NULL },
    { SLICE_INIT(HEAD "mx: a.example\n\xc3\xa4: y\n"), NULL },
    { SLICE_INIT(HEAD "mx: a.example\nx: \xff\n"), NULL },
    { SLICE_INIT(HEAD "mx: a.example\nx: \0\n"), NULL },
    { SLICE_INIT(HEAD "mx: a.example\rx: y\n"), NULL },
    { SLICE_INIT("<html>not found</html>"), NULL },
    { SLICE_INIT(""), NULL },
};

static void policies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mtasts_policy *policy = NULL;
        const char *why = mtasts_policy_read(rows[i].text, &policy);
        struct buffer text;
        assert_int_equal(why == NULL, rows[i].as != NULL);
        if (why != NULL) {
            assert_null(policy);
            continue;
        }
        buffer_init(&text, 1000);
        mtasts_policy_write(policy, &text);
        buffer_append_byte(&text, '\0');
        assert_string_equal(buffer_slice(&text).data, rows[i].as);
        buffer_free(&text);
        mtasts_policy_drop(&policy);
    }
}

/* Cut anywhere, a policy is one of fewer hosts, or none; never of other ones. */
static void policies_cut_short(void **state)
{
    (void)state;
    struct slice whole = SLICE(HEAD "mx: a.example\nmx: *.b.example\n");
    for (size_t len = 0; len < whole.len; len++) {
        char *copy = malloc(len + 1); /* so that a read past the end is seen */
        memcpy(copy, whole.data, len);
        struct mtasts_policy *policy;
        if (mtasts_policy_read(slice_make(copy, len), &policy) == NULL) {
            assert_true(len > sizeof HEAD - 1);
            assert_int_equal(mtasts_policy_mode(policy), MTASTS_ENFORCE);
            assert_int_equal(mtasts_policy_age_s(policy), 86400);
            mtasts_policy_drop(&policy);
        }
        free(copy);
    }
}

static void a_policy_has_a_largest_size(void **state)
{
    (void)state;
    struct buffer text;
    struct mtasts_policy *policy;
    buffer_init(&text, MTASTS_POLICY_MAX + 1);
    buffer_append_string(&text, HEAD "mx: a.example\n");
    while (buffer_len(&text) < MTASTS_POLICY_MAX)
        buffer_append_byte(&text, '\n');
    assert_null(mtasts_policy_read(buffer_slice(&text), &policy));
    mtasts_policy_drop(&policy);
    buffer_append_byte(&text, '\n');
    assert_string_equal(mtasts_policy_read(buffer_slice(&text), &policy),
                        "the policy is too large");
    buffer_free(&text);
}

static void hosts_that_match(void **state)
{
    (void)state;
    static const struct { const char *host; bool has; } cases[] = {
        { "a.example", true },      { "A.Example", true },   { "b.a.example", false },
        { "x.b.example", true },    { "X.B.Example", true }, { "b.example", false },
        { "x.y.b.example", false }, { ".b.example", false }, { "xb.example", false },
        { "", false },              { "example", false },    { "*.b.example", true },
    };
    struct mtasts_policy *policy;
    assert_null(mtasts_policy_read(SLICE(HEAD "mx: a.example\nmx: *.b.example\n"), &policy));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(mtasts_policy_has(policy, slice_from_string(cases[i].host)),
                         cases[i].has);
    assert_true(slice_equal(mtasts_policy_pattern(policy, 1), SLICE("*.b.example")));
    assert_int_equal(mtasts_policy_pattern(policy, 2).len, 0);
    mtasts_policy_drop(&policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),
        cmocka_unit_test(policies),
        cmocka_unit_test(policies_cut_short),
        cmocka_unit_test(a_policy_has_a_largest_size),
        cmocka_unit_test(hosts_that_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
