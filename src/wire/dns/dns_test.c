/* dns_test.c: names, MX data and answer sections, good and cut short. */
#include "wire/dns/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define L63 "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc"

static void names_from_text(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        const char *name; /* NULL: does not parse */
    } cases[] = {
        { SLICE_INIT("Mail.Example.COM"), "mail.example.com" },
        { SLICE_INIT("mail.example.com."), "mail.example.com" },
        { SLICE_INIT("_dmarc.x"), "_dmarc.x" },
        { SLICE_INIT("localhost"), "localhost" },
        { SLICE_INIT("."), "" },
        { SLICE_INIT(""), NULL },
        { SLICE_INIT(".."), NULL },
        { SLICE_INIT(".a"), NULL },
        { SLICE_INIT("a..b"), NULL },
        { SLICE_INIT("a\0b"), NULL },
        { SLICE_INIT("a b"), NULL },
        { SLICE_INIT("a\\.b"), NULL },
        { SLICE_INIT("\xc3\xa9.x"), NULL },
        { SLICE_INIT(L63 ".x"), L63 ".x" },
        { SLICE_INIT(L63 "d.x"), NULL },
        { SLICE_INIT(L63 "." L63 "." L63 "." "abcdefghijabcdefghijabcdefghijabcdefghija"
                     "bcdefghijabcdefghij"),
          L63 "." L63 "." L63 "." "abcdefghijabcdefghijabcdefghijabcdefghij"
              "abcdefghijabcdefghij" },
        { SLICE_INIT(L63 "." L63 "." L63 "." L63), NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dns_name name;
        bool parses = dns_name_parse(cases[i].text, &name);
        assert_int_equal(parses, cases[i].name != NULL);
        if (parses)
            assert_string_equal(name.text, cases[i].name);
    }
}

static void names_of_any_octets(void **state)
{
    (void)state;
    struct dns_name name;
    struct slice whole = SLICE("\5a:/b%\3Com\0");
    struct cursor c = cursor_over(whole);
    assert_false(dns_name_take(&c, &name));
    assert_true(dns_name_take_any(&c, &name));
    assert_string_equal(name.text, "a:/b%.com");
    for (size_t len = 0; len < whole.len; len++) {
        c = cursor_over(slice_part(whole, 0, len));
        assert_false(dns_name_take_any(&c, &name));
    }
    static const char not_one[][4] = { "\1 ", "\1.", "\1\x7f", "\1\x80", "\1\n" };
    for (size_t i = 0; i < sizeof not_one / sizeof not_one[0]; i++) {
        c = cursor_over(slice_make(not_one[i], 3));
        assert_false(dns_name_take_any(&c, &name));
    }
}

static void txt_data(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, 64);
    struct slice whole = SLICE("\2ab\0\3c\0d");
    assert_true(dns_txt_append(whole, &text));
    assert_int_equal(buffer_len(&text), 5);
    assert_memory_equal(buffer_slice(&text).data, "abc\0d", 5);
    for (size_t len = 0; len < whole.len; len++) {
        buffer_clear(&text);
        assert_int_equal(dns_txt_append(slice_part(whole, 0, len), &text),
                         len == 3 || len == 4);
        assert_int_equal(buffer_len(&text), len == 3 || len == 4 ? 2 : 0);
    }
    buffer_free(&text);
}

static void mx_data(void **state)
{
    (void)state;
    struct dns_mx_record mx;
    struct slice whole = SLICE("\0\012\2MX\7example\0");
    assert_true(dns_mx_record_read(whole, &mx));
    assert_int_equal(mx.preference, 10);
    assert_string_equal(mx.host.text, "mx.example");
    for (size_t len = 0; len < whole.len; len++)
        assert_false(dns_mx_record_read(slice_part(whole, 0, len), &mx));
    assert_true(dns_mx_record_read(SLICE("\0\0\0"), &mx));
    assert_int_equal(mx.host.len, 0);
    assert_false(dns_mx_record_read(SLICE("\0\0\0x"), &mx));
    assert_false(dns_mx_record_read(SLICE("\0\1\300\14"), &mx));
    assert_false(dns_mx_record_read(SLICE("\0\1\3a.b\0"), &mx));
}

static void tlsa_data(void **state)
{
    (void)state;
    struct dns_tlsa_record r;
    struct slice whole = SLICE("\3\1\377ab");
    assert_true(dns_tlsa_record_read(whole, &r));
    assert_int_equal(r.usage, 3);
    assert_int_equal(r.selector, 1);
    assert_int_equal(r.matching, 255);
    assert_true(slice_equal(r.association, SLICE("ab")));
    for (size_t len = 0; len < whole.len; len++)
        assert_int_equal(dns_tlsa_record_read(slice_part(whole, 0, len), &r), len == 4);
}

static void answers_are_counted(void **state)
{
    (void)state;
    struct slice whole = SLICE("\1\2\201\200\0\1\0\2\0\0\0\0"
                               "\1a\1b\0\0\1\0\1"
                               "\300\14\0\5\0\1\0\0\0\1\0\2\300\14"
                               "\300\14\0\1\0\1\0\0\0\1\0\4\177\0\0\1");
    uint32_t count = 9;
    assert_true(dns_message_count(whole, DNS_TYPE_CNAME, &count));
    assert_int_equal(count, 1);
    assert_true(dns_message_count(whole, DNS_TYPE_MX, &count));
    assert_int_equal(count, 0);
    for (size_t len = 0; len < whole.len; len++)
        assert_false(dns_message_count(slice_part(whole, 0, len), 5, &count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_from_text),
        cmocka_unit_test(names_of_any_octets),
        cmocka_unit_test(txt_data),
        cmocka_unit_test(mx_data),
        cmocka_unit_test(tlsa_data),
        cmocka_unit_test(answers_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
