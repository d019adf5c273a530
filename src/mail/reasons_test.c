/* reasons_test.c: a list that stays bounded whatever is put in. */
#include "mail/reasons.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_text(const struct reasons *r, size_t n, const char *wanted)
{
    struct slice text = reasons_at(r, n);
    assert_int_equal(text.len, strlen(wanted));
    assert_memory_equal(text.data, wanted, text.len);
}

static void test_keeps_order(void **state)
{
    (void)state;
    struct reasons r;
    reasons_init(&r);
    reasons_add(&r, "first");
    reasons_add_about(&r, "of ", SLICE("a\r\nb"), ", told");
    buffer_append_string(reasons_begin(&r), "left off");
    buffer_append_number(reasons_begin(&r), 3);
    reasons_end(&r);
    assert_int_equal(r.count, 3);
    assert_text(&r, 0, "first");
    assert_text(&r, 1, "of \"a\\r\\nb\", told");
    assert_text(&r, 2, "3");
    reasons_add(&r, "");
    assert_int_equal(r.count, 3);
    reasons_free(&r);
}

static void test_is_bounded(void **state)
{
    (void)state;
    static char big[64000];
    struct reasons r;
    reasons_init(&r);
    memset(big, 'x', sizeof big);
    for (size_t i = 0; i < REASONS_MAX + 10; i++) {
        buffer_append(reasons_begin(&r), slice_make(big, sizeof big));
        reasons_end(&r);
    }
    assert_int_equal(r.count, REASONS_MAX);
    for (size_t i = 0; i < r.count; i++) {
        struct slice text = reasons_at(&r, i);
        assert_int_equal(text.len, REASON_BYTES_MAX);
        assert_true(slice_ends_with_nocase(text, SLICE("x...")));
    }
    reasons_make_room(&r, 2);
    reasons_make_room(&r, 1);
    reasons_add(&r, "last but one");
    reasons_make_room(&r, 1);
    reasons_add(&r, "last");
    assert_int_equal(r.count, REASONS_MAX);
    assert_text(&r, REASONS_MAX - 2, "last but one");
    assert_text(&r, REASONS_MAX - 1, "last");
    reasons_free(&r);
}

static void test_cuts_between_characters(void **state)
{
    (void)state;
    struct reasons r;
    reasons_init(&r);
    struct buffer *text = reasons_begin(&r);
    buffer_append_byte(text, 'a');
    for (size_t i = 0; i < 200; i++)
        buffer_append_string(text, "\xc3\xa9");
    reasons_end(&r);
    struct slice kept = reasons_at(&r, 0);
    assert_true(kept.len <= REASON_BYTES_MAX);
    assert_true(slice_ends_with_nocase(kept, SLICE("\xc3\xa9...")));
    reasons_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_order),
        cmocka_unit_test(test_is_bounded),
        cmocka_unit_test(test_cuts_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
