/* results_test.c: what a payload says, and what only looks as if it did. */
#include "wire/message/results.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *payload;
    const char *method;
    const char *result; /* NULL: none */
} cases[] = {
    { "mx.example; spf=pass smtp.mailfrom=a.example; dmarc=fail", "dmarc", "fail" },
    { "mx.example; spf=pass smtp.mailfrom=a.example; dmarc=fail", "spf", "pass" },
    { "mx.example;\r\n\tspf=pass;\r\n\tarc=pass (i=2)", "arc", "pass" },
    { "mx.example 1; ARC = Pass", "arc", "Pass" },
    { "mx.example; dkim/1=pass header.d=a.example", "dkim", "pass" },
    { "mx.example; dkim (x) / (y) 1 (z) = (;arc=no) fail", "dkim", "fail" },
    { "mx.example; none", "arc", NULL },
    { "mx.example", "arc", NULL },
    { "", "arc", NULL },
    { "arc=pass", "arc", NULL },
    { "mx.example; spf=pass smtp.mailfrom=\"a; arc=pass\"@b", "arc", NULL },
    { "mx.example; spf=pass smtp.mailfrom=\"a\\\"; arc=pass\"@b", "arc", NULL },
    { "mx.example; spf=pass (why; arc=pass)", "arc", NULL },
    { "mx.example; spf=pass (a(b); arc=pass)", "arc", NULL },
    { "mx.example; spf=pass (a\\); arc=pass)", "arc", NULL },
    { "mx.example; spf=pass (never ends; arc=pass", "arc", NULL },
    { "mx.example; spf=pass \"never ends; arc=pass", "arc", NULL },
    { "mx.example; xarc=pass; arc-x=pass", "arc", NULL },
    { "mx.example; arc=; arc=pass", "arc", NULL },
    { "mx.example; arc pass; arc=fail", "arc", "fail" },
    { "mx.example; arc=none; arc=pass", "arc", "none" },
    { "mx.example;;; arc=pass", "arc", "pass" },
};

static void says_what_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice result;
        bool found = results_find(slice_from_string(cases[i].payload),
                                  slice_from_string(cases[i].method), &result);
        assert_int_equal(found, cases[i].result != NULL);
        if (found)
            assert_true(slice_equal(result, slice_from_string(cases[i].result)));
    }
}

/* Cut anywhere it says the same, a shorter word, or nothing; never what stands beyond. */
static void cut_anywhere_it_stays_inside(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice whole = slice_from_string(cases[i].payload);
        for (size_t len = 0; len <= whole.len; len++) {
            struct slice part = slice_part(whole, 0, len), result;
            if (results_find(part, slice_from_string(cases[i].method), &result))
                assert_true(result.data >= part.data &&
                            result.data + result.len <= part.data + part.len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_it_says),
        cmocka_unit_test(cut_anywhere_it_stays_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
