/* downgrade_test.c: messages and what becomes of them, whole and byte by byte; bodies of
 * random octets that must come back when they are decoded. */
#include "wire/message/downgrade.h"

#include "base/ascii.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static bool pass(struct downgrade *d, struct slice message, size_t step, struct buffer *out)
{
    bool good = true;
    for (size_t at = 0; at < message.len && good; at += step)
        good = downgrade_push(d, slice_part(message, at, step), out);
    good = good && downgrade_finish(d, out);
    downgrade_free(&d);
    downgrade_free(&d);
    return good;
}

/* Both passes; false when it cannot be done. */
static bool convert(struct slice message, size_t step, struct buffer *out)
{
    struct downgrade_plan plan = { .any = false };
    buffer_clear(out);
    if (!pass(downgrade_scan_new(&plan), message, step, NULL))
        return false;
    assert_true(pass(downgrade_convert_new(&plan), message, step, out));
    return true;
}

static void check(struct slice message, const char *want)
{
    static const size_t steps[] = { 1000000, 1, 2, 7 };
    struct buffer out;
    buffer_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        bool done = convert(message, steps[i], &out);
        if (done != (want != NULL))
            fail_msg("done %d: %.*s", done, (int)message.len, message.data);
        buffer_append_byte(&out, '\0');
        if (done)
            assert_string_equal(buffer_slice(&out).data, want);
    }
    buffer_free(&out);
}

#define PLAIN "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
#define QP "Content-Transfer-Encoding: quoted-printable\r\n"
#define B64 "Content-Transfer-Encoding: base64\r\n"
#define SEVEN "Content-Transfer-Encoding: 7bit\r\n"
#define EIGHT "Content-Transfer-Encoding: 8bit\r\n"
#define MIXED "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"

static const struct row {
    const char *message;
    const char *want; /* NULL: cannot be done */
} rows[] = {
    /* one body */
    { PLAIN EIGHT "\r\n\xc3\xa4=\r\n", PLAIN QP "\r\n=C3=A4=3D\r\n" },
    { PLAIN "Content-Transfer-Encoding:\r\n 8BIT (x)\r\nX: y\r\n\r\n\xc3\xa4",
      PLAIN "X: y\r\n" QP "\r\n=C3=A4" },
    { PLAIN "\r\n\xe4 \r\n\t\r\nx\t", PLAIN QP "\r\n=E4=20\r\n=09\r\nx=09" },
    { PLAIN SEVEN "\r\n\xe4 b\r\n", PLAIN QP "\r\n=E4 b\r\n" },
    { "\r\n\xe4\r\n", "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit"
      "\r\n" QP "\r\n=E4\r\n" },
    { "Subject: x\r\n\r\n\xe4\r\n", "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: "
      "text/plain; charset=unknown-8bit\r\n" QP "\r\n=E4\r\n" },
    { "content-type: Image/x\r\nmime-version : 1.0\r\n\r\n\xff\xfe\r\n",
      "content-type: Image/x\r\nmime-version : 1.0\r\n" B64 "\r\n//4NCg==\r\n" },
    { "Content-Type: image/x\r\n\r\n\xff", "Content-Type: image/x\r\nMIME-Version: 1.0\r\n"
      B64 "\r\n/w==\r\n" },
    /* nothing to code */
    { PLAIN "\r\nabc \r\n--b\r\n", PLAIN "\r\nabc \r\n--b\r\n" },
    { PLAIN EIGHT "\r\nabc\r\n", PLAIN SEVEN "\r\nabc\r\n" },
    { PLAIN QP "\r\n=E4\r\n", PLAIN QP "\r\n=E4\r\n" },
    { "", "" },
    { "Subject: x", "Subject: x" },
    { "Subject: x\r\n", "Subject: x\r\n" },
    { EIGHT, "MIME-Version: 1.0\r\n" SEVEN },
    { "\r\n", "\r\n" },
    { "\r\n\r\r\n\n\r", "\r\n\r\r\n\n\r" },
    /* it cannot be done */
    { "Subject: \xc3\xa4\r\n\r\nx\r\n", NULL },
    { PLAIN QP "\r\n\xe4\r\n", NULL },
    { PLAIN "Content-Transfer-Encoding: x-uu\r\n\r\n\xe4\r\n", NULL },
    { PLAIN "Content-Type: text/html\r\n\r\n\xe4\r\n", NULL },
    { "Content-Type: multipart/mixed\r\n\r\n\xe4\r\n", NULL },
    { "Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n\xe4\r\n", NULL },
    { "Content-Type: message/partial; id=x\r\n\r\n\xe4\r\n", NULL },
    { "Content-Type: nonsense\r\n\r\n\xe4\r\n", NULL },
    { MIXED "\r\n--b\r\nContent-Disposition: x; filename=\"\xe4\"\r\n\r\nx\r\n--b--\r\n", NULL },
    { MIXED "\r\n--b\r\n\r\nx\r\n--bc\r\n\r\n\xe4\r\n--b--\r\n", NULL },
    { "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n" EIGHT "\r\n\xe4\r\n--b--\r\n",
      NULL },
    /* multiparts */
    { MIXED EIGHT "\r\npre\xe4\r\n--b\r\n" EIGHT "\r\n\xe4\r\n--b \r\nContent-Type: a/b\r\n\r\n"
      "\xff\r\n\r\n--b\r\n\r\nplain\r\n--b--\r\n\xe4" "epilogue",
      MIXED SEVEN "\r\npre?\r\n--b\r\nContent-Type: text/plain; charset=unknown-8bit\r\n" QP
      "\r\n=E4\r\n--b \r\nContent-Type: a/b\r\n" B64 "\r\n/w0K\r\n--b\r\n\r\nplain\r\n--b--\r\n"
      "?epilogue" },
    { MIXED "\r\n--b\r\n--b\r\nX: y\r\n--b--", MIXED "\r\n--b\r\n--b\r\nX: y\r\n--b--" },
    { MIXED "\r\n--b\r\nContent-Type: a/b\r\n\r\n\xff\r\n--b--",
      MIXED "\r\n--b\r\nContent-Type: a/b\r\n" B64 "\r\n/w==\r\n--b--" },
    { "MIME-Version: 1.0\r\nContent-Type: multipart/x; (c) boundary = \"b \\\"c\"\r\n\r\n"
      "--b \"c\r\nContent-Type: text/x\r\n\r\n\xe4\r\n--b \"c--\r\n",
      "MIME-Version: 1.0\r\nContent-Type: multipart/x; (c) boundary = \"b \\\"c\"\r\n\r\n"
      "--b \"c\r\nContent-Type: text/x\r\n" QP "\r\n=E4\r\n--b \"c--\r\n" },
    { "Content-Type: multipart/x; boundary=a=b\r\n\r\n--a=b\r\nContent-Type: text/x\r\n\r\n\xe4",
      "Content-Type: multipart/x; boundary=a=b\r\nMIME-Version: 1.0\r\n\r\n--a=b\r\n"
      "Content-Type: text/x\r\n" QP "\r\n=E4" },
    /* one in another; the outer boundary ends both */
    { MIXED "\r\n--b\r\nContent-Type: multipart/x; boundary=bc\r\n\r\n--bc\r\n"
      "Content-Type: text/x\r\n\r\n\xe4\r\n--b\r\nContent-Type: text/x\r\n\r\n\xe4\r\n--bc\r\n"
      "--b--\r\n", NULL },
    { MIXED "\r\n--b\r\nContent-Type: multipart/x; boundary=bc\r\n\r\n--bc\r\n"
      "Content-Type: text/x\r\n\r\n\xe4\r\n--b\r\nContent-Type: text/x\r\n\r\n\xe4\r\n--b--\r\n",
      MIXED "\r\n--b\r\nContent-Type: multipart/x; boundary=bc\r\n\r\n--bc\r\n"
      "Content-Type: text/x\r\n" QP "\r\n=E4\r\n--b\r\nContent-Type: text/x\r\n" QP
      "\r\n=E4\r\n--b--\r\n" },
    /* beside what is signed, and the label in it that must stay */
    { MIXED "\r\n--b\r\nContent-Type: multipart/signed; boundary=s\r\n" EIGHT "\r\n--s\r\n" EIGHT
      "\r\nx\r\n--s--\r\n--b\r\nContent-Type: text/x\r\n\r\n\xe4\r\n--b--\r\n",
      MIXED "\r\n--b\r\nContent-Type: multipart/signed; boundary=s\r\n" SEVEN "\r\n--s\r\n" EIGHT
      "\r\nx\r\n--s--\r\n--b\r\nContent-Type: text/x\r\n" QP "\r\n=E4\r\n--b--\r\n" },
    /* messages inside */
    { "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n" EIGHT "\r\nSubject: in\r\n\r\n\xe4",
      "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n" SEVEN "\r\nSubject: in\r\n"
      "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n" QP "\r\n=E4" },
    { "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\nSubject: \xe4\r\n\r\nx", NULL },
    { "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n" B64 "\r\n\xe4", NULL },
    { "MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"
      "Subject: a\r\n" EIGHT "\r\n\xe4\r\n--b--\r\n",
      "MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"
      "Subject: a\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
      QP "\r\n=E4\r\n--b--\r\n" },
};

static void messages_become_7bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check(slice_from_string(rows[i].message), rows[i].want);
}

static void limits_hold(void **state)
{
    (void)state;
    struct buffer in;
    struct buffer out;
    buffer_init(&in, 1 << 20);
    buffer_init(&out, 1 << 20);
    /* multiparts in one another: the last that is walked into, and one more */
    for (unsigned depth = DOWNGRADE_DEPTH_MAX; depth <= DOWNGRADE_DEPTH_MAX + 1; depth++) {
        buffer_clear(&in);
        for (unsigned i = 0; i < depth; i++)
            buffer_append_format(&in, "Content-Type: multipart/x; boundary=\"x%ux\"\r\n\r\n"
                                 "--x%ux\r\n", i, i);
        buffer_append(&in, SLICE("\r\n\xe4\r\n"));
        assert_int_equal(convert(buffer_slice(&in), 1000, &out),
                         depth == DOWNGRADE_DEPTH_MAX);
    }
    buffer_clear(&in);
    buffer_append(&in, SLICE(MIXED "\r\n"));
    for (unsigned i = 0; i < DOWNGRADE_ENTITIES_MAX - 1; i++)
        buffer_append(&in, SLICE("--b\r\n\r\n\xe4\r\n"));
    assert_true(convert(buffer_slice(&in), 1000, &out));
    buffer_append(&in, SLICE("--b\r\n"));
    assert_false(convert(buffer_slice(&in), 1000, &out));
    for (unsigned len = DOWNGRADE_FIELD_MAX - 16; len < DOWNGRADE_FIELD_MAX; len += 15) {
        buffer_clear(&in);
        buffer_append(&in, SLICE("Content-Type: "));
        for (size_t i = buffer_len(&in); i < len; i++)
            buffer_append_byte(&in, 'a');
        buffer_append(&in, SLICE("\r\n\r\n"));
        assert_int_equal(convert(buffer_slice(&in), 1000, &out),
                         len < DOWNGRADE_FIELD_MAX - 2);
    }
    buffer_free(&in);
    buffer_free(&out);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

/* Decodes as a reader would; lines over 76 fail. */
static void decode_quoted(struct slice text, struct buffer *out)
{
    size_t column = 0;
    for (size_t i = 0; i < text.len; i++) {
        struct slice rest = slice_from(text, i);
        column++;
        if (slice_equal(slice_part(rest, 0, 3), SLICE("=\r\n"))) {
            assert_true(column <= 76);
            column = 0;
            i += 2;
        } else if (rest.data[0] == '=') {
            buffer_append_byte(out, (char)(ascii_hex_value(rest.data[1]) * 16 +
                                           ascii_hex_value(rest.data[2])));
            column += 2;
            i += 2;
        } else if (slice_equal(slice_part(rest, 0, 2), SLICE("\r\n"))) {
            assert_true(i == 0 || !ascii_is_blank(text.data[i - 1]));
            buffer_append(out, SLICE("\r\n"));
            column = 0;
            i++;
        } else {
            assert_true(rest.data[0] >= 32 || rest.data[0] == '\t');
            buffer_append_byte(out, rest.data[0]);
        }
        assert_true(column <= 76);
    }
}

static void decode_base64(struct slice text, struct buffer *out)
{
    static const struct slice digits =
        SLICE_INIT("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    struct slice line;
    while (slice_split(&text, '\n', &line)) {
        assert_true(line.len > 0 && line.len <= 77 && line.data[line.len - 1] == '\r');
        assert_int_equal((line.len - 1) % 4, 0);
        for (size_t i = 0; i + 4 < line.len; i += 4) {
            uint32_t bits = 0;
            unsigned pads = 0;
            for (size_t k = i; k < i + 4; k++) {
                pads += line.data[k] == '=';
                size_t digit = slice_find(digits, line.data[k]);
                bits = bits << 6 | (digit == SLICE_NOT_FOUND ? 0 : (uint32_t)digit);
            }
            for (unsigned k = 0; k < 3 - pads; k++)
                buffer_append_byte(out, (char)(bits >> (16 - 8 * k)));
        }
    }
}

static void bodies_come_back(void **state)
{
    static const struct slice odd[] = {
        SLICE_INIT("\r\n"), SLICE_INIT("\r\n"), SLICE_INIT(" "), SLICE_INIT("\t"),
        SLICE_INIT("\r"), SLICE_INIT("\n"), SLICE_INIT("="), SLICE_INIT("\xff"),
        SLICE_INIT("word"), SLICE_INIT("--"), SLICE_INIT("."),
    };
    struct buffer in;
    struct buffer out;
    struct buffer back;
    uint32_t seed = 1;
    (void)state;
    buffer_init(&in, 1 << 16);
    buffer_init(&out, 1 << 18);
    buffer_init(&back, 1 << 18);
    for (unsigned round = 0; round < 4000; round++) {
        bool is_text = round % 2 == 0;
        buffer_clear(&in);
        buffer_clear(&back);
        buffer_append_string(&in, is_text ? "Content-Type: text/x\r\n\r\n"
                                          : "Content-Type: image/x\r\n\r\n");
        size_t body_at = buffer_len(&in);
        buffer_append_byte(&in, '\xe4');
        for (uint32_t i = next_random(&seed) % 400; i > 0; i--)
            if (next_random(&seed) % 2 == 0)
                buffer_append(&in, odd[next_random(&seed) % (sizeof odd / sizeof odd[0])]);
            else
                buffer_append_byte(&in, (char)next_random(&seed));
        assert_true(convert(buffer_slice(&in), 1 + next_random(&seed) % 600, &out));
        struct slice made = buffer_slice(&out);
        struct slice end = SLICE("\r\n\r\n");
        size_t at = 0;
        while (!slice_equal(slice_part(made, at, end.len), end))
            at++;
        made = slice_from(made, at + end.len);
        assert_true(slice_is_ascii(made));
        if (is_text)
            decode_quoted(made, &back);
        else
            decode_base64(made, &back);
        assert_true(slice_equal(buffer_slice(&back), slice_from(buffer_slice(&in), body_at)));
    }
    buffer_free(&in);
    buffer_free(&out);
    buffer_free(&back);
}

static void signatures_of_the_message_are_seen(void **state)
{
    (void)state;
    static const struct { const char *message; bool is_signed; } cases[] = {
        { "Subject: x\r\ndkim-signature: v=1\r\n\r\n\xe4\r\n", true },
        { "ARC-Message-Signature : i=1\r\n\r\n\xe4\r\n", true },
        { "DKIM-Signature: v=1", true },
        { "X-DKIM-Signature: v=1\r\n\r\n\xe4\r\n", false },
        { "Subject: x\r\n DKIM-Signature: v=1\r\n\r\n\xe4\r\n", false },
        { "Subject: x\r\n\r\nDKIM-Signature: v=1\r\n\xe4\r\n", false },
        { "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n"
          "DKIM-Signature: v=1\r\n\r\n\xe4\r\n", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step < 300; step += 100) {
            struct downgrade_plan plan = { .any = false };
            assert_true(pass(downgrade_scan_new(&plan), slice_from_string(cases[i].message),
                             step, NULL));
            assert_int_equal(plan.is_signed, cases[i].is_signed);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_of_the_message_are_seen),
        cmocka_unit_test(messages_become_7bit),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(bodies_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
