/* tls_record_test.c: records as they are published, and those that are none. */
#include "reports/tls_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *text;
    const char *rua; /* NULL: it is none */
} cases[] = {
    { "v=TLSRPTv1;rua=mailto:reports@example.com", "mailto:reports@example.com" },
    { "v=TLSRPTv1; rua=https://a.test/v1/tlsrpt", "https://a.test/v1/tlsrpt" },
    { "v=TLSRPTv1 ; rua=mailto:a@b.test , mailto:c@d.test ; x=y;",
      "mailto:a@b.test , mailto:c@d.test" },
    { "v=TLSRPTv1;x=y;rua=mailto:a@b.test", "mailto:a@b.test" },
    { "v=TLSRPTv1;rua=mailto:a@b.test;rua=mailto:c@d.test", "mailto:a@b.test" },
    { "v=TLSRPTv1;rua=", NULL },
    { "v=TLSRPTv1", NULL },
    { "v=TLSRPTv1;", NULL },
    { "v=tlsrptv1;rua=mailto:a@b.test", NULL },
    { "v=TLSRPTv2;rua=mailto:a@b.test", NULL },
    { " v=TLSRPTv1;rua=mailto:a@b.test", NULL },
    { "v=TLSRPTv1rua=mailto:a@b.test", NULL },
    { "rua=mailto:a@b.test;v=TLSRPTv1", NULL },
    { "", NULL },
    { ";", NULL },
};

static void records(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice text = slice_from_string(cases[i].text), rua;
        bool is_one = tls_record_read(text, &rua);
        assert_int_equal(is_one, cases[i].rua != NULL);
        if (is_one)
            assert_true(slice_equal(rua, slice_from_string(cases[i].rua)));
        for (size_t len = 0; len < text.len; len++)
            tls_record_read(slice_part(text, 0, len), &rua);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(records) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
