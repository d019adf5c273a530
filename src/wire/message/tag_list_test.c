/* tag_list_test.c: lists that are some, and lists that are none. */
#include "wire/message/tag_list.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void lists_are_read_or_refused_as_a_whole(void **state)
{
    (void)state;
    static const struct { const char *text; int count; } rows[] = {
        { "v=1", 1 }, { "v=1;", 1 }, { " v = 1 ; a\r\n\t=\r\n b ;\r\n ", 2 },
        { "v=", 1 }, { "p=;q=x", 2 }, { "a_1=x y", 1 }, { "v=a=b", 1 },
        { "n=\xc3\xa4", 1 }, { "V=1; v=1", 2 },
        { "", -1 }, { " ", -1 }, { ";", -1 }, { "v=1;;a=b", -1 }, { "v", -1 }, { "=x", -1 },
        { "v=1; v=2", -1 }, { "1v=1", -1 }, { "_=1", -1 }, { "v 1", -1 },
        { "v=1\n", -1 }, { "v=\x01", -1 }, { "v=\x7f", -1 }, { "v=\xff", -1 },
        { "v=1\r\n", -1 }, { "v=a\rb", -1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tag_list list;
        bool good = tag_list_parse(slice_from_string(rows[i].text), &list);
        if (good != (rows[i].count >= 0) || (good && list.count != (size_t)rows[i].count))
            fail_msg("%d %zu: %s", good, list.count, rows[i].text);
    }
}

static void values_lose_the_space_around_them(void **state)
{
    (void)state;
    struct tag_list list;
    assert_true(tag_list_parse(SLICE("a= x\r\n y \r\n ; b=;c=z"), &list));
    const struct tag *a = tag_list_find(&list, SLICE("a"));
    assert_true(slice_equal(a->value, SLICE("x\r\n y")));
    assert_true(slice_equal(a->raw, SLICE(" x\r\n y \r\n ")));
    assert_int_equal(tag_list_find(&list, SLICE("b"))->value.len, 0);
    assert_null(tag_list_find(&list, SLICE("A")));
}

static void there_are_at_most_so_many_tags(void **state)
{
    (void)state;
    struct buffer text;
    struct tag_list list;
    buffer_init(&text, 4096);
    for (int i = 0; i < TAG_LIST_MAX; i++)
        buffer_append_format(&text, "t%d=x;", i);
    assert_true(tag_list_parse(buffer_slice(&text), &list));
    buffer_append(&text, SLICE("more=x"));
    assert_false(tag_list_parse(buffer_slice(&text), &list));
    buffer_free(&text);
}

static void words_stand_between_colons(void **state)
{
    (void)state;
    struct slice rest = SLICE("from : to::\r\n date");
    static const char *const want[] = { "from", "to", "", "date" };
    struct slice word;
    for (size_t i = 0; i < 4; i++) {
        assert_true(tag_word_next(&rest, &word));
        assert_true(slice_equal(word, slice_from_string(want[i])));
    }
    assert_false(tag_word_next(&rest, &word));
    assert_true(tag_word_is_in(SLICE("y:S"), SLICE("s")));
    assert_false(tag_word_is_in(SLICE("yes"), SLICE("y")));
    assert_false(tag_word_is_in(SLICE(""), SLICE("")));
}

static void a_list_that_is_cut_does_no_harm(void **state)
{
    (void)state;
    struct slice text = SLICE("v=1; a=rsa-sha256; h=from :\r\n to; b=ab\r\n cd; t=9");
    struct tag_list list;
    for (size_t i = 0; i <= text.len; i++)
        if (tag_list_parse(slice_part(text, 0, i), &list))
            for (size_t t = 0; t < list.count; t++)
                assert_true(list.tags[t].raw.data + list.tags[t].raw.len <= text.data + i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read_or_refused_as_a_whole),
        cmocka_unit_test(values_lose_the_space_around_them),
        cmocka_unit_test(there_are_at_most_so_many_tags),
        cmocka_unit_test(words_stand_between_colons),
        cmocka_unit_test(a_list_that_is_cut_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
