/* header_test.c: fields on the whole and as they stream by, and the trace field. */
#include "wire/message/header.h"
#include "wire/message/received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct slice headers[] = {
    SLICE_INIT(""),
    SLICE_INIT("\r\nbody"),
    SLICE_INIT("From: a@b\r\n\r\nbody: x\r\n"),
    SLICE_INIT("From: a@b\r\nTo: c@d\r\n"),
    SLICE_INIT("From: a@b"),
    SLICE_INIT("From"),
    SLICE_INIT("From\r"),
    SLICE_INIT("From\r\n"),
    SLICE_INIT("From \r\n :x"),
    SLICE_INIT("Subject: a\r\n b\r\n\tc\r\nTo:x\r\n\r\n"),
    SLICE_INIT("Subject:\r\n a\r\n \r\nTo: x\r\n\r\n"),
    SLICE_INIT(" From: <a@attack>\r\nFrom: <ceo@legit>\r\n\r\n"),
    SLICE_INIT("From: x\r\nFrom : <ceo@legit>\r\nFrom\r\n : <a@attack>\r\n\r\n"),
    SLICE_INIT("From\t: x\r\nfrom:y\r\n\r\n"),
    SLICE_INIT("no colon here\r\nFrom: x\r\n\r\n"),
    SLICE_INIT("From: x\r\nno colon here\r\n folded\r\nTo: y\r\n\r\n"),
    SLICE_INIT(": no name\r\n: again\r\n\r\n"),
    SLICE_INIT("A: x\ny: z\r\nB: 1\r2\r\n\r3: 4\r\n\r\r\n\r\n"),
    SLICE_INIT("F\xc3\xb6: x\r\nF\0: x\r\n\r\n"),
    SLICE_INIT("Message-ID: <a@b>\r\nDelivered-To: x\r\nReceived: y\r\nreceived: z\r\n\r\n"),
    SLICE_INIT("X-A-Very-Long-Name-Of-A-Field-That-Nobody-Knows: y\r\n\r\n"),
    SLICE_INIT("From\r\nFrom\r\n\r\nx"),
    SLICE_INIT("\n\nFrom: x\r\n\r\n"),
};

/* What header_next() makes of the whole. */
static void count_whole(struct slice content, struct header_scan *want)
{
    struct cursor c = cursor_over(content);
    struct header_field f;
    enum header_result got;
    bool first = true;
    *want = (struct header_scan){ .state = HEADER_SCAN_ENDED };
    struct cursor before = c;
    while ((got = header_next(&c, &f)) != HEADER_END) {
        if (got == HEADER_FIELD) {
            want->fields++;
            want->count[header_kind_of(f.name)]++;
            want->any_gap |= f.has_gap;
        } else {
            want->malformed_lines++;
            want->first_line_malformed |= first;
        }
        first = false;
        before = c;
    }
    want->ended = c.at != before.at;
    want->size = (size_t)(c.at - content.data);
}

static void check_scan(struct slice content, size_t step)
{
    struct header_scan want, scan;
    struct buffer copy;
    buffer_init(&copy, 1 << 20);
    count_whole(content, &want);
    header_scan_init(&scan, &copy);
    bool ended = false;
    for (struct slice rest = content; rest.len > 0 && !ended; rest = slice_from(rest, step)) {
        struct slice part = slice_part(rest, 0, step);
        ended = header_scan_feed(&scan, &part);
        assert_int_equal(scan.ended, ended);
        assert_true(ended || part.len == 0);
    }
    header_scan_finish(&scan);
    assert_int_equal(scan.fields, want.fields);
    assert_int_equal(scan.malformed_lines, want.malformed_lines);
    assert_int_equal(scan.first_line_malformed, want.first_line_malformed);
    assert_int_equal(scan.any_gap, want.any_gap);
    assert_int_equal(scan.ended, want.ended);
    assert_int_equal(scan.size, want.size);
    assert_memory_equal(scan.count, want.count, sizeof want.count);
    assert_true(slice_equal(buffer_slice(&copy), slice_part(content, 0, scan.size)));
    buffer_free(&copy);
}

static void scan_sees_what_next_sees(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        for (size_t step = 1; step <= headers[i].len + 1; step++)
            check_scan(headers[i], step);
    static const char octets[] = "a::\r\n\r\n\r\n \r";
    srand(3);
    for (int round = 0; round < 50000; round++) {
        char data[24];
        size_t len = (size_t)rand() % sizeof data;
        for (size_t i = 0; i < len; i++)
            data[i] = octets[(size_t)rand() % (sizeof octets - 1)];
        check_scan(slice_make(data, len), (size_t)(1 + rand() % 5));
    }
}

static void scan_counts(void **state)
{
    (void)state;
    struct header_scan s;
    struct slice all = SLICE("From: x\r\nFrom : <ceo@legit>\r\nFrom\r\n : <a@attack>\r\nReceived: 1\r\nRECEIVED: 2\r\n\r\nbody");
    header_scan_init(&s, NULL);
    assert_true(header_scan_feed(&s, &all));
    assert_true(slice_equal(all, SLICE("body")));
    assert_int_equal(s.count[HEADER_FROM], 3);
    assert_int_equal(s.count[HEADER_RECEIVED], 2);
    assert_true(s.any_gap);
    assert_false(s.first_line_malformed);
    header_scan_init(&s, NULL);
    all = SLICE(" From: x\r\nFrom: y\r\n\r\n");
    assert_true(header_scan_feed(&s, &all));
    assert_true(s.first_line_malformed);
    assert_int_equal(s.count[HEADER_FROM], 1);
}

static void scan_has_limits(void **state)
{
    (void)state;
    struct header_scan s;
    header_scan_init(&s, NULL);
    for (int i = 0; i < HEADER_FIELDS_MAX; i++) {
        struct slice field = SLICE("X: y\r\n");
        assert_false(header_scan_feed(&s, &field));
        assert_false(s.too_many_fields);
    }
    struct slice field = SLICE("X: y\r\n");
    assert_false(header_scan_feed(&s, &field));
    assert_true(s.too_many_fields);

    struct buffer copy;
    buffer_init(&copy, HEADER_BYTES_MAX);
    header_scan_init(&s, &copy);
    field = SLICE("X: y");
    header_scan_feed(&s, &field);
    for (int i = 4; i < HEADER_BYTES_MAX; i += 4) {
        field = SLICE("\r\n z");
        header_scan_feed(&s, &field);
        assert_false(s.too_large);
    }
    field = SLICE("z");
    header_scan_feed(&s, &field);
    assert_true(s.too_large);
    assert_int_equal(buffer_len(&copy), HEADER_BYTES_MAX);
    assert_int_equal(s.fields, 1);
    buffer_free(&copy);
}

static void fields_are_taken_apart(void **state)
{
    (void)state;
    struct cursor c = cursor_over(SLICE("Subject : a\r\n b \r\n\tc\r\nTo:x\r\n\r\nbody"));
    struct header_field f;
    assert_int_equal(header_next(&c, &f), HEADER_FIELD);
    assert_true(slice_equal(f.name, SLICE("Subject")));
    assert_true(slice_equal(f.value, SLICE(" a\r\n b \r\n\tc")));
    assert_true(slice_equal(f.whole, SLICE("Subject : a\r\n b \r\n\tc\r\n")));
    assert_true(f.has_gap);
    struct buffer out;
    buffer_init(&out, 100);
    header_append_unfolded(&out, f.value);
    assert_true(slice_equal(buffer_slice(&out), SLICE("a b \tc")));
    buffer_clear(&out);
    header_append_unfolded(&out, SLICE("\r\n a\rb\nc\r\n \r\n\t"));
    assert_true(slice_equal(buffer_slice(&out), SLICE("a?b?c")));
    buffer_free(&out);
    assert_int_equal(header_next(&c, &f), HEADER_FIELD);
    assert_false(f.has_gap);
    assert_int_equal(header_next(&c, &f), HEADER_END);
    assert_true(slice_equal(cursor_rest(&c), SLICE("body")));
    struct slice header = SLICE("bad\r\nA: 1\r\nb: 2\r\nB: 3\r\n\r\nC: 4\r\n");
    assert_true(header_find(header, SLICE("B"), &f));
    assert_true(slice_equal(f.value, SLICE(" 2")));
    assert_false(header_find(header, SLICE("C"), &f));
}

static void received_is_one_field_whatever_peers_say(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 8192);
    struct received r = {
        .helo = SLICE("client.example"), .client_name = SLICE("rdns.example"),
        .client_address = SLICE("2001:db8::1"), .by = SLICE("mx.example"),
        .protocol = { .esmtp = true, .tls = true, .auth = true },
        .tls_version = SLICE("TLSv1.3"), .tls_cipher = SLICE("TLS_AES_256_GCM_SHA384"),
        .id = SLICE("0123456789abc"), .recipient = SLICE("\"b c\"@example.com"),
        .wall_ms = 1057049557000, .zone_minutes = 120,
    };
    received_append(&out, &r);
    assert_true(slice_equal(buffer_slice(&out), SLICE(
        "Received: from client.example (rdns.example [IPv6:2001:db8::1])\r\n"
        "\tby mx.example with ESMTPSA (TLSv1.3)\r\n"
        "\tid 0123456789abc\r\n"
        "\tfor <\"b c\"@example.com>\r\n"
        "\ttls TLS_AES_256_GCM_SHA384;\r\n"
        "\tTue, 1 Jul 2003 10:52:37 +0200\r\n")));
    char evil[5000];
    for (size_t i = 0; i < sizeof evil; i++)
        evil[i] = "a\r\n:x(\0\xff)<>;, \""[i % 16];
    r.helo = r.client_name = r.recipient = r.id = r.tls_cipher = slice_make(evil, sizeof evil);
    buffer_clear(&out);
    received_append(&out, &r);
    assert_false(out.overflow);
    struct cursor c = cursor_over(buffer_slice(&out));
    struct header_field f;
    assert_int_equal(header_next(&c, &f), HEADER_FIELD);
    assert_true(cursor_at_end(&c));
    struct slice rest = f.whole;
    struct slice line;
    while (slice_split(&rest, '\n', &line))
        assert_true(line.len < 998);
    static const struct { struct received_protocol p; const char *name; } names[] = {
        { { 0 }, "SMTP" }, { { .esmtp = true }, "ESMTP" },
        { { .esmtp = true, .utf8 = true, .tls = true }, "UTF8SMTPS" },
        { { .lmtp = true }, "LMTP" }, { { .lmtp = true, .utf8 = true, .tls = true, .auth = true }, "UTF8LMTPSA" },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(slice_equal(received_protocol_name(names[i].p), slice_from_string(names[i].name)));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_sees_what_next_sees),
        cmocka_unit_test(scan_counts),
        cmocka_unit_test(scan_has_limits),
        cmocka_unit_test(fields_are_taken_apart),
        cmocka_unit_test(received_is_one_field_whatever_peers_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
