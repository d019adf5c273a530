/* reply_test.c: replies, ours and a hostile server's (HOSTILE 113). */
#include "wire/smtp/reply_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct reply_case {
    struct slice bytes;
    uint16_t code;      /* 0: broken; 1: more is needed */
    const char *status;
    const char *text;
};

static const struct reply_case cases[] = {
    { SLICE_INIT("250 OK\r\n"), 250, "", "OK" },
    { SLICE_INIT("250\r\n"), 250, "", "" },
    { SLICE_INIT("250 \r\n"), 250, "", "" },
    { SLICE_INIT("354 go on\r\n"), 354, "", "go on" },
    { SLICE_INIT("250 2.1.5 OK\r\n"), 250, "2.1.5", "OK" },
    { SLICE_INIT("250 2.1.5\r\n"), 250, "2.1.5", "" },
    { SLICE_INIT("550-5.1.1 no such\r\n550 5.1.1 user\r\n"), 550, "5.1.1", "no such\nuser" },
    { SLICE_INIT("550-no such\r\n550 5.1.1 user\r\n"), 550, "5.1.1", "no such\nuser" },
    { SLICE_INIT("550 4.1.1 the class lies\r\n"), 550, "", "4.1.1 the class lies" },
    { SLICE_INIT("250-mx.example\r\n250-SIZE 1000\r\n250 HELP\r\n"), 250, "", "mx.example\nSIZE 1000\nHELP" },
    { SLICE_INIT("250-\r\n250\r\n"), 250, "", "\n" },
    { SLICE_INIT("421 \x1b[2Jx\xff\r\n"), 421, "", "\x1b[2Jx\xff" },
    { SLICE_INIT(""), 1, NULL, NULL },
    { SLICE_INIT("25"), 1, NULL, NULL },
    { SLICE_INIT("250 OK\r"), 1, NULL, NULL },
    { SLICE_INIT("250-a\r\n"), 1, NULL, NULL },
    { SLICE_INIT("25\r\n"), 0, NULL, NULL },
    { SLICE_INIT("2500\r\n"), 0, NULL, NULL },
    { SLICE_INIT("250_OK\r\n"), 0, NULL, NULL },
    { SLICE_INIT("150 no\r\n"), 0, NULL, NULL },
    { SLICE_INIT("650 no\r\n"), 0, NULL, NULL },
    { SLICE_INIT("2x0 no\r\n"), 0, NULL, NULL },
    { SLICE_INIT("+OK POP3\r\n"), 0, NULL, NULL },
    { SLICE_INIT("\r\n"), 0, NULL, NULL },
    { SLICE_INIT("250-a\r\n251 b\r\n"), 0, NULL, NULL },
    { SLICE_INIT("250-a\r\nb\r\n"), 0, NULL, NULL },
    { SLICE_INIT("250 OK\n"), 0, NULL, NULL },
    { SLICE_INIT("250 O\rK\r\n"), 0, NULL, NULL },
    { SLICE_INIT("250 OK\r\r\n"), 0, NULL, NULL },
    { SLICE_INIT("250 O\0K\r\n"), 0, NULL, NULL },
};

static enum smtp_reply_result feed(struct smtp_reply_reader *r, struct slice bytes,
                                   size_t step, struct smtp_reply *reply)
{
    enum smtp_reply_result got = SMTP_REPLY_NEED_MORE;
    while (bytes.len > 0 && got == SMTP_REPLY_NEED_MORE) {
        struct slice part = slice_part(bytes, 0, step);
        bytes = slice_from(bytes, part.len);
        got = smtp_reply_reader_next(r, &part, reply);
        if (got != SMTP_REPLY_BROKEN)
            assert_int_equal(part.len, 0);
    }
    return got;
}

static void replies_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step <= cases[i].bytes.len + 1; step++) {
            struct smtp_reply_reader r;
            struct smtp_reply reply = { .code = 9 };
            struct buffer status;
            buffer_init(&status, 64);
            smtp_reply_reader_init(&r);
            enum smtp_reply_result got = feed(&r, cases[i].bytes, step, &reply);
            assert_int_equal(got, cases[i].code == 0 ? SMTP_REPLY_BROKEN :
                             cases[i].code == 1 ? SMTP_REPLY_NEED_MORE : SMTP_REPLY_TAKEN);
            if (got == SMTP_REPLY_TAKEN) {
                assert_int_equal(reply.code, cases[i].code);
                smtp_status_append(&status, reply.status);
                assert_true(slice_equal(buffer_slice(&status), slice_from_string(cases[i].status)));
                assert_true(slice_equal(reply.text, slice_from_string(cases[i].text)));
            } else {
                assert_int_equal(reply.code, 9);
                assert_int_equal(r.fault != NULL, got == SMTP_REPLY_BROKEN);
            }
            smtp_reply_reader_free(&r);
            buffer_free(&status);
        }
}

static void replies_in_one_piece_come_one_by_one(void **state)
{
    (void)state;
    struct smtp_reply_reader r;
    struct smtp_reply reply;
    struct slice input = SLICE("250 a\r\n251-b\r\n251 c\r\n354 d");
    smtp_reply_reader_init(&r);
    assert_int_equal(smtp_reply_reader_next(&r, &input, &reply), SMTP_REPLY_TAKEN);
    assert_true(reply.code == 250 && slice_equal(reply.text, SLICE("a")));
    assert_int_equal(smtp_reply_reader_next(&r, &input, &reply), SMTP_REPLY_TAKEN);
    assert_true(reply.code == 251 && slice_equal(reply.text, SLICE("b\nc")));
    assert_int_equal(smtp_reply_reader_next(&r, &input, &reply), SMTP_REPLY_NEED_MORE);
    input = SLICE("\r\n");
    assert_int_equal(smtp_reply_reader_next(&r, &input, &reply), SMTP_REPLY_TAKEN);
    assert_true(reply.code == 354 && slice_equal(reply.text, SLICE("d")));
    smtp_reply_reader_free(&r);
}

static void endless_replies_break(void **state)
{
    (void)state;
    struct smtp_reply_reader r;
    struct smtp_reply reply;
    smtp_reply_reader_init(&r);
    size_t lines = 0;
    enum smtp_reply_result got;
    do {
        struct slice line = SLICE("250-\r\n");
        got = smtp_reply_reader_next(&r, &line, &reply);
        lines++;
    } while (got == SMTP_REPLY_NEED_MORE && lines < 1000000);
    assert_int_equal(got, SMTP_REPLY_BROKEN);
    assert_int_equal(lines, SMTP_REPLY_MAX / 6 + 1);
    smtp_reply_reader_free(&r);

    char text[SMTP_REPLY_LINE_MAX + 1];
    memset(text, 'x', sizeof text);
    memcpy(text, "250 ", 4);
    memcpy(text + SMTP_REPLY_LINE_MAX - 2, "\r\n", 2);
    smtp_reply_reader_init(&r);
    assert_int_equal(feed(&r, slice_make(text, SMTP_REPLY_LINE_MAX), 100, &reply), SMTP_REPLY_TAKEN);
    memcpy(text + SMTP_REPLY_LINE_MAX - 2, "x\r\n", 3);
    assert_int_equal(feed(&r, slice_make(text, sizeof text), 100, &reply), SMTP_REPLY_BROKEN);
    assert_int_equal(feed(&r, SLICE("250 OK\r\n"), 100, &reply), SMTP_REPLY_BROKEN);
    smtp_reply_reader_free(&r);
}

static void our_replies_hold_no_lines_of_others(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 8192);
    struct smtp_reply reply = smtp_reply_make(550, 5, 1, 1, SLICE("no\nsuch\r250 OK\x01"));
    smtp_reply_append(&out, &reply, true);
    assert_true(slice_equal(buffer_slice(&out),
                            SLICE("550-5.1.1 no\r\n550 5.1.1 such?250 OK?\r\n")));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_read),
        cmocka_unit_test(replies_in_one_piece_come_one_by_one),
        cmocka_unit_test(endless_replies_break),
        cmocka_unit_test(our_replies_hold_no_lines_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
