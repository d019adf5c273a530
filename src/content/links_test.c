/* links_test.c: URLs as a browser would ask for them, and what they are for. */
#include "content/links.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* What is found, parted by blanks; "*" before the one to verify with. */
static const struct { const char *type; const char *body; const char *found; } cases[] = {
    { "plain", "See https://w.test/Foo_(bar). Also (https://x.test/a?b=1&c=2)!",
      "https://w.test/Foo_(bar) https://x.test/a?b=1&c=2" },
    { "plain", "<https://x.test/very/long/\n broken?x=1&y=2>.", "https://x.test/very/long/broken?x=1&y=2" },
    { "plain", "https://x.test/?a=3D1&amp;b=3D2", "https://x.test/?a=1&b=2" },
    { "plain", "HTTP://x.test/a%20b, ftp://x.test/ mailto:a@b.test user@www.x.test http://",
      "HTTP://x.test/a%20b" },
    { "html", "<a href=' https://x.test/?a=1&amp;b=2\n'>x</a><a href='mailto:a@b.test'>m</a>"
              "<a href='#top'>t</a><img src='https://t.test/p.gif'>", "https://x.test/?a=1&b=2" },
    { "html", "<a href=https://x.test/u/1>Abmelden</a><a href=https://x.test/c/1>E-Mail bestätigen</a>"
              "<a href=https://x.test/c/1>https://x.test/c/1</a>",
      "https://x.test/u/1 *https://x.test/c/1" },
    { "html", "<map><area href=https://x.test/m></map><form action=https://x.test/f>"
              "<button formaction=https://x.test/b>x</button></form> https://bare.test/x.",
      "https://x.test/m https://x.test/f https://x.test/b https://bare.test/x" },
};

static void test_links(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena;
        struct content_message m;
        struct links links;
        struct buffer mail;
        struct buffer found;
        buffer_init(&mail, 1 << 16);
        buffer_init(&found, 1 << 16);
        arena_init(&arena, CONTENT_ARENA_BYTES);
        buffer_append_format(&mail, "Content-Type: text/%s; charset=utf-8\n\n%s", cases[i].type,
                             cases[i].body);
        assert_true(content_message_read(buffer_slice(&mail), &arena, &m));
        assert_true(links_find(&m, &arena, &links));
        for (size_t k = 0; k < links.count; k++) {
            if (k > 0)
                buffer_append_byte(&found, ' ');
            if (&links.items[k] == links.best)
                buffer_append_byte(&found, '*');
            buffer_append(&found, links.items[k].url);
        }
        if (!slice_equal(buffer_slice(&found), slice_from_string(cases[i].found)))
            fail_msg("case %zu: %.*s", i, (int)buffer_len(&found), buffer_slice(&found).data);
        arena_free(&arena);
        buffer_free(&found);
        buffer_free(&mail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_links) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
