/* parts_test.c: the parts of messages, well formed and not. */
#include "wire/report/parts.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* One letter a part and its content: "T[text]S[Action: failed]". */
static void show(struct slice message, struct buffer *out)
{
    static const char letters[] = { 'T', 'H', 'S', 'F', 'M', 'R', 'O' };
    struct arena arena;
    struct report_parts parts;
    arena_init(&arena, REPORT_ARENA_BYTES);
    assert_true(report_parts_read(message, &arena, &parts));
    assert_true(parts.count >= 1 && parts.count <= REPORT_PARTS_MAX);
    for (size_t i = 0; i < parts.count; i++) {
        buffer_append_byte(out, letters[parts.parts[i].kind]);
        buffer_append_byte(out, '[');
        buffer_append(out, parts.parts[i].content);
        buffer_append_byte(out, ']');
    }
    if (parts.is_cut)
        buffer_append_byte(out, '+');
    arena_free(&arena);
}

static const struct { struct slice message; const char *shown; } cases[] = {
    { SLICE_INIT(""), "T[]" },
    { SLICE_INIT("A: b\n\ntext\n"), "T[text\r\n]" },
    { SLICE_INIT("no header at all\n"), "T[]" },
    { SLICE_INIT("Content-Type: text/html\n\n<p>"), "H[<p>]" },
    { SLICE_INIT("Content-Transfer-Encoding: Base64\n\naGVs\nbG8K\n"), "T[hello\r\n]" },
    { SLICE_INIT("Content-Type: multipart/report; report-type=x; boundary=\"b b\"\n\n"
                 "before\n--b b\n\nfor people\n--b b\nContent-Type: message/delivery-status\n\n"
                 "Action: failed\n\n--b b\nContent-Type: message/rfc822\n\nTo: x\n\n--b b--\nafter\n"),
      "T[for people]S[Action: failed\r\n]M[To: x\r\n]" },
    { SLICE_INIT("content-type: multipart/mixed;\n boundary=o\n\n--o\n"
                 "Content-Type: multipart/alternative; x=\"; boundary=no\"; boundary=i\n\n"
                 "--i\n\none\n--i\nContent-Type: text/html\n\ntwo\n--i--\nnothing\n--o\n\nthree\n--o--\n"),
      "T[one]H[two]T[three]" },
    /* an inner one that is never closed ends with the outer one */
    { SLICE_INIT("Content-Type: multipart/mixed; boundary=o\n\n--o\n"
                 "Content-Type: multipart/mixed; boundary=i\n\n--i\n\none\n--o\n\ntwo\n"),
      "T[one]T[two]" },
    { SLICE_INIT("Content-Type: multipart/mixed; boundary=never\n\n--other\n\nall\n"),
      "T[--other\r\n\r\nall\r\n]" },
    { SLICE_INIT("Content-Type: multipart/mixed\n\nno boundary\n"), "T[no boundary\r\n]" },
    { SLICE_INIT("Content-Type: multipart/mixed; boundary=a\n\n--ab\n--a\nX: y\n--a\n\nz\n--a--"),
      "T[]T[z]" },
    { SLICE_INIT("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\n"
                 "Content-Transfer-Encoding: base64\n\naGVsbG8=\n--b--"),
      "O[aGVsbG8=]" },
};

static void test_parts(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_clear(&out);
        show(cases[i].message, &out);
        if (!slice_equal(buffer_slice(&out), slice_from_string(cases[i].shown)))
            fail_msg("case %zu: %.*s", i, (int)buffer_len(&out), buffer_slice(&out).data);
    }
    buffer_free(&out);
}

/* Cut anywhere, a message still has parts, and nothing is read behind its end. */
static void test_truncated(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t len = 0; len < cases[i].message.len; len++) {
            struct buffer exact; /* so that a read too far is seen */
            buffer_init(&exact, len + 1);
            buffer_append(&exact, slice_part(cases[i].message, 0, len));
            buffer_clear(&out);
            show(buffer_slice(&exact), &out);
            assert_true(buffer_len(&out) >= 3);
            buffer_free(&exact);
        }
    buffer_free(&out);
}

static void test_too_many_parts(void **state)
{
    (void)state;
    struct buffer message;
    struct arena arena;
    struct report_parts parts;
    buffer_init(&message, 1 << 20);
    buffer_append(&message, SLICE("Content-Type: multipart/mixed; boundary=b\n\n"));
    for (size_t i = 0; i < REPORT_PARTS_MAX; i++)
        buffer_append(&message, SLICE("--b\n\nx\n"));
    arena_init(&arena, REPORT_ARENA_BYTES);
    assert_true(report_parts_read(buffer_slice(&message), &arena, &parts));
    assert_int_equal(parts.count, REPORT_PARTS_MAX);
    assert_false(parts.is_cut);
    buffer_append(&message, SLICE("--b\n\nx\n"));
    assert_true(report_parts_read(buffer_slice(&message), &arena, &parts));
    assert_int_equal(parts.count, REPORT_PARTS_MAX);
    assert_true(parts.is_cut);
    arena_free(&arena);
    buffer_free(&message);
}

/* HOSTILE 103: beyond the depth a multipart is text. */
static void test_too_deep(void **state)
{
    (void)state;
    struct buffer message;
    struct arena arena;
    struct report_parts parts;
    buffer_init(&message, 1 << 20);
    buffer_append(&message, SLICE("Content-Type: multipart/mixed; boundary=b0\n\n"));
    for (int i = 0; i < 1000; i++)
        buffer_append_format(&message, "--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n",
                             i, i + 1);
    buffer_append(&message, SLICE("--b1000\n\ndeep\n"));
    arena_init(&arena, REPORT_ARENA_BYTES);
    assert_true(report_parts_read(buffer_slice(&message), &arena, &parts));
    assert_int_equal(parts.count, 1);
    assert_int_equal(parts.parts[0].kind, REPORT_PART_TEXT);
    arena_free(&arena);
    buffer_free(&message);
}

static void test_no_room(void **state)
{
    (void)state;
    struct arena arena;
    struct report_parts parts;
    arena_init(&arena, 64);
    assert_false(report_parts_read(SLICE("A: b\n\ntext\n"), &arena, &parts));
    arena_free(&arena);
}

static void test_finding(void **state)
{
    (void)state;
    struct arena arena;
    struct report_parts parts;
    arena_init(&arena, REPORT_ARENA_BYTES);
    assert_true(report_parts_read(SLICE("Subject: a\n b\n\n"), &arena, &parts));
    assert_true(slice_equal(report_header_value(parts.header, SLICE("subject"), &arena),
                            SLICE("a b")));
    assert_int_equal(report_header_value(parts.header, SLICE("To"), &arena).len, 0);
    assert_non_null(report_parts_find(&parts, REPORT_PART_TEXT));
    assert_null(report_parts_find(&parts, REPORT_PART_STATUS));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts), cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_too_many_parts), cmocka_unit_test(test_too_deep),
        cmocka_unit_test(test_no_room), cmocka_unit_test(test_finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
