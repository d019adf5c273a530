/* notice_test.c: texts for people: whom they are about, and what they say of whom. */
#include "wire/report/notice.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* "a@b[text|text] c@d[text]", blanks at the ends of texts off. */
static void show(struct slice content, struct slice strangers, struct buffer *out)
{
    struct arena arena;
    struct notice notice;
    arena_init(&arena, 1 << 20);
    assert_true(notice_read(content, strangers, &arena, &notice));
    assert_true(notice.text.len + notice.original.len <= content.len);
    for (size_t i = 0; i < notice.count; i++) {
        const struct notice_recipient *r = &notice.recipients[i];
        assert_true(r->texts_count <= NOTICE_TEXTS_MAX);
        if (i > 0)
            buffer_append_byte(out, ' ');
        buffer_append(out, r->address);
        buffer_append_byte(out, '[');
        for (size_t k = 0; k < r->texts_count; k++) {
            if (k > 0)
                buffer_append_byte(out, '|');
            struct slice text = r->texts[k];
            while (text.len > 0 && strchr("\r\n ", text.data[text.len - 1]) != NULL)
                text.len--;
            buffer_append(out, text);
        }
        buffer_append_byte(out, ']');
    }
    arena_free(&arena);
}

static const struct { struct slice content, strangers; const char *shown; } cases[] = {
    { SLICE_INIT(""), SLICE_INIT(""), "" },
    { SLICE_INIT("Nothing here.\r\n"), SLICE_INIT(""), "" },
    { SLICE_INIT("Sorry.\r\n\r\n<a@b.test>:\r\nno mailbox\r\n\r\n--- Below this line is a copy\r\n"
                 "c@d.test\r\n"), SLICE_INIT(""), "a@b.test[<a@b.test>:\r\nno mailbox]" },
    { SLICE_INIT("a@b.test: one\r\nc@d.test: two\r\n"), SLICE_INIT(""),
      "a@b.test[a@b.test: one] c@d.test[c@d.test: two]" },
    /* the one it is sent to is not whom it is about */
    { SLICE_INIT("Hello\r\n  me@here.test\r\nfailed:\r\n  a@b.test\r\n  full\r\n"),
      SLICE_INIT("Me <ME@here.test>"), "a@b.test[  a@b.test\r\n  full]" },
    { SLICE_INIT("Not delivered to me@here.test\r\n"), SLICE_INIT("me@here.test"),
      "me@here.test[Not delivered to me@here.test]" },
    { SLICE_INIT("Contact postmaster@x.test.\r\nYour mail to <a@b.test> was refused.\r\n"
                 "See also c@d.test\r\n"), SLICE_INIT(""),
      "a@b.test[Contact postmaster@x.test.\r\nYour mail to <a@b.test> was refused.|"
      "See also c@d.test]" },
    { SLICE_INIT("Recipient: <a@b.test>\r\nsee z@z.test\r\n"), SLICE_INIT(""),
      "a@b.test[Recipient: <a@b.test>|see z@z.test]" },
    /* a transcript: what was said stands before the line with the address */
    { SLICE_INIT("   ----- Transcript of session follows -----\r\n>>> MAIL From:<s@s.test>\r\n"
                 "<<< 501 no\r\n554 <a@b.test>... Remote protocol error\r\n"
                 "550 5.1.2 <c@d.test>... Host unknown\r\n"), SLICE_INIT(""),
      "a@b.test[>>> MAIL From:<s@s.test>\r\n<<< 501 no\r\n554 <a@b.test>... Remote protocol "
      "error] c@d.test[550 5.1.2 <c@d.test>... Host unknown]" },
    /* said twice, told once */
    { SLICE_INIT("a@b.test\r\nx\r\nA@B.test\r\ny\r\n"), SLICE_INIT(""),
      "a@b.test[a@b.test\r\nx|A@B.test\r\ny]" },
};

static void test_notices(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1 << 16);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_clear(&out);
        show(cases[i].content, cases[i].strangers, &out);
        if (!slice_equal(buffer_slice(&out), slice_from_string(cases[i].shown)))
            fail_msg("case %zu: %.*s", i, (int)buffer_len(&out), buffer_slice(&out).data);
    }
    buffer_free(&out);
}

static void test_truncated(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1 << 16);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t len = 0; len < cases[i].content.len; len++) {
            struct buffer exact;
            buffer_init(&exact, len + 1);
            buffer_append(&exact, slice_part(cases[i].content, 0, len));
            buffer_clear(&out);
            show(buffer_slice(&exact), cases[i].strangers, &out);
            assert_false(out.overflow);
            buffer_free(&exact);
        }
    buffer_free(&out);
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct { struct slice text; const char *address; } addresses[] = {
        { SLICE_INIT("<a@b.test>"), "a@b.test" },
        { SLICE_INIT("mailto:a.b+c@d-e.test."), "a.b+c@d-e.test" },
        { SLICE_INIT("'a@b.test'"), "a@b.test" },
        { SLICE_INIT("x \"a b..c\"@d.test"), "\"a b..c\"@d.test" },
        { SLICE_INIT("TO=a@b.test"), "TO=a@b.test" },
        { SLICE_INIT("@b.test then c@d"), "c@d" },
        { SLICE_INIT("a@ b@"), NULL },
        { SLICE_INIT("@@@@"), NULL },
        { SLICE_INIT(""), NULL },
    };
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct slice rest = addresses[i].text, address;
        bool found = notice_address_next(&rest, &address);
        assert_int_equal(found, addresses[i].address != NULL);
        if (found)
            assert_true(slice_equal(address, slice_from_string(addresses[i].address)));
    }
}

static void test_original(void **state)
{
    (void)state;
    struct arena arena;
    struct notice notice;
    arena_init(&arena, 1 << 20);
    assert_true(notice_read(SLICE("failed\r\n----- Original message -----\r\nTo: x\r\n"),
                            SLICE(""), &arena, &notice));
    assert_true(slice_equal(notice.text, SLICE("failed\r\n")));
    assert_true(slice_equal(notice.original, SLICE("To: x\r\n")));
    assert_true(notice_read(SLICE("failed\r\nReceived: by x\r\nTo: x\r\n"), SLICE(""), &arena,
                            &notice));
    assert_true(slice_equal(notice.original, SLICE("Received: by x\r\nTo: x\r\n")));
    arena_free(&arena);
    arena_init(&arena, 64);
    assert_false(notice_read(SLICE("a@b.test\r\n"), SLICE(""), &arena, &notice));
    arena_free(&arena);
}

static void test_too_many(void **state)
{
    (void)state;
    struct arena arena;
    struct notice notice;
    struct buffer content;
    buffer_init(&content, 1 << 20);
    arena_init(&arena, 1 << 20);
    for (int i = 0; i < NOTICE_RECIPIENTS_MAX + 5; i++)
        buffer_append_format(&content, "a%d@b.test: x\r\n", i);
    assert_true(notice_read(buffer_slice(&content), SLICE(""), &arena, &notice));
    assert_int_equal(notice.count, NOTICE_RECIPIENTS_MAX);
    arena_free(&arena);
    buffer_free(&content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notices), cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_original),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
