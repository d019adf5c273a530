/* results_test.c: fields in our name are found however they are written. */
#include "verify/verify_private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void ours_is_told_from_others(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool ours;
    } rows[] = {
        { " mx.test; spf=pass", true }, { " MX.Test;\r\n dkim=pass", true },
        { " mx.test 1; none", true }, { "mx.test", true }, { " \"mx.test\"; x", true },
        { " (c; d) mx.test (e) ; x", true }, { " m(c)x.test; x", true },
        { "\r\n\tmx.test\r\n ;", true }, { " \"mx\\.test\"; x", true },
        { " 1 mx.test; x", true }, { " (never ends; mx.other; x", true },
        { " other.test; dkim=pass header.d=mx.test", false }, { " mx.test.other.test; x", false },
        { " amx.test; x", false }, { "", false }, { ";mx.test", false },
        { " (mx.test) other.test; x", false }, { " other.test", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (results_are_of(slice_from_string(rows[i].value), SLICE("mx.test")) != rows[i].ours)
            fail_msg("%s", rows[i].value);
}

static void they_are_taken_out(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 4096);
    struct slice header = SLICE("A: 1\r\nAuthentication-Results: mx.test;\r\n dmarc=pass\r\n"
                                "Authentication-Results: other; x\r\n"
                                "authentication-results : mx.test; y\r\nB: 2\r\n\r\n");
    assert_true(results_remove(header, SLICE("mx.test"), &out));
    assert_true(slice_equal(buffer_slice(&out),
                            SLICE("A: 1\r\nAuthentication-Results: other; x\r\nB: 2\r\n\r\n")));
    buffer_clear(&out);
    assert_false(results_remove(SLICE("A: 1\r\n\r\n"), SLICE("mx.test"), &out));
    assert_int_equal(buffer_len(&out), 0);
    assert_true(results_remove(SLICE("junk\r\nAuthentication-Results: mx.test"),
                               SLICE("mx.test"), &out));
    assert_true(slice_equal(buffer_slice(&out), SLICE("junk\r\n")));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ours_is_told_from_others),
        cmocka_unit_test(they_are_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
