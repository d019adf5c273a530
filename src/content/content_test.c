/* content_test.c: trees of parts, and messages that nobody may take apart. */
#include "content/tree.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* "multipart/mixed(text/plain:5 message/rfc822(text/html:3))", in preorder. */
static void show(struct slice message, struct buffer *out)
{
    struct arena arena;
    struct content_tree tree;
    unsigned depth = 0;
    arena_init(&arena, CONTENT_ARENA_BYTES);
    assert_true(content_tree_read(message, &arena, &tree));
    assert_true(tree.count >= 1 && tree.count <= CONTENT_PARTS_MAX);
    for (size_t i = 0; i < tree.count; i++) {
        const struct content_part *p = &tree.parts[i];
        assert_true(i == 0 ? p->parent == CONTENT_NO_PARENT : p->parent < i);
        for (; depth > p->depth; depth--)
            buffer_append_byte(out, ')');
        buffer_append(out, i == 0 ? SLICE("") : p->depth > depth ? SLICE("(") : SLICE(" "));
        depth = p->depth;
        buffer_append(out, p->type);
        if (!p->has_parts)
            buffer_append_format(out, ":%u", (unsigned)p->size);
    }
    for (; depth > 0; depth--)
        buffer_append_byte(out, ')');
    if (tree.verdict != CONTENT_FITS)
        buffer_append_format(out, " %s", content_verdict_text(tree.verdict));
    arena_free(&arena);
}

static const struct { struct slice message; const char *shown; } cases[] = {
    { SLICE_INIT(""), "text/plain:0" },
    { SLICE_INIT("A: b\n\nhello"), "text/plain:5" },
    { SLICE_INIT("Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n"),
      "text/html:5" },
    { SLICE_INIT("Content-Type: Multipart/Mixed; boundary=\"b\"\n\n--b\n\none\n--b\n"
                 "Content-Type: message/rfc822\n\nSubject: x\nContent-Type: text/html\n\n<p>\n"
                 "--b\nContent-Type: image/gif\n\nGIF\n--b--\n"),
      "multipart/mixed(text/plain:3 message/rfc822(text/html:3) image/gif:3)" },
    { SLICE_INIT("Content-Type: message/external-body; access-type=local-file; name=\"/etc/passwd\""
                 "\n\nContent-Type: text/plain\n\n"), "message/external-body:26" },
};

static void test_trees(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1 << 16);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_clear(&out);
        show(cases[i].message, &out);
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
        for (size_t len = 0; len < cases[i].message.len; len++) {
            struct buffer exact;
            buffer_init(&exact, len + 1);
            buffer_append(&exact, slice_part(cases[i].message, 0, len));
            buffer_clear(&out);
            show(buffer_slice(&exact), &out);
            assert_true(buffer_len(&out) > 0);
            buffer_free(&exact);
        }
    buffer_free(&out);
}

/* HOSTILE 105: what is decoded makes no lines of its own, and is cut. */
static void test_words(void **state)
{
    (void)state;
    struct arena arena;
    struct content_tree tree;
    struct buffer message;
    arena_init(&arena, CONTENT_ARENA_BYTES);
    assert_true(content_tree_read(SLICE("Subject: =?utf-8?q?a=0D=0ABcc:_x=00=C3=A9?=\n"
                                        "From: =?iso-8859-1?q?J=F8rn?= <j@x.test>\n\n"),
                                  &arena, &tree));
    assert_null(memchr(tree.header.subject.data, '\n', tree.header.subject.len));
    assert_true(slice_starts_with_nocase(tree.header.subject, SLICE("a??Bcc: x")));
    assert_true(slice_equal(tree.header.from, SLICE("J\xc3\xb8rn <j@x.test>")));
    buffer_init(&message, 1 << 20);
    buffer_append(&message, SLICE("Subject: "));
    for (int i = 0; i < 6000; i++)
        buffer_append(&message, SLICE("=?u?q?a?=\n "));
    buffer_append(&message, SLICE("\n\nx"));
    assert_int_equal(content_guard(buffer_slice(&message)), CONTENT_HEADER_TOO_LARGE);
    arena_free(&arena);
    buffer_free(&message);
}

/* Each level is `before`, its number, `between`, its number again, a line end. */
static enum content_verdict nested(const char *before, const char *between, int levels)
{
    struct buffer message;
    buffer_init(&message, 1 << 20);
    for (int i = 0; i < levels; i++)
        buffer_append_format(&message, "%s%d%s%d\n", before, i, between, i);
    buffer_append(&message, SLICE("\nx\n"));
    enum content_verdict verdict = content_guard(buffer_slice(&message));
    buffer_free(&message);
    return verdict;
}

/* HOSTILE 103: 100 levels, and one more. */
static void test_depth(void **state)
{
    (void)state;
    static const char multipart[] = "Content-Type: multipart/mixed; boundary=b";
    static const char folded[] = "CONTENT-TYPE :\n multipart/mixed;\n boundary = b";
    static const char message[] = "Content-Type: message/rfc822\nX-";
    assert_int_equal(nested(multipart, "\n\n--b", CONTENT_DEPTH_MAX), CONTENT_FITS);
    assert_int_equal(nested(multipart, "\n\n--b", CONTENT_DEPTH_MAX + 1), CONTENT_TOO_DEEP);
    assert_int_equal(nested(folded, "\n\n--b", CONTENT_DEPTH_MAX + 1), CONTENT_TOO_DEEP);
    assert_int_equal(nested(message, ": x\n\nX: ", CONTENT_DEPTH_MAX), CONTENT_FITS);
    assert_int_equal(nested(message, ": x\n\nX: ", CONTENT_DEPTH_MAX + 1), CONTENT_TOO_DEEP);
}

/* Side by side is not in one another. */
static void test_width(void **state)
{
    (void)state;
    struct buffer message;
    struct arena arena;
    struct content_tree tree;
    buffer_init(&message, 1 << 20);
    buffer_append(&message, SLICE("Content-Type: multipart/mixed; boundary=b\n\n"));
    for (int i = 0; i < CONTENT_PARTS_MAX; i++)
        buffer_append(&message, SLICE("--b\n\nx\n"));
    assert_int_equal(content_guard(buffer_slice(&message)), CONTENT_FITS);
    buffer_append(&message, SLICE("--b\n\nx\n"));
    arena_init(&arena, CONTENT_ARENA_BYTES);
    assert_true(content_tree_read(buffer_slice(&message), &arena, &tree));
    assert_int_equal(tree.verdict, CONTENT_TOO_MANY_PARTS);
    assert_int_equal(tree.count, 1);
    assert_false(tree.parts[0].has_parts);
    assert_int_equal(tree.parts[0].size, buffer_len(&message));
    buffer_clear(&message);
    for (int i = 0; i < 200; i++)
        buffer_append_format(&message, "%s--b\nContent-Type: multipart/mixed; boundary=c%d\n\n"
                             "--c%d\n\nx\n--c%d--\n",
                             i == 0 ? "Content-Type: multipart/mixed; boundary=b\n\n" : "", i, i, i);
    assert_int_equal(content_guard(buffer_slice(&message)), CONTENT_FITS);
    arena_free(&arena);
    buffer_free(&message);
}

/* A text with many lines of dashes has no parts. */
static void test_dashes(void **state)
{
    (void)state;
    struct buffer message;
    buffer_init(&message, 1 << 20);
    buffer_append(&message, SLICE("Subject: dump\n\n"));
    for (int i = 0; i < 2 * CONTENT_PARTS_MAX; i++)
        buffer_append(&message, SLICE("-- x\n"));
    assert_int_equal(content_guard(buffer_slice(&message)), CONTENT_FITS);
    buffer_free(&message);
}

static void test_no_room(void **state)
{
    (void)state;
    struct arena arena;
    struct content_tree tree;
    arena_init(&arena, 64);
    assert_false(content_tree_read(SLICE("A: b\n\n"), &arena, &tree));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees), cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_words), cmocka_unit_test(test_depth),
        cmocka_unit_test(test_width), cmocka_unit_test(test_dashes),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
