/* base_test.c: the floor that everything stands on. */
#include "base/arena.h"
#include "base/base64.h"
#include "base/buffer.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/record.h"
#include "base/table.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void number_refuses_what_is_not_one(void **state)
{
    (void)state;
    static const struct { const char *text; uint64_t max; bool good; uint64_t value; } cases[] = {
        { "0", 10, true, 0 }, { "10", 10, true, 10 }, { "11", 10, false, 0 },
        { "", 10, false, 0 }, { "-1", 10, false, 0 }, { "+1", 10, false, 0 },
        { "1e9", UINT64_MAX, false, 0 }, { "0x10", UINT64_MAX, false, 0 },
        { "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
        { "18446744073709551616", UINT64_MAX, false, 0 },
        { "99999999999999999999", UINT64_MAX, false, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t value = 77;
        assert_int_equal(cases[i].good,
                         slice_to_number(slice_from_string(cases[i].text),
                                         cases[i].max, &value));
        assert_int_equal(value, cases[i].good ? cases[i].value : 77);
    }
}

static void slices_cut_and_compare(void **state)
{
    (void)state;
    struct slice s = SLICE("Example.COM");
    assert_true(slice_equal_nocase(s, SLICE("eXAMPLE.com")));
    assert_true(slice_ends_with_nocase(s, SLICE(".com")));
    assert_false(slice_ends_with_nocase(SLICE("com"), SLICE(".com")));
    assert_true(slice_contains_nocase(SLICE("Too Many"), SLICE("o m")));
    assert_true(slice_contains_nocase(SLICE("x"), SLICE("X")));
    assert_true(slice_contains_nocase(SLICE("x"), SLICE("")));
    assert_false(slice_contains_nocase(SLICE("x"), SLICE("xy")));
    assert_false(slice_contains_nocase(SLICE(""), SLICE("x")));
    assert_int_equal(slice_part(s, 20, 5).len, 0);
    assert_true(slice_equal(slice_part(s, 8, 99), SLICE("COM")));
    assert_true(slice_equal(slice_trim(SLICE(" \t a b\t ")), SLICE("a b")));
    struct slice rest = SLICE("a,,b");
    struct slice part;
    assert_true(slice_split(&rest, ',', &part) && slice_equal(part, SLICE("a")));
    assert_true(slice_split(&rest, ',', &part) && part.len == 0);
    assert_true(slice_split(&rest, ',', &part) && slice_equal(part, SLICE("b")));
    assert_false(slice_split(&rest, ',', &part));
    assert_null(slice_to_string(slice_make("a\0b", 3)));
}

static void buffer_keeps_its_maximum(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 10);
    buffer_append(&b, SLICE("12345678"));
    buffer_append(&b, SLICE("abc"));
    assert_true(b.overflow);
    assert_true(slice_equal(buffer_slice(&b), SLICE("12345678")));
    buffer_append(&b, SLICE("x"));
    assert_int_equal(buffer_len(&b), 8);
    buffer_clear(&b);
    buffer_append(&b, SLICE("0123456789"));
    buffer_consume(&b, 4);
    buffer_append(&b, SLICE("ABCD"));
    assert_false(b.overflow);
    assert_true(slice_equal(buffer_slice(&b), SLICE("456789ABCD")));
    buffer_free(&b);
}

static void escape_hides_what_a_terminal_would_obey(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 1000);
    static const char bytes[] = "a\r\n\x1b[\\\0\x7f\xc3\xa9\xff\xc2\x9b\xe2\x80\xae";
    buffer_append_escaped(&b, slice_make(bytes, sizeof bytes - 1));
    assert_true(slice_equal(buffer_slice(&b),
        SLICE("a\\r\\n\\x1b[\\\\\\x00\\x7f\xc3\xa9\\xff\\xc2\\x9b\\xe2\\x80\\xae")));
    buffer_free(&b);
}

static void format_needs_no_room_beyond_its_text(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 64);
    buffer_append_format(&b, "%d-%s", 42, "x");
    buffer_append_number(&b, 0);
    buffer_append_number(&b, UINT64_MAX);
    assert_true(slice_equal(buffer_slice(&b), SLICE("42-x018446744073709551615")));
    buffer_free(&b);
}

static void arena_bounds_and_reuses(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 4096);
    char *first = arena_alloc(&a, 10);
    assert_non_null(first);
    assert_non_null(arena_alloc(&a, 3000));
    assert_null(arena_alloc(&a, 2000));
    assert_null(arena_alloc_many(&a, SIZE_MAX / 2, 4));
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 4096));
    arena_free(&a);
}

static void cursor_never_passes_the_end(void **state)
{
    (void)state;
    struct cursor c = cursor_over(SLICE("MAIL 12x"));
    uint64_t value;
    struct slice part;
    assert_true(cursor_take_literal(&c, SLICE("mail")));
    assert_int_equal(cursor_skip_blanks(&c), 1);
    assert_true(cursor_take_number(&c, 99, &value));
    assert_int_equal(value, 12);
    assert_false(cursor_take_part(&c, 2, &part));
    assert_int_equal(cursor_take(&c), 'x');
    assert_int_equal(cursor_take(&c), -1);
    assert_int_equal(cursor_peek(&c), -1);
}

static void heap_gives_the_earliest(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    static struct heap_entry entries[COUNT];
    struct heap h;
    heap_init(&h);
    uint32_t random = 12345;
    for (size_t i = 0; i < COUNT; i++) {
        random = random * 1664525u + 1013904223u;
        assert_true(heap_set(&h, &entries[i], random % 1000));
    }
    for (size_t i = 0; i < COUNT; i += 3)
        assert_true(heap_set(&h, &entries[i], (int64_t)i));
    for (size_t i = 1; i < COUNT; i += 7)
        heap_remove(&h, &entries[i]);
    int64_t last = -1;
    while (heap_first(&h) != NULL) {
        struct heap_entry *e = heap_first(&h);
        assert_true(e->due >= last);
        last = e->due;
        heap_remove(&h, e);
        heap_remove(&h, e);
    }
    heap_free(&h);
}

struct named {
    struct table_entry entry;
    char name[16];
};

static void table_finds_and_forgets(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct named *names = calloc(COUNT, sizeof *names);
    struct table t;
    table_init(&t);
    for (int i = 0; i < COUNT; i++) {
        int len = snprintf(names[i].name, sizeof names[i].name, "n%d", i);
        assert_true(table_insert(&t, &names[i].entry,
                                 slice_make(names[i].name, (size_t)len)));
    }
    size_t seen = 0;
    for (struct table_entry *e = table_next(&t, NULL); e != NULL;
         e = table_next(&t, e))
        seen++;
    assert_int_equal(seen, COUNT);
    for (int i = 0; i < COUNT; i += 2)
        table_remove(&t, &names[i].entry);
    assert_ptr_equal(table_find(&t, SLICE("n501")), &names[501].entry);
    assert_null(table_find(&t, SLICE("n500")));
    assert_int_equal(t.count, COUNT / 2);
    table_free(&t);
    free(names);
}

static void records_round_trip_and_fail_once(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 100);
    buffer_append_byte(&b, 7);
    buffer_append_u16(&b, 65535);
    buffer_append_u32(&b, 123456789);
    buffer_append_u64(&b, UINT64_MAX - 1);
    record_put_slice(&b, SLICE("hello"));
    for (size_t cut = 0; cut <= buffer_len(&b); cut++) {
        struct record r = record_over(slice_part(buffer_slice(&b), 0, cut));
        uint8_t a = record_u8(&r);
        uint16_t c = record_u16(&r);
        uint32_t d = record_u32(&r);
        uint64_t e = record_u64(&r);
        struct slice s = record_slice(&r);
        assert_int_equal(r.failed, cut < buffer_len(&b));
        if (!r.failed)
            assert_true(a == 7 && c == 65535 && d == 123456789 &&
                        e == UINT64_MAX - 1 && slice_equal(s, SLICE("hello")));
    }
    buffer_free(&b);
}

static void crc32c_known_values(void **state)
{
    (void)state;
    /* RFC 3720 B.4: 32 bytes of zeros, of ones, and the usual check string. */
    char zeros[32] = { 0 };
    char ones[32];
    memset(ones, 0xff, sizeof ones);
    assert_int_equal(crc32c(0, slice_make(zeros, 32)), 0x8a9136aau);
    assert_int_equal(crc32c(0, slice_make(ones, 32)), 0x62a8ab43u);
    assert_int_equal(crc32c(0, SLICE("123456789")), 0xe3069283u);
    assert_int_equal(crc32c(crc32c(0, SLICE("1234")), SLICE("56789")), 0xe3069283u);
}

static void utf8_refuses_overlong_and_surrogates(void **state)
{
    (void)state;
    assert_true(utf8_is_valid(SLICE("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa6")));
    assert_false(utf8_is_valid(SLICE("\xc0\xaf")));
    assert_false(utf8_is_valid(SLICE("\xe0\x80\xaf")));
    assert_false(utf8_is_valid(SLICE("\xed\xa0\x80")));
    assert_false(utf8_is_valid(SLICE("\xf4\x90\x80\x80")));
    assert_false(utf8_is_valid(SLICE("\xe2\x82")));
    assert_true(utf8_is_control(SLICE("\xe2\x80\xae")));
    assert_false(slice_is_ascii(SLICE("\xc3\xbc")));
}

static void list_links_once(void **state)
{
    (void)state;
    struct list l;
    struct list_node a = { 0 };
    struct list_node b = { 0 };
    list_init(&l);
    list_append(&l, &a);
    list_prepend(&l, &b);
    assert_ptr_equal(list_first(&l), &b);
    assert_ptr_equal(list_next(&l, &b), &a);
    assert_null(list_next(&l, &a));
    list_remove(&b);
    list_remove(&b);
    assert_ptr_equal(list_take(&l), &a);
    assert_null(list_take(&l));
}

static void test_base64(void **state)
{
    (void)state;
    static const struct { const char *plain, *coded; } good[] = {
        { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" }, { "\xff\xfe\xfd", "//79" }, { "\xfb", "+w==" },
    };
    static const char *const bad[] = { "Z", "Zg", "Zg=", "Zg==Zg==", "Zh==", "Zm9=", "Zm 9",
                                       "Zm9v\n", "====", "=g==", "Z===", "Zg=v", "Zm-_" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct buffer b;
        buffer_init(&b, 100);
        base64_append(&b, slice_from_string(good[i].plain));
        assert_true(slice_equal(buffer_slice(&b), slice_from_string(good[i].coded)));
        buffer_clear(&b);
        assert_true(base64_decode(slice_from_string(good[i].coded), &b));
        assert_true(slice_equal(buffer_slice(&b), slice_from_string(good[i].plain)));
        buffer_free(&b);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buffer b;
        buffer_init(&b, 100);
        assert_false(base64_decode(slice_from_string(bad[i]), &b));
        buffer_free(&b);
    }
}

static void base64_there_and_back(void **state)
{
    (void)state;
    static const struct { const char *text; const char *octets; } rows[] = {
        { "", "" }, { "Zg==", "f" }, { "Zm8=", "fo" }, { "Zm9v", "foo" },
        { "Zm9vYg==", "foob" }, { "Zm9vYmE=", "fooba" }, { "Zm9vYmFy", "foobar" },
        { " Zm\t9\r\nvYg = =", NULL }, { "Zg", NULL }, { "Zm8", NULL },
    };
    static const char *const bad[] = {
        "Z", "Zg=", "Zg===", "=", "Zm9v=", "Z g=x", "Zm-v", "Zm9v\x01", "Zh==", "Zm9",
    };
    struct buffer b;
    buffer_init(&b, 16);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buffer_clear(&b);
        assert_true(base64_read(slice_from_string(rows[i].text), &b));
        if (rows[i].octets == NULL)
            continue;
        assert_true(slice_equal(buffer_slice(&b), slice_from_string(rows[i].octets)));
        buffer_clear(&b);
        base64_append(&b, slice_from_string(rows[i].octets));
        assert_true(slice_equal(buffer_slice(&b), slice_from_string(rows[i].text)));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buffer_clear(&b);
        if (base64_read(slice_from_string(bad[i]), &b))
            fail_msg("taken: %s", bad[i]);
    }
    buffer_clear(&b);
    assert_false(base64_read(SLICE("Zm9vYmFyZm9vYmFyZm9vYmFy"), &b));
    buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64),
        cmocka_unit_test(number_refuses_what_is_not_one),
        cmocka_unit_test(slices_cut_and_compare),
        cmocka_unit_test(buffer_keeps_its_maximum),
        cmocka_unit_test(escape_hides_what_a_terminal_would_obey),
        cmocka_unit_test(format_needs_no_room_beyond_its_text),
        cmocka_unit_test(arena_bounds_and_reuses),
        cmocka_unit_test(cursor_never_passes_the_end),
        cmocka_unit_test(heap_gives_the_earliest),
        cmocka_unit_test(table_finds_and_forgets),
        cmocka_unit_test(records_round_trip_and_fail_once),
        cmocka_unit_test(crc32c_known_values),
        cmocka_unit_test(base64_there_and_back),
        cmocka_unit_test(utf8_refuses_overlong_and_surrogates),
        cmocka_unit_test(list_links_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
