/* message_test.c: what people are shown of a message, and its parts by their places. */
#include "content/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char mail[] =
    "Return-Path: <bounce@x.test>\r\n"
    "From: =?utf-8?q?J=C3=B8rn?= <j@x.test>, root, Ann (not an address\r\n"
    "To: a@x.test,\r\n \"B, C\" <b@x.test>\r\n"
    "Subject: =?iso-8859-1?q?Gr=FC=DFe?= an\r\n alle\r\n"
    "Date: Tue, 1 Jul 2003 10:52:37 +0200\r\n"
    "Message-ID: <1@x.test>\r\n"
    "List-Unsubscribe: <mailto:u@x.test>, <https://x.test/u?a=1>\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
    "--c\r\nContent-Type: text/plain; charset=koi8-r\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=EB=CF=C4 one\r\ntwo\r\n"
    "--c\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hi<img src=cid:i></p>\r\n--c--\r\n"
    "--b\r\nContent-Type: image/png; name=p.png\r\nContent-ID: <i>\r\n"
    "Content-Disposition: inline\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\nUE5H\r\n"
    "--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=t.txt\r\n\r\n"
    "file\r\n--b--\r\n";

static void assert_text(struct slice text, const char *wanted)
{
    if (!slice_equal(text, slice_from_string(wanted)))
        fail_msg("'%.*s' is not '%s'", (int)text.len, text.data, wanted);
}

static void read_mail(const char *text, struct arena *arena, struct content_message *m)
{
    arena_init(arena, CONTENT_ARENA_BYTES);
    assert_true(content_message_read(slice_from_string(text), arena, m));
}

static void test_header(void **state)
{
    (void)state;
    struct arena arena;
    struct content_message m;
    read_mail(mail, &arena, &m);
    assert_text(m.subject, "Gr\xc3\xbc\xc3\x9f" "e an alle");
    assert_int_equal(m.from.count, 3);
    assert_text(m.from.items[0].name, "J\xc3\xb8rn");
    assert_text(m.from.items[0].address, "j@x.test");
    assert_text(m.from.items[1].address, "root");
    assert_text(m.from.items[2].address, "");
    assert_int_equal(m.to.count, 2);
    assert_text(m.to.items[1].name, "B, C");
    assert_true(m.has_date && m.zone_minutes == 120);
    assert_text(m.message_id, "1@x.test");
    assert_text(m.return_path, "bounce@x.test");
    assert_int_equal(m.unsubscribe.count, 2);
    assert_text(m.unsubscribe.links[1], "https://x.test/u?a=1");
    assert_text(slice_from_string(m.unsubscribe.failure), "");
    arena_free(&arena);
}

static void test_body(void **state)
{
    (void)state;
    struct arena arena;
    struct content_message m;
    struct buffer out;
    read_mail(mail, &arena, &m);
    assert_text(m.text, "\xd0\x9a\xd0\xbe\xd0\xb4 one\ntwo");
    assert_text(m.html, "<p>Hi<img src=cid:i></p>");
    assert_text(m.snippet, "\xd0\x9a\xd0\xbe\xd0\xb4 one two");
    assert_int_equal(m.file_count, 2);
    assert_int_equal(m.attachment_count, 1);
    const struct content_part *image = content_message_part(&m, SLICE("2"));
    assert_non_null(image);
    assert_text(image->content_id, "i");
    assert_text(image->filename, "p.png");
    buffer_init(&out, 100);
    content_decode_part(slice_from_string(mail), content_part_place(image), &out);
    assert_text(buffer_slice(&out), "PNG");
    assert_int_equal(image->size, 3);
    assert_non_null(content_message_part(&m, SLICE("1.0")));
    assert_text(content_message_part(&m, SLICE("1.2"))->type, "text/html");
    assert_text(content_message_part(&m, SLICE("3"))->filename, "t.txt");
    buffer_free(&out);
    arena_free(&arena);
}

/* The text, without the line ends that may stand behind it. */
static const struct { const char *html; const char *text; } pages[] = {
    { "<p>One <b>two</b></p><p>three<br>four", "One two\n\nthree\nfour" },
    { "<script>gone</script><span>1</span><span>2</span>", "12" },
    { "&lt;&amp;&eacute;", "<&\xc3\xa9" },
};

static void test_text_of_html(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct arena arena;
        struct content_message m;
        char text[512];
        snprintf(text, sizeof text, "Content-Type: text/html\n\n%s", pages[i].html);
        read_mail(text, &arena, &m);
        assert_true(m.is_text_made);
        while (m.text.len > 0 && m.text.data[m.text.len - 1] == '\n')
            m.text.len--;
        assert_text(m.text, pages[i].text);
        arena_free(&arena);
    }
}

static void test_truncated(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof mail; len++) {
        struct arena arena;
        struct content_message m;
        struct buffer exact;
        buffer_init(&exact, len + 1);
        buffer_append(&exact, slice_make(mail, len));
        arena_init(&arena, CONTENT_ARENA_BYTES);
        assert_true(content_message_read(buffer_slice(&exact), &arena, &m));
        for (size_t i = 0; i < m.tree.count; i++)
            assert_true(m.tree.parts[i].offset + m.tree.parts[i].length <= len);
        arena_free(&arena);
        buffer_free(&exact);
    }
}

/* gumbo would free such a tree by calling itself for each level. */
static void test_deep_html(void **state)
{
    (void)state;
    struct arena arena;
    struct content_message m;
    struct buffer text;
    buffer_init(&text, 1 << 22);
    buffer_append(&text, SLICE("Content-Type: text/html\n\n"));
    for (int i = 0; i < 200000; i++)
        buffer_append(&text, SLICE("<b><div>"));
    arena_init(&arena, CONTENT_ARENA_BYTES);
    assert_true(content_message_read(buffer_slice(&text), &arena, &m));
    arena_free(&arena);
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header), cmocka_unit_test(test_body),
        cmocka_unit_test(test_text_of_html), cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_deep_html),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
