/* content_test.c: where DATA ends, and that what goes out comes back as one message. */
#include "wire/smtp/content.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { EVERYTHING = 1 << 20 };

static const enum line_end_rule rules[] = { LINE_END_REJECT, LINE_END_CONVERT, LINE_END_KEEP };

/* Feeds `input` in pieces of `step` octets; true when the data ended, *out_left what
 * was not used then. */
static bool decode(struct content_decoder *d, struct slice input, size_t step,
                   struct buffer *out, size_t *out_left)
{
    while (input.len > 0) {
        struct slice part = slice_part(input, 0, step);
        input = slice_from(input, part.len);
        struct slice piece;
        enum content_step got;
        while ((got = content_decode(d, &part, &piece)) == CONTENT_PIECE) {
            assert_true(piece.len > 0);
            buffer_append(out, piece);
        }
        if (got == CONTENT_END) {
            *out_left = part.len + input.len;
            return true;
        }
        assert_int_equal(got, CONTENT_NEED_MORE);
        assert_int_equal(part.len, 0);
    }
    return false;
}

/* The encoder in pieces of `step`; false when it refused. */
static bool encode(enum line_end_rule rule, struct slice input, size_t step,
                   struct buffer *out)
{
    struct content_encoder e;
    struct slice piece;
    content_encoder_init(&e, rule);
    while (input.len > 0) {
        struct slice part = slice_part(input, 0, step);
        input = slice_from(input, part.len);
        enum content_step got;
        while ((got = content_encode(&e, &part, &piece)) == CONTENT_PIECE)
            buffer_append(out, piece);
        if (got == CONTENT_BAD) {
            assert_int_equal(content_encode(&e, &part, &piece), CONTENT_BAD);
            assert_int_equal(content_encode_last(&e, &piece), CONTENT_BAD);
            return false;
        }
    }
    if (content_encode_last(&e, &piece) == CONTENT_BAD)
        return false;
    buffer_append(out, piece);
    return true;
}

static void assert_buffer(struct buffer *b, struct slice want)
{
    if (!slice_equal(buffer_slice(b), want)) {
        struct buffer shown;
        buffer_init(&shown, EVERYTHING);
        buffer_append_escaped(&shown, buffer_slice(b));
        buffer_append_string(&shown, " is not ");
        buffer_append_escaped(&shown, want);
        buffer_append_byte(&shown, '\0');
        fail_msg("%s", buffer_slice(&shown).data);
    }
}

/* What a receiver could take for the end of the data if it were lenient. */
static bool has_any_end(struct slice s)
{
    static const char *const ends[] = {
        "\n.\n", "\r.\r", "\r.\n", "\n.\r\n.", "\r\r\n.\r", "\n.\r\r",
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (memmem(s.data, s.len, ends[i], strlen(ends[i])) != NULL)
            return true;
    return false;
}

/* Whatever was decoded, encoded again, is exactly one message of that content. */
static void assert_one_message_again(struct slice content)
{
    struct buffer wire, back;
    buffer_init(&wire, EVERYTHING);
    buffer_init(&back, EVERYTHING);
    for (size_t step = 1; step <= content.len + 1; step += step < 8 ? 1 : 97) {
        buffer_clear(&wire);
        assert_true(encode(LINE_END_CONVERT, content, step, &wire));
        struct slice sent = buffer_slice(&wire);
        assert_false(has_any_end(sent));
        struct content_decoder d;
        size_t left = 99;
        content_decoder_init_data(&d, LINE_END_REJECT);
        buffer_clear(&back);
        assert_true(decode(&d, sent, step, &back, &left));
        assert_int_equal(left, 0);
        assert_false(content_has_bare_line_end(&d.facts));
    }
    buffer_free(&wire);
    buffer_free(&back);
}

struct end_case {
    const char *data;
    size_t len;
    bool ends;            /* at all, and only with the true end at its end */
    const char *kept;     /* content under REJECT and KEEP */
    size_t kept_len;
    const char *converted;
    bool bare_cr, bare_lf, nul;
};

#define BYTES(text) text, sizeof(text) - 1

/* HOSTILE 1 to 12: each between a line and a smuggled command, then the true end. */
static const struct end_case end_cases[] = {
    { BYTES("a\n.\nMAIL\r\n.\r\n"), true, BYTES("a\n.\nMAIL\r\n"), "a\r\n.\r\nMAIL\r\n", false, true, false },
    { BYTES("a\n.\r\nMAIL\r\n.\r\n"), true, BYTES("a\n.\r\nMAIL\r\n"), "a\r\n.\r\nMAIL\r\n", false, true, false },
    { BYTES("a\r.\nMAIL\r\n.\r\n"), true, BYTES("a\r.\nMAIL\r\n"), "a\r\n.\r\nMAIL\r\n", true, true, false },
    { BYTES("a\n.\rMAIL\r\n.\r\n"), true, BYTES("a\n.\rMAIL\r\n"), "a\r\n.\r\nMAIL\r\n", true, true, false },
    { BYTES("a\r.\rMAIL\r\n.\r\n"), true, BYTES("a\r.\rMAIL\r\n"), "a\r\n.\r\nMAIL\r\n", true, false, false },
    { BYTES("a\r.\r\nMAIL\r\n.\r\n"), true, BYTES("a\r.\r\nMAIL\r\n"), "a\r\n.\r\nMAIL\r\n", true, false, false },
    { BYTES("a\r\n.\nMAIL\r\n.\r\n"), true, BYTES("a\r\n\nMAIL\r\n"), "a\r\n\r\nMAIL\r\n", false, true, false },
    { BYTES("a\r\n.\rMAIL\r\n.\r\n"), true, BYTES("a\r\n\rMAIL\r\n"), "a\r\n\r\nMAIL\r\n", true, false, false },
    { BYTES("a\r\n\0.\r\nMAIL\r\n.\r\n"), true, BYTES("a\r\n\0.\r\nMAIL\r\n"), NULL, false, false, true },
    { BYTES("a\r\n.\0\r\nMAIL\r\n.\r\n"), true, BYTES("a\r\n\0\r\nMAIL\r\n"), NULL, false, false, true },
    { BYTES("a\r\n.\r\r\nMAIL\r\n.\r\n"), true, BYTES("a\r\n\r\r\nMAIL\r\n"), "a\r\n\r\n\r\nMAIL\r\n", true, false, false },
    { BYTES("a\r\r\n.\r\r\nMAIL\r\n.\r\n"), true, BYTES("a\r\r\n\r\r\nMAIL\r\n"), "a\r\n\r\n\r\n\r\nMAIL\r\n", true, false, false },
    /* a true end behind a bare CR is one */
    { BYTES("a\r\r\n.\r\n"), true, BYTES("a\r\r\n"), "a\r\n\r\n", true, false, false },
    { BYTES("a\n\r\n.\r\n"), true, BYTES("a\n\r\n"), "a\r\n\r\n", false, true, false },
    /* HOSTILE 14 and the plain cases */
    { BYTES(".\r\n"), true, BYTES(""), "", false, false, false },
    { BYTES("\r\n.\r\n"), true, BYTES("\r\n"), "\r\n", false, false, false },
    { BYTES("..\r\n.\r\n"), true, BYTES(".\r\n"), ".\r\n", false, false, false },
    { BYTES("...\r\n..a\r\n.b\r\n.\r\n"), true, BYTES("..\r\n.a\r\nb\r\n"), "..\r\n.a\r\nb\r\n", false, false, false },
    { BYTES("a\r\n.\r"), false, BYTES("a\r\n"), "a\r\n", false, false, false },
    { BYTES("a\r\n."), false, BYTES("a\r\n"), "a\r\n", false, false, false },
    { BYTES("a.\r\n"), false, BYTES("a.\r\n"), "a.\r\n", false, false, false },
    { BYTES("\n.\r\n"), false, BYTES("\n.\r\n"), "\r\n.\r\n", false, true, false },
    { BYTES("\r.\r\n"), false, BYTES("\r.\r\n"), "\r\n.\r\n", true, false, false },
    { BYTES(".\n.\r\n"), false, BYTES("\n.\r\n"), "\r\n.\r\n", false, true, false },
    { BYTES(".\r.\r\n"), false, BYTES("\r.\r\n"), "\r\n.\r\n", true, false, false },
    { BYTES("x\n..\r\n"), false, BYTES("x\n..\r\n"), "x\r\n..\r\n", false, true, false },
};

static void check_end_case(const struct end_case *c, enum line_end_rule rule, size_t step)
{
    struct content_decoder d;
    struct buffer out;
    size_t left = 99;
    buffer_init(&out, EVERYTHING);
    content_decoder_init_data(&d, rule);
    assert_int_equal(decode(&d, slice_make(c->data, c->len), step, &out, &left), c->ends);
    if (c->ends)
        assert_int_equal(left, 0);
    struct slice want = slice_make(c->kept, c->kept_len);
    if (rule == LINE_END_CONVERT && c->converted != NULL)
        want = slice_from_string(c->converted);
    assert_buffer(&out, want);
    assert_int_equal(d.facts.size, want.len);
    assert_int_equal(d.facts.has_bare_cr, c->bare_cr);
    assert_int_equal(d.facts.has_bare_lf, c->bare_lf);
    assert_int_equal(d.facts.has_nul, c->nul);
    if (!c->nul)
        assert_one_message_again(buffer_slice(&out));
    buffer_free(&out);
}

static void only_the_true_end_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof end_cases / sizeof *end_cases; i++)
        for (size_t rule = 0; rule < 3; rule++)
            for (size_t step = 1; step <= end_cases[i].len; step++)
                check_end_case(&end_cases[i], rules[rule], step);
}

static void what_follows_the_end_stays(void **state)
{
    (void)state;
    struct slice input = SLICE("a\r\n.\r\nQUIT\r\n");
    struct slice piece;
    struct content_decoder d;
    content_decoder_init_data(&d, LINE_END_REJECT);
    assert_int_equal(content_decode(&d, &input, &piece), CONTENT_PIECE);
    assert_true(slice_equal(piece, SLICE("a\r\n")));
    assert_int_equal(content_decode(&d, &input, &piece), CONTENT_END);
    assert_true(slice_equal(input, SLICE("QUIT\r\n")));
    assert_int_equal(content_decode(&d, &input, &piece), CONTENT_END);
    assert_true(slice_equal(input, SLICE("QUIT\r\n")));
}

static void clean_lines_are_one_piece(void **state)
{
    (void)state;
    char text[8192];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : 'x';
    struct slice input = slice_make(text, sizeof text);
    struct slice piece;
    struct content_decoder d;
    content_decoder_init_data(&d, LINE_END_REJECT);
    assert_int_equal(content_decode(&d, &input, &piece), CONTENT_PIECE);
    assert_ptr_equal(piece.data, text);
    assert_int_equal(piece.len, sizeof text);
    assert_int_equal(d.facts.longest_line, 70);
    struct content_encoder e;
    content_encoder_init(&e, LINE_END_REJECT);
    input = slice_make(text, sizeof text);
    assert_int_equal(content_encode(&e, &input, &piece), CONTENT_PIECE);
    assert_ptr_equal(piece.data, text);
    assert_int_equal(piece.len, sizeof text);
}

static void facts_are_gathered(void **state)
{
    (void)state;
    static const struct {
        struct slice data;
        uint64_t longest;
        bool nul, high, crlf;
    } cases[] = {
        { SLICE_INIT(""), 0, false, false, false },
        { SLICE_INIT("abc"), 3, false, false, false },
        { SLICE_INIT("abc\r\n"), 3, false, false, true },
        { SLICE_INIT("abc\r\nlonger line\r\nx"), 11, false, false, false },
        { SLICE_INIT("0123456789abcdef\xc3\xa9\r\n"), 18, false, true, true },
        { SLICE_INIT("0123456789abcdef0\0\r\n"), 18, true, false, true },
        { SLICE_INIT("abc\r"), 3, false, false, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step <= cases[i].data.len + 1; step++) {
            struct content_decoder d;
            struct buffer out;
            size_t left;
            buffer_init(&out, EVERYTHING);
            content_decoder_init_bdat(&d, LINE_END_REJECT);
            assert_false(decode(&d, cases[i].data, step, &out, &left));
            assert_buffer(&out, cases[i].data);
            assert_int_equal(d.facts.longest_line, cases[i].longest);
            assert_int_equal(d.facts.has_nul, cases[i].nul);
            assert_int_equal(d.facts.has_8bit, cases[i].high);
            assert_int_equal(d.facts.ends_with_crlf, cases[i].crlf);
            assert_false(d.facts.has_bare_cr);
            buffer_free(&out);
        }
}

static void chunks_know_no_dots(void **state)
{
    (void)state;
    struct slice data = SLICE("a\r\n.\r\n..b\nc\r");
    static const struct slice want[] = {
        SLICE_INIT("a\r\n.\r\n..b\nc\r"), SLICE_INIT("a\r\n.\r\n..b\r\nc\r\n"),
        SLICE_INIT("a\r\n.\r\n..b\nc\r"),
    };
    for (size_t rule = 0; rule < 3; rule++)
        for (size_t step = 1; step <= data.len; step++) {
            struct content_decoder d;
            struct buffer out;
            size_t left;
            struct slice piece;
            buffer_init(&out, EVERYTHING);
            content_decoder_init_bdat(&d, rules[rule]);
            assert_false(decode(&d, data, step, &out, &left));
            assert_false(d.facts.has_bare_cr);
            while (content_decode_last(&d, &piece) == CONTENT_PIECE)
                buffer_append(&out, piece);
            assert_buffer(&out, want[rule]);
            assert_int_equal(d.facts.size, want[rule].len);
            assert_true(d.facts.has_bare_cr && d.facts.has_bare_lf);
            assert_int_equal(d.facts.ends_with_crlf, rules[rule] == LINE_END_CONVERT);
            assert_int_equal(content_decode_last(&d, &piece), CONTENT_END);
            buffer_free(&out);
        }
}

static void encoder_writes_what_is_meant(void **state)
{
    (void)state;
    static const struct {
        struct slice content;
        const char *rejecting;  /* NULL: refused */
        const char *converting;
    } cases[] = {
        { SLICE_INIT(""), ".\r\n", ".\r\n" },
        { SLICE_INIT("a"), "a\r\n.\r\n", "a\r\n.\r\n" },
        { SLICE_INIT("a\r\n"), "a\r\n.\r\n", "a\r\n.\r\n" },
        { SLICE_INIT("."), "..\r\n.\r\n", "..\r\n.\r\n" },
        { SLICE_INIT(".\r\n"), "..\r\n.\r\n", "..\r\n.\r\n" },
        { SLICE_INIT("a\r\n..\r\n.b"), "a\r\n...\r\n..b\r\n.\r\n", "a\r\n...\r\n..b\r\n.\r\n" },
        { SLICE_INIT("a\n.\r\nb"), NULL, "a\r\n..\r\nb\r\n.\r\n" },
        { SLICE_INIT("a\r.\rb"), NULL, "a\r\n..\r\nb\r\n.\r\n" },
        { SLICE_INIT("a\r"), NULL, "a\r\n.\r\n" },
        { SLICE_INIT("a\r\r\n"), NULL, "a\r\n\r\n.\r\n" },
        { SLICE_INIT("\r\n\0.\r\n"), NULL, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step <= cases[i].content.len + 1; step++)
            for (size_t rule = 0; rule < 2; rule++) {
                const char *want = rule == 0 ? cases[i].rejecting : cases[i].converting;
                struct buffer out;
                buffer_init(&out, EVERYTHING);
                assert_int_equal(encode(rules[rule], cases[i].content, step, &out),
                                 want != NULL);
                if (want != NULL)
                    assert_buffer(&out, slice_from_string(want));
                assert_int_equal(slice_find(buffer_slice(&out), '\0'), SLICE_NOT_FOUND);
                buffer_free(&out);
            }
}

/* Text of the octets that matter, cut at random: encoded and decoded it is itself,
 * however the two were fed. */
static void random_content_comes_back(void **state)
{
    (void)state;
    static const char *const words[] = { ".", "..", "a", "\r\n", "\r\n", "\r\n.", "x.\r\n",
                                         "0123456789abcdef", "\xc3\xa9", "\r\n..\r\n" };
    srand(20261122);
    for (int round = 0; round < 20000; round++) {
        struct buffer content, wire, back;
        buffer_init(&content, EVERYTHING);
        buffer_init(&wire, EVERYTHING);
        buffer_init(&back, EVERYTHING);
        for (int i = rand() % 12; i > 0; i--)
            buffer_append_string(&content, words[(size_t)rand() % 10]);
        assert_true(encode(LINE_END_REJECT, buffer_slice(&content),
                           (size_t)(1 + rand() % 40), &wire));
        struct content_decoder d;
        size_t left = 99;
        content_decoder_init_data(&d, rules[rand() % 3]);
        assert_true(decode(&d, buffer_slice(&wire), (size_t)(1 + rand() % 40), &back, &left));
        assert_int_equal(left, 0);
        if (buffer_len(&content) > 0 && !d.facts.ends_with_crlf)
            fail();
        struct slice body = buffer_slice(&content);
        if (body.len > 0 && (body.len < 2 || body.data[body.len - 1] != '\n'))
            buffer_append(&content, SLICE("\r\n"));
        assert_buffer(&back, buffer_slice(&content));
        buffer_free(&content);
        buffer_free(&wire);
        buffer_free(&back);
    }
}

/* Any octets at all: the result does not depend on how they were cut, and converted
 * content is one message again. */
static void cutting_changes_nothing(void **state)
{
    (void)state;
    static const char octets[] = ".\r\n\r\n.a";
    srand(7);
    for (int round = 0; round < 20000; round++) {
        char data[24];
        size_t len = (size_t)rand() % sizeof data;
        for (size_t i = 0; i < len; i++)
            data[i] = octets[(size_t)rand() % (sizeof octets - 1)];
        for (size_t rule = 0; rule < 3; rule++) {
            struct content_decoder whole, cut;
            struct buffer first, second;
            size_t left = 0, left_cut = 0;
            buffer_init(&first, EVERYTHING);
            buffer_init(&second, EVERYTHING);
            content_decoder_init_data(&whole, rules[rule]);
            content_decoder_init_data(&cut, rules[rule]);
            bool ended = decode(&whole, slice_make(data, len), len + 1, &first, &left);
            assert_int_equal(decode(&cut, slice_make(data, len), (size_t)(1 + rand() % 3),
                                    &second, &left_cut), ended);
            assert_int_equal(left, left_cut);
            assert_buffer(&second, buffer_slice(&first));
            assert_memory_equal(&whole.facts, &cut.facts, sizeof whole.facts);
            const char *end = memmem(data, len, "\r\n.\r\n", 5);
            bool at_front = len >= 3 && memcmp(data, ".\r\n", 3) == 0;
            assert_int_equal(ended, end != NULL || at_front);
            if (ended)
                assert_int_equal(left, at_front ? len - 3 : len - 5 - (size_t)(end - data));
            if (ended && rules[rule] == LINE_END_CONVERT)
                assert_one_message_again(buffer_slice(&first));
            buffer_free(&first);
            buffer_free(&second);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_true_end_ends),
        cmocka_unit_test(what_follows_the_end_stays),
        cmocka_unit_test(clean_lines_are_one_piece),
        cmocka_unit_test(facts_are_gathered),
        cmocka_unit_test(chunks_know_no_dots),
        cmocka_unit_test(encoder_writes_what_is_meant),
        cmocka_unit_test(random_content_comes_back),
        cmocka_unit_test(cutting_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
