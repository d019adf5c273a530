/* canonical_test.c: the examples of RFC 6376 3.4.5 and the edges, whole and in pieces. */
#include "wire/message/canonical.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void keep(void *context, struct slice octets)
{
    buffer_append(context, octets);
}

static void check_body(enum canonical_kind kind, struct slice body, struct slice want)
{
    for (size_t step = 1; step <= body.len + 1; step++) {
        struct canonical_body canonical;
        struct buffer out;
        buffer_init(&out, 1 << 16);
        struct canonical_sink sink = { .take = keep, .context = &out };
        canonical_body_init(&canonical, kind);
        for (size_t at = 0; at < body.len; at += step)
            canonical_body_push(&canonical, slice_part(body, at, step), &sink);
        canonical_body_finish(&canonical, &sink);
        if (!slice_equal(buffer_slice(&out), want))
            fail_msg("kind %d step %zu: '%.*s'", kind, step, (int)body.len, body.data);
        buffer_free(&out);
    }
}

static void bodies(void **state)
{
    (void)state;
    static const struct { struct slice body, simple, relaxed; } rows[] = {
        { SLICE_INIT(" C \r\nD \t E\r\n\r\n\r\n"), SLICE_INIT(" C \r\nD \t E\r\n"),
          SLICE_INIT(" C\r\nD E\r\n") },
        { SLICE_INIT(""), SLICE_INIT("\r\n"), SLICE_INIT("") },
        { SLICE_INIT("\r\n\r\n"), SLICE_INIT("\r\n"), SLICE_INIT("") },
        { SLICE_INIT(" \t"), SLICE_INIT(" \t\r\n"), SLICE_INIT("") },
        { SLICE_INIT("a"), SLICE_INIT("a\r\n"), SLICE_INIT("a\r\n") },
        { SLICE_INIT("a\r\n \t\r\n"), SLICE_INIT("a\r\n \t\r\n"), SLICE_INIT("a\r\n") },
        { SLICE_INIT("\r\n\r\na \r\n\r\nb"), SLICE_INIT("\r\n\r\na \r\n\r\nb\r\n"),
          SLICE_INIT("\r\n\r\na\r\n\r\nb\r\n") },
        /* only CRLF ends a line */
        { SLICE_INIT("a \nb \rc \r"), SLICE_INIT("a \nb \rc \r\r\n"),
          SLICE_INIT("a \nb \rc \r\r\n") },
        { SLICE_INIT("a\r\r\n"), SLICE_INIT("a\r\r\n"), SLICE_INIT("a\r\r\n") },
        { SLICE_INIT("\r"), SLICE_INIT("\r\r\n"), SLICE_INIT("\r\r\n") },
        { SLICE_INIT("\r \r\n"), SLICE_INIT("\r \r\n"), SLICE_INIT("\r\r\n") },
        { SLICE_INIT("\0\xff\xe4 \v\r\n"), SLICE_INIT("\0\xff\xe4 \v\r\n"),
          SLICE_INIT("\0\xff\xe4 \v\r\n") },
        { SLICE_INIT("a" "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n" " b"),
          SLICE_INIT("a" "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n" " b\r\n"),
          SLICE_INIT("a" "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n" " b\r\n") },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_body(CANONICAL_SIMPLE, rows[i].body, rows[i].simple);
        check_body(CANONICAL_RELAXED, rows[i].body, rows[i].relaxed);
    }
}

static void check_field(const char *text, enum canonical_kind kind, const char *without,
                        const char *want)
{
    struct cursor c = cursor_over(slice_from_string(text));
    struct header_field field;
    struct buffer out;
    buffer_init(&out, 4096);
    assert_int_equal(header_next(&c, &field), HEADER_FIELD);
    struct slice cut = slice_make(NULL, 0);
    if (without != NULL)
        cut = slice_make(strstr(text, without), strlen(without));
    canonical_append_field(&out, kind, &field, cut);
    if (!slice_equal(buffer_slice(&out), slice_from_string(want)))
        fail_msg("%s: '%.*s'", text, (int)buffer_len(&out), buffer_slice(&out).data);
    buffer_free(&out);
}

static void fields(void **state)
{
    (void)state;
    static const struct { const char *text, *without, *simple, *relaxed; } rows[] = {
        { "A: X\r\n", NULL, "A: X\r\n", "a:X\r\n" },
        { "B : Y\t\r\n\tZ  \r\n", NULL, "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n" },
        { "Empty:\r\n", NULL, "Empty:\r\n", "empty:\r\n" },
        { "Empty: \t\r\n \r\n", NULL, "Empty: \t\r\n \r\n", "empty:\r\n" },
        { "NoEnd: x", NULL, "NoEnd: x\r\n", "noend:x\r\n" },
        { "S: a=1; b=QUJD; c", "QUJD", "S: a=1; b=; c\r\n", "s:a=1; b=; c\r\n" },
        { "S: a=1;\r\n b= QU\r\n JD \r\n", " QU\r\n JD ", "S: a=1;\r\n b=\r\n",
          "s:a=1; b=\r\n" },
        { "8: \xe4\x01 \xff\r\n", NULL, "8: \xe4\x01 \xff\r\n", "8:\xe4\x01 \xff\r\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_field(rows[i].text, CANONICAL_SIMPLE, rows[i].without, rows[i].simple);
        check_field(rows[i].text, CANONICAL_RELAXED, rows[i].without, rows[i].relaxed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies),
        cmocka_unit_test(fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
