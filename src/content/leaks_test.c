/* leaks_test.c: what templates leave behind, and what only looks like it. */
#include "content/leaks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* What leaks, with its place. */
static const struct { const char *mail; const char *found; } cases[] = {
    { "Subject: Hi {{ user.name }}\n\nDear %FIRSTNAME%, {% if x %}*|FNAME|* ${name} [[name]] #{name}",
      "subject:{{ user.name }} text:%FIRSTNAME% text:{% if x %} text:*|FNAME|* text:${name} "
      "text:[[name]] text:#{name}" },
    { "A: b\n\nHi undefined,\nTotal: null\nnumber: NaN\n[object Object] Hello None!",
      "text:undefined text:null text:NaN text:[object Object] text:None" },
    { "A: b\n\nThis is null and void. An undefined term. None of them. 100% OF 5%20A%2F. Grandma "
      "Nan. {x} [1] a[[]] $5 {{}} C# {1} 5 %OFF today", "" },
    { "Content-Type: text/html\n\n<style>a{b:{{x}}}</style><a href='https://x.test/{{id}}'>go</a>"
      "<p>Hi {{{name}}}</p><p>Price: undefined</p>",
      "href:{{id}} html:{{{name}}} html:undefined" },
};

static void test_leaks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena;
        struct content_message m;
        struct leaks leaks;
        struct buffer found;
        buffer_init(&found, 1 << 16);
        arena_init(&arena, CONTENT_ARENA_BYTES);
        assert_true(content_message_read(slice_from_string(cases[i].mail), &arena, &m));
        assert_true(leaks_find(&m, &arena, &leaks));
        for (size_t k = 0; k < leaks.count; k++) {
            buffer_append(&found, k == 0 ? SLICE("") : SLICE(" "));
            buffer_append(&found, leaks.items[k].where);
            buffer_append_byte(&found, ':');
            buffer_append(&found, leaks.items[k].what);
        }
        if (!slice_equal(buffer_slice(&found), slice_from_string(cases[i].found)))
            fail_msg("case %zu: %.*s", i, (int)buffer_len(&found), buffer_slice(&found).data);
        arena_free(&arena);
        buffer_free(&found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_leaks) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
