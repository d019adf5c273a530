/* lines_test.c: line ends of any kind, encodings, fields that break the rules. */
#include "wire/report/lines.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void check(void (*append)(struct buffer *, struct slice), struct slice text,
                  struct slice wanted)
{
    struct buffer out;
    buffer_init(&out, 256);
    append(&out, text);
    assert_true(slice_equal(buffer_slice(&out), wanted));
    buffer_free(&out);
}

static void test_line_ends(void **state)
{
    (void)state;
    static const struct { struct slice text, wanted; } cases[] = {
        { SLICE_INIT(""), SLICE_INIT("") },
        { SLICE_INIT("a"), SLICE_INIT("a") },
        { SLICE_INIT("a\nb\n"), SLICE_INIT("a\r\nb\r\n") },
        { SLICE_INIT("a\r\nb\r\n"), SLICE_INIT("a\r\nb\r\n") },
        { SLICE_INIT("a\rb\r"), SLICE_INIT("a\r\nb\r\n") },
        { SLICE_INIT("\n\r\r\n\n"), SLICE_INIT("\r\n\r\n\r\n\r\n") },
        { SLICE_INIT("a\0b\n"), SLICE_INIT("a\0b\r\n") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(report_append_lines, cases[i].text, cases[i].wanted);
}

static void test_quoted_printable(void **state)
{
    (void)state;
    static const struct { struct slice text, wanted; } cases[] = {
        { SLICE_INIT("=41=62c"), SLICE_INIT("Abc") },
        { SLICE_INIT("so=\r\nft\r\n"), SLICE_INIT("soft\r\n") },
        { SLICE_INIT("soft= \t\r\nblanks"), SLICE_INIT("softblanks") },
        { SLICE_INIT("tail   \r\n"), SLICE_INIT("tail\r\n") },
        { SLICE_INIT("a=zz=4"), SLICE_INIT("a=zz=4") },
        { SLICE_INIT("=3d=3D"), SLICE_INIT("==") },
        { SLICE_INIT("end="), SLICE_INIT("end") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(report_append_unquoted, cases[i].text, cases[i].wanted);
}

static void test_base64(void **state)
{
    (void)state;
    check(report_append_unbased, SLICE("aGVs\r\nbG8="), SLICE("hello"));
    check(report_append_unbased, SLICE("aGV*s bG8"), SLICE("hello"));
    check(report_append_unbased, SLICE("aGVsbG8=ignored"), SLICE("hello"));
    check(report_append_unbased, SLICE("a"), SLICE(""));
}

static void test_words(void **state)
{
    (void)state;
    check(report_append_words, SLICE("=?utf-8?Q?Out_of=20office?= x"), SLICE("Out of office x"));
    check(report_append_words, SLICE("=?x?q?_a__?=_"), SLICE(" a  _"));
    check(report_append_words, SLICE("a =?x?b?aGk=?="), SLICE("a hi"));
    check(report_append_words, SLICE("=?x?z?y?= =?x?q?open"), SLICE("=?x?z?y?= =?x?q?open"));
    check(report_append_words, SLICE("=?=?=?"), SLICE("=?=?=?"));
}

static void test_fields(void **state)
{
    (void)state;
    struct arena arena;
    struct report_field f;
    struct cursor c = cursor_over(SLICE("A: one\r\n  two\r\n\tthree \r\nno field here\r\n"
                                        "b-C :x\0y\r\n \r\nLast:\r\n\r\n"));
    arena_init(&arena, 4096);
    assert_int_equal(report_field_next(&c, &arena, &f), REPORT_FIELD);
    assert_true(slice_equal(f.name, SLICE("A")));
    assert_true(slice_equal(f.value, SLICE("one two three")));
    assert_int_equal(report_field_next(&c, &arena, &f), REPORT_FIELD);
    assert_true(slice_equal(f.name, SLICE("b-C")));
    assert_true(slice_equal(f.value, SLICE("x?y")));
    assert_int_equal(report_field_next(&c, &arena, &f), REPORT_FIELD_GAP);
    assert_int_equal(report_field_next(&c, &arena, &f), REPORT_FIELD);
    assert_int_equal(f.value.len, 0);
    assert_int_equal(report_field_next(&c, &arena, &f), REPORT_FIELD_GAP);
    assert_int_equal(report_field_next(&c, &arena, &f), REPORT_FIELD_END);
    arena_free(&arena);
}

/* A field that the arena cannot hold is passed over, not half there. */
static void test_no_room(void **state)
{
    (void)state;
    struct arena arena;
    struct report_field f;
    struct cursor c = cursor_over(SLICE("Long: 0123456789012345678901234567890123456789\r\n"
                                        "S: x\r\n"));
    arena_init(&arena, 32);
    assert_int_equal(report_field_next(&c, &arena, &f), REPORT_FIELD);
    assert_true(slice_equal(f.name, SLICE("S")));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_ends), cmocka_unit_test(test_quoted_printable),
        cmocka_unit_test(test_base64), cmocka_unit_test(test_words), cmocka_unit_test(test_fields),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
