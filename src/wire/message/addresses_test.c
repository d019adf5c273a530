/* addresses_test.c: address lists, ids and dates of header fields. */
#include "wire/message/addresses.h"
#include "wire/message/date.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* The list as text: name<local@domain>, {group} before, * behind a route. */
static void show(const struct header_addresses *list, struct buffer *out)
{
    for (const struct header_address *a = list->first; a != NULL; a = a->next) {
        if (a != list->first)
            buffer_append(out, SLICE(", "));
        if (a->group.len > 0) {
            buffer_append_byte(out, '{');
            buffer_append(out, a->group);
            buffer_append_byte(out, '}');
        }
        buffer_append(out, a->name);
        buffer_append_byte(out, '<');
        buffer_append(out, a->local);
        buffer_append_byte(out, '@');
        buffer_append(out, a->domain);
        buffer_append_byte(out, '>');
        if (a->has_route)
            buffer_append_byte(out, '*');
    }
}

static const struct { struct slice value; const char *shown; size_t groups; } lists[] = {
    { SLICE_INIT(""), "", 0 },
    { SLICE_INIT(" \r\n "), "", 0 },
    { SLICE_INIT(" a@b"), "<a@b>", 0 },
    { SLICE_INIT("John Doe <jdoe@machine.example>"), "John Doe<jdoe@machine.example>", 0 },
    { SLICE_INIT("\"Joe Q. Public\" <john.q.public@example.com>"), "Joe Q. Public<john.q.public@example.com>", 0 },
    { SLICE_INIT("Joe Q. Public <a@b>"), "Joe Q. Public<a@b>", 0 },
    { SLICE_INIT("Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>"),
      "Mary Smith<mary@x.test>, <jdoe@example.org>, Who?<one@y.test>", 0 },
    { SLICE_INIT("<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>"),
      "<boss@nil.test>, Giant; \"Big\" Box<sysservices@example.net>", 0 },
    { SLICE_INIT("A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;"),
      "{A Group}Ed Jones<c@a.test>, {A Group}<joe@where.test>, {A Group}John<jdoe@one.test>", 1 },
    { SLICE_INIT("Undisclosed recipients:;"), "", 1 },
    { SLICE_INIT("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;"), "", 1 },
    { SLICE_INIT("a: b@c;, d@e"), "{a}<b@c>, <d@e>", 1 },
    { SLICE_INIT("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"), "Pete<pete@silly.test>", 0 },
    { SLICE_INIT("A Group(Some people)\r\n        :Chris Jones <c@(Chris's host.)public.example>,\r\n"
                 "            joe@example.org,\r\n     John <jdoe@one.test> (my dear friend); (the end of the group)"),
      "{A Group}Chris Jones<c@public.example>, {A Group}<joe@example.org>, {A Group}John<jdoe@one.test>", 1 },
    { SLICE_INIT("Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example"),
      "Mary Smith<mary@example.net>*, <jdoe@test.example>", 0 },
    { SLICE_INIT("Mary Smith\r\n    \r\n\t<mary@example.net>"), "Mary Smith<mary@example.net>", 0 },
    { SLICE_INIT("=?ISO-8859-1?Q?Keld_J=F8rn?= =?x?q?y?= <keld@dkuug.dk>"), "=?ISO-8859-1?Q?Keld_J=F8rn?= =?x?q?y?=<keld@dkuug.dk>", 0 },
    { SLICE_INIT("\"ceo@legit\" <a@attack>"), "ceo@legit<a@attack>", 0 },
    { SLICE_INIT("\"John\r\n Doe\" <a@b.com>"), "John Doe<a@b.com>", 0 },
    { SLICE_INIT("\"a b\"@c"), "<\"a b\"@c>", 0 },
    { SLICE_INIT("a . \"b\" . c @ d"), "<a.\"b\".c@d>", 0 },
    { SLICE_INIT("a@[192.0.2.1], b@[ IPv6:::1\r\n ]"), "<a@[192.0.2.1]>, <b@[IPv6:::1]>", 0 },
    { SLICE_INIT("\xc3\xa9 <\xc3\xa9@\xc3\xa9.example>"), "\xc3\xa9<\xc3\xa9@\xc3\xa9.example>", 0 },
    { SLICE_INIT("From: x"), NULL, 0 },
    /* HOSTILE 84 and 86: two authors are two; what is no address spoils all */
    { SLICE_INIT("<a@attack>, <ceo@legit>"), "<a@attack>, <ceo@legit>", 0 },
    { SLICE_INIT("ceo@legit,<b@attack>"), "<ceo@legit>, <b@attack>", 0 },
    { SLICE_INIT("<ceo@legit>\\,<b@attack>"), NULL, 0 },
    { SLICE_INIT("<@attack,@x:ceo@legit>"), "<ceo@legit>*", 0 },
    { SLICE_INIT("<a@attack>ceo@legit"), NULL, 0 },
    { SLICE_INIT("<a@attack> <ceo@legit>"), NULL, 0 },
    { SLICE_INIT("=?utf-8?B?PGFkbWluQGxlZ2l0aW1hdGUuY29tPg==?=,<second@attack.com>"), NULL, 0 },
    { SLICE_INIT("ceo@legit <a@attack>"), NULL, 0 },
    { SLICE_INIT("a@b\0"), NULL, 0 },
    { SLICE_INIT("\"a\0\" <a@b>"), NULL, 0 },
    { SLICE_INIT("a@b\nc@d"), NULL, 0 },
    { SLICE_INIT("a@b\r\nc@d"), NULL, 0 },
    { SLICE_INIT("a@b\xff"), NULL, 0 },
    /* and the plainly broken */
    { SLICE_INIT("a"), NULL, 0 }, { SLICE_INIT("a@"), NULL, 0 }, { SLICE_INIT("@a"), NULL, 0 },
    { SLICE_INIT("<>"), NULL, 0 }, { SLICE_INIT("<a@b"), NULL, 0 }, { SLICE_INIT("a@b>"), NULL, 0 },
    { SLICE_INIT("a@b c@d"), NULL, 0 }, { SLICE_INIT("a@b;"), NULL, 0 }, { SLICE_INIT("g: a@b"), NULL, 0 },
    { SLICE_INIT("g: a@b; c@d"), NULL, 0 }, { SLICE_INIT("g: h: a@b;;"), NULL, 0 }, { SLICE_INIT(": a@b;"), NULL, 0 },
    { SLICE_INIT("(a@b"), NULL, 0 }, { SLICE_INIT("a@b)"), NULL, 0 }, { SLICE_INIT("\"a <a@b>"), NULL, 0 },
    { SLICE_INIT("a..b@c"), NULL, 0 }, { SLICE_INIT("a@b..c"), NULL, 0 }, { SLICE_INIT("a@[b"), NULL, 0 },
    { SLICE_INIT("a@[b@c]"), NULL, 0 },
    { SLICE_INIT("<@a b@c>"), NULL, 0 }, { SLICE_INIT("<@a"), NULL, 0 }, { SLICE_INIT("<,"), NULL, 0 },
};

static void lists_are_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct arena arena;
        struct buffer out;
        struct header_addresses list = { .count = 77 };
        arena_init(&arena, 1 << 20);
        buffer_init(&out, 4096);
        enum header_addresses_result got = header_addresses_parse(lists[i].value, &arena, &list);
        if ((got == HEADER_ADDRESSES_OK) != (lists[i].shown != NULL))
            fail_msg("%.*s: %d", (int)lists[i].value.len, lists[i].value.data, got);
        if (got == HEADER_ADDRESSES_OK) {
            show(&list, &out);
            if (!slice_equal(buffer_slice(&out), slice_from_string(lists[i].shown)))
                fail_msg("%.*s is not %s", (int)buffer_len(&out), buffer_slice(&out).data, lists[i].shown);
            assert_int_equal(list.groups, lists[i].groups);
        } else {
            assert_int_equal(list.count, 77);
        }
        /* any part of it is read or refused without harm */
        for (size_t len = 0; len < lists[i].value.len; len++)
            (void)header_addresses_parse(slice_part(lists[i].value, 0, len), &arena, &list);
        arena_free(&arena);
        buffer_free(&out);
    }
}

static void lists_have_limits(void **state)
{
    (void)state;
    struct arena arena;
    struct buffer value;
    struct header_addresses list;
    buffer_init(&value, 1 << 20);
    for (int i = 0; i < HEADER_ADDRESSES_MAX; i++)
        buffer_append(&value, SLICE("a@b,"));
    arena_init(&arena, 8 << 20);
    assert_int_equal(header_addresses_parse(buffer_slice(&value), &arena, &list), HEADER_ADDRESSES_OK);
    assert_int_equal(list.count, HEADER_ADDRESSES_MAX);
    buffer_append(&value, SLICE("a@b"));
    assert_int_equal(header_addresses_parse(buffer_slice(&value), &arena, &list), HEADER_ADDRESSES_NO_ROOM);
    arena_free(&arena);
    arena_init(&arena, 1000);
    assert_int_equal(header_addresses_parse(buffer_slice(&value), &arena, &list), HEADER_ADDRESSES_NO_ROOM);
    arena_free(&arena);
    buffer_clear(&value);
    for (int i = 0; i < 200000; i++)
        buffer_append_byte(&value, '(');
    arena_init(&arena, 8 << 20);
    assert_int_equal(header_addresses_parse(buffer_slice(&value), &arena, &list), HEADER_ADDRESSES_SYNTAX);
    arena_free(&arena);
    buffer_free(&value);
}

static void message_ids(void **state)
{
    (void)state;
    struct cursor c = cursor_over(SLICE(" <1@a> (x)\r\n <2@b><c>"));
    struct slice id;
    assert_true(message_id_next(&c, &id) && slice_equal(id, SLICE("1@a")));
    assert_true(message_id_next(&c, &id) && slice_equal(id, SLICE("2@b")));
    assert_true(message_id_next(&c, &id) && slice_equal(id, SLICE("c")));
    assert_false(message_id_next(&c, &id));
    static const struct slice bad[] = {
        SLICE_INIT("<>"), SLICE_INIT("a@b"), SLICE_INIT("<a b>"), SLICE_INIT("<a"), SLICE_INIT("<a<b>>"),
        SLICE_INIT("<a\r\n >"), SLICE_INIT("<a\0>"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        c = cursor_over(bad[i]);
        assert_false(message_id_next(&c, &id));
    }
}

static void dates_are_read(void **state)
{
    (void)state;
    static const struct { const char *text; int64_t seconds; int zone; } cases[] = {
        { "Tue, 1 Jul 2003 10:52:37 +0200", 1057049557, 120 },
        { "Fri, 21 Nov 1997 09:55:06 -0600", 880127706, -360 },
        { "Tue, 30 Dec 1969 23:32:54 -0330", -75426, -210 },
        { "Thu,\r\n   13\r\n  Feb\r\n    1969\r\n  23:32\r\n  -0330 (Newfoundland Time)\r\n ", -27723480, -210 },
        { " 1 Jul 2003 (comment about date) 10:52:37 +0200", 1057049557, 120 },
        { "Tue, 1 Jul 2003 ((tricky)\r\n comment) 10:52:37 +0200", 1057049557, 120 },
        { "21 Nov 97 09:55:06 GMT", 880106106, 0 },
        { " Wed, 27 Jun 99 04:11 +0900 ", 930424260, 540 },
        { "Thu, 10 Jul 1997 14:53:31 A", 868546411, 0 },
        { "Thu, 10 Jul 1997 14:53:31 ZZZZ", 868546411, 0 },
        { "Sun, 27 Oct 2002 23:57:07 EST", 1035781027, -300 },
        { "17 May 2026 22:15:15 +1345", 1779006615, 825 },
        { "29 Feb 2000 00:00:00 +0000", 951782400, 0 },
        { "31 dec 16 23:59:60 -0000", 1483228800, 0 },
        { "1 Jan 100 00:00:00 +0000", 946684800, 0 },
        { "", 0, -9999 }, { "Tue", 0, -9999 }, { "29 Feb 1900 00:00:00 +0000", 0, -9999 },
        { "30 Feb 2000 00:00:00 +0000", 0, -9999 }, { "0 Feb 2000 00:00:00 +0000", 0, -9999 },
        { "32 Jan 2000 00:00:00 +0000", 0, -9999 }, { "1 Jan 2000 24:00:00 +0000", 0, -9999 },
        { "1 Jan 2000 00:60:00 +0000", 0, -9999 }, { "1 Jan 2000 00:00:00 +0060", 0, -9999 },
        { "1 Jan 2000 00:00:00 +9900", 0, -9999 }, { "1 Jan 2000 00:00:00", 0, -9999 },
        { "1 Jan 2000 00:00:00 +0000 x", 0, -9999 }, { "13 zzz 2021 09:55:06 +0200", 0, -9999 },
        { "Tue, 7 00 2026 19:14:51 +0000", 0, -9999 }, { "1 Jan 99999999999999999999 00:00 +0000", 0, -9999 },
        { "Tue, 1 Jul 2003 ((invalid)\r\ncomment) 10:52:37 +0200", 0, -9999 },
        { " some numbers 0 1 2 but invalid ", 0, -9999 },
        { "TuE, 1 Jul 0003 1:00 a (x)", 0, -9999 }, /* found by the fuzzer */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct date d = { .wall_ms = 5 };
        bool good = date_parse(slice_from_string(cases[i].text), &d);
        if (good != (cases[i].zone != -9999))
            fail_msg("%s", cases[i].text);
        if (!good) {
            assert_int_equal(d.wall_ms, 5);
            continue;
        }
        if (d.wall_ms != cases[i].seconds * 1000)
            fail_msg("%s: %lld", cases[i].text, (long long)d.wall_ms);
        assert_int_equal(d.zone_minutes, cases[i].zone);
    }
}

static void dates_come_back(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 100);
    for (int64_t wall_ms = -2000000000000; wall_ms < 8000000000000; wall_ms += 86400001000 + 777000) {
        for (int zone = -720; zone <= 840; zone += 195) {
            struct date d;
            buffer_clear(&out);
            date_append(&out, wall_ms, zone);
            assert_true(date_parse(buffer_slice(&out), &d));
            assert_int_equal(d.wall_ms, wall_ms);
            assert_int_equal(d.zone_minutes, zone);
        }
    }
    buffer_clear(&out);
    date_append(&out, -1, 0);
    assert_true(slice_equal(buffer_slice(&out), SLICE("Wed, 31 Dec 1969 23:59:59 +0000")));
    buffer_clear(&out);
    date_append(&out, 0, -30);
    assert_true(slice_equal(buffer_slice(&out), SLICE("Wed, 31 Dec 1969 23:30:00 -0030")));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read_or_refused),
        cmocka_unit_test(lists_have_limits),
        cmocka_unit_test(message_ids),
        cmocka_unit_test(dates_are_read),
        cmocka_unit_test(dates_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
