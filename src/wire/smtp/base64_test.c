/* base64_test.c: the vectors of RFC 4648 10, and what is no base64. */
#include "wire/smtp/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void vectors_both_ways(void **state)
{
    (void)state;
    static const struct {
        struct slice octets;
        struct slice text;
    } rows[] = {
        { SLICE_INIT("f"), SLICE_INIT("Zg==") },
        { SLICE_INIT("fo"), SLICE_INIT("Zm8=") },
        { SLICE_INIT("foo"), SLICE_INIT("Zm9v") },
        { SLICE_INIT("foob"), SLICE_INIT("Zm9vYg==") },
        { SLICE_INIT("fooba"), SLICE_INIT("Zm9vYmE=") },
        { SLICE_INIT("foobar"), SLICE_INIT("Zm9vYmFy") },
        { SLICE_INIT("\0\xff\xfe"), SLICE_INIT("AP/+") },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer b;
        buffer_init(&b, 100);
        base64_append(&b, rows[i].octets);
        assert_true(slice_equal(buffer_slice(&b), rows[i].text));
        buffer_clear(&b);
        assert_true(base64_read(rows[i].text, &b));
        assert_true(slice_equal(buffer_slice(&b), rows[i].octets));
        buffer_free(&b);
    }
    struct buffer b;
    buffer_init(&b, 100);
    assert_true(base64_read(SLICE(""), &b));
    base64_append(&b, SLICE(""));
    assert_int_equal(buffer_len(&b), 0);
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "Z", "Zg", "Zg=", "Zg==Zg==", "Zh==", "Zm9=", "====", "=g==", "Z===", "Zm9v\n",
        "Zm 9", "Zm9-", "Zm9v Zm9v", "Zm9vZ===",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer b;
        buffer_init(&b, 100);
        buffer_append(&b, SLICE("x"));
        assert_false(base64_read(slice_from_string(rows[i]), &b));
        assert_int_equal(buffer_len(&b), 1);
        buffer_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_both_ways),
        cmocka_unit_test(what_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
