/* from_test.c: one From field, one domain, and no way to show another (HOSTILE 80 to 86). */
#include "auth/dmarc/from.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_headers(void **state)
{
    (void)state;
    static const struct {
        struct slice header;
        enum dmarc_from_result result;
        const char *domain;
    } cases[] = {
        { SLICE_INIT("From: A <a@B.Test>\r\nTo: x@y.test\r\n\r\n"), DMARC_FROM_OK, "b.test" },
        { SLICE_INIT("To: x@y.test\r\nFROM:a@b.test\r\n"), DMARC_FROM_OK, "b.test" },
        { SLICE_INIT("From: a@b.test,\r\n c@B.test\r\n\r\n"), DMARC_FROM_OK, "b.test" },
        { SLICE_INIT("From : a@b.test\r\n\r\n"), DMARC_FROM_OK, "b.test" },
        { SLICE_INIT("From: a@b\xc3\xbc" "cher.test\r\n\r\n"), DMARC_FROM_OK,
          "xn--bcher-kva.test" },
        { SLICE_INIT("From: \"ceo@legit.test\" <a@attack.test>\r\n\r\n"), DMARC_FROM_OK,
          "attack.test" },
        { SLICE_INIT("To: x@y.test\r\n\r\nFrom: a@b.test\r\n"), DMARC_FROM_ABSENT, "" },
        { SLICE_INIT(""), DMARC_FROM_ABSENT, "" },
        { SLICE_INIT("From: <a@attack.test>\r\nFrom: <ceo@legit.test>\r\n\r\n"),
          DMARC_FROM_SEVERAL, "" },
        { SLICE_INIT("From: <a@b.test>\r\nFrom: <a@b.test>\r\n\r\n"), DMARC_FROM_SEVERAL, "" },
        { SLICE_INIT("From: <a@attack.test>\r\nFrom : <ceo@legit.test>\r\n\r\n"),
          DMARC_FROM_SEVERAL, "" },
        { SLICE_INIT("From\r\n : <a@attack.test>\r\nFrom: <ceo@legit.test>\r\n\r\n"),
          DMARC_FROM_SEVERAL, "" },
        { SLICE_INIT(" From: <a@attack.test>\r\nFrom: <ceo@legit.test>\r\n\r\n"),
          DMARC_FROM_HIDDEN, "" },
        { SLICE_INIT("no field\r\nFrom: <ceo@legit.test>\r\n\r\n"), DMARC_FROM_HIDDEN, "" },
        { SLICE_INIT("Subject: a\r\n\x0b" "From: ceo@legit.test\r\n\r\n"), DMARC_FROM_HIDDEN,
          "" },
        { SLICE_INIT("From\r\n: ceo@legit.test\r\n\r\n"), DMARC_FROM_HIDDEN, "" },
        { SLICE_INIT("Subject: a\r\nno field\r\nFrom: <a@b.test>\r\n\r\n"), DMARC_FROM_OK,
          "b.test" },
        { SLICE_INIT("From: <a@attack.test>, <ceo@legit.test>\r\n\r\n"), DMARC_FROM_DOMAINS,
          "" },
        { SLICE_INIT("From: ceo@legit.test,<b@attack.test>\r\n\r\n"), DMARC_FROM_DOMAINS, "" },
        { SLICE_INIT("From: <ceo@legit.test>\\,<b@attack.test>\r\n\r\n"),
          DMARC_FROM_MALFORMED, "" },
        { SLICE_INIT("From:=?utf-8?B?PGFkbWluQGxlZ2l0Pg==?=,<b@attack.test>\r\n\r\n"),
          DMARC_FROM_MALFORMED, "" },
        { SLICE_INIT("From: <a@attack.test>ceo@legit.test\r\n\r\n"), DMARC_FROM_MALFORMED,
          "" },
        { SLICE_INIT("From: a@b.test\0c.test\r\n\r\n"), DMARC_FROM_MALFORMED, "" },
        { SLICE_INIT("From: nobody\r\n\r\n"), DMARC_FROM_MALFORMED, "" },
        { SLICE_INIT("From:\r\n\r\n"), DMARC_FROM_NOBODY, "" },
        { SLICE_INIT("From: robots:;\r\n\r\n"), DMARC_FROM_NOBODY, "" },
        { SLICE_INIT("From: a@[192.0.2.1]\r\n\r\n"), DMARC_FROM_NO_DOMAIN, "" },
        { SLICE_INIT("From: a@b.test, c@[192.0.2.1]\r\n\r\n"), DMARC_FROM_NO_DOMAIN, "" },
        { SLICE_INIT("From: a@-b.test\r\n\r\n"), DMARC_FROM_NO_DOMAIN, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dmarc_from from;
        dmarc_from_read_header(cases[i].header, &from);
        if (from.result != cases[i].result)
            fail_msg("%.*s: %s", (int)cases[i].header.len, cases[i].header.data,
                     dmarc_from_text(from.result));
        assert_true(slice_equal(dmarc_from_domain(&from), slice_from_string(cases[i].domain)));
        assert_true(dmarc_from_text(from.result)[0] != '\0');
    }
}

static void test_domains(void **state)
{
    (void)state;
    static char longest[256];
    struct dmarc_from from;
    dmarc_from_read_domain(SLICE("Example.COM"), &from);
    assert_int_equal(from.result, DMARC_FROM_OK);
    assert_true(slice_equal(dmarc_from_domain(&from), SLICE("example.com")));
    dmarc_from_read_domain(SLICE(""), &from);
    assert_int_equal(from.result, DMARC_FROM_NO_DOMAIN);
    for (size_t i = 0; i < sizeof longest; i++)
        longest[i] = i % 64 == 63 ? '.' : 'x';
    dmarc_from_read_domain(slice_make(longest, 253), &from);
    assert_int_equal(from.result, DMARC_FROM_OK);
    assert_int_equal(from.len, 253);
    longest[255] = 'x';
    dmarc_from_read_domain(slice_make(longest, 256), &from);
    assert_int_equal(from.result, DMARC_FROM_NO_DOMAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_domains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
