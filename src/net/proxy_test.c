/* proxy_test.c: both versions, whole and cut at every byte. */
#include "net/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define V2 "\r\n\r\n\0\r\nQUIT\n"

struct proxy_case {
    struct slice bytes;
    enum proxy_result result;
    const char *client; /* NULL: none */
    size_t len;
};

static const struct proxy_case cases[] = {
    { SLICE_INIT("PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\r\nEHLO"), PROXY_DONE,
      "[192.0.2.7]:56324", 44 },
    { SLICE_INIT("PROXY TCP6 2001:db8::1 2001:db8::2 1 25\r\n"), PROXY_DONE,
      "[2001:db8::1]:1", 41 },
    { SLICE_INIT("PROXY UNKNOWN\r\n"), PROXY_DONE, NULL, 15 },
    { SLICE_INIT("PROXY UNKNOWN ffff::1 x 1 2\r\n"), PROXY_DONE, NULL, 29 },
    { SLICE_INIT("PROXY TCP4 2001:db8::1 192.0.2.1 1 25\r\n"), PROXY_INVALID, NULL, 0 },
    { SLICE_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 65536 25\r\n"), PROXY_INVALID, NULL, 0 },
    { SLICE_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 1 25 x\r\n"), PROXY_INVALID, NULL, 0 },
    { SLICE_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 1 25\n"), PROXY_INVALID, NULL, 0 },
    { SLICE_INIT("EHLO x\r\n"), PROXY_INVALID, NULL, 0 },
    { SLICE_INIT(V2 "\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\xdc\x04\0\x19"),
      PROXY_DONE, "[192.0.2.7]:56324", 28 },
    { SLICE_INIT(V2 "\x20\x00\0\0"), PROXY_DONE, NULL, 16 },
    { SLICE_INIT(V2 "\x21\x11\0\x04\xc0\0\x02\x07"), PROXY_INVALID, NULL, 0 },
    { SLICE_INIT(V2 "\x31\x11\0\x0c"), PROXY_INVALID, NULL, 0 },
    { SLICE_INIT(V2 "\x21\x11\xff\xff"), PROXY_INVALID, NULL, 0 },
};

static void headers_parse_whole_and_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct proxy_case *c = &cases[i];
        struct proxy_header header;
        assert_int_equal(proxy_parse(c->bytes, &header), c->result);
        for (size_t cut = 0; cut < c->bytes.len; cut++) {
            enum proxy_result part = proxy_parse(slice_part(c->bytes, 0, cut), &header);
            if (c->result == PROXY_DONE)
                assert_int_equal(part, cut < c->len ? PROXY_MORE : PROXY_DONE);
            else
                assert_int_not_equal(part, PROXY_DONE);
        }
        if (c->result != PROXY_DONE)
            continue;
        assert_int_equal(proxy_parse(c->bytes, &header), PROXY_DONE);
        assert_int_equal(header.len, c->len);
        assert_int_equal(header.has_client, c->client != NULL);
        if (c->client == NULL)
            continue;
        struct buffer b;
        buffer_init(&b, 100);
        net_address_append(&b, &header.client);
        assert_true(slice_equal(buffer_slice(&b), slice_from_string(c->client)));
        buffer_free(&b);
    }
}

static void a_line_without_end_is_refused_at_its_limit(void **state)
{
    (void)state;
    char bytes[200] = "PROXY TCP4 ";
    memset(bytes + 11, '1', sizeof bytes - 11);
    struct proxy_header header;
    assert_int_equal(proxy_parse(slice_make(bytes, 106), &header), PROXY_MORE);
    assert_int_equal(proxy_parse(slice_make(bytes, 107), &header), PROXY_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_parse_whole_and_cut),
        cmocka_unit_test(a_line_without_end_is_refused_at_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
