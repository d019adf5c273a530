/* milter_test.c: packets to a milter octet by octet, and what may come back. */
#include "wire/milter/reply.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct slice text_of(const struct buffer *b)
{
    return buffer_slice(b);
}

#define IS(buffer, literal) \
    assert_true(slice_equal(text_of(buffer), SLICE(literal))); \
    buffer_clear(buffer)

static void commands_are_written(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 4096);
    milter_append_options(&out, &(struct milter_options){ 6, 0x1ff, 0x1fffff });
    IS(&out, "\0\0\0\rO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff");
    milter_append_client(&out, &(struct milter_client){
        SLICE("mx"), MILTER_FAMILY_IPV4, 258, SLICE("192.0.2.1") });
    IS(&out, "\0\0\0\x11" "Cmx\0004\x01\x02" "192.0.2.1\0");
    milter_append_client(&out, &(struct milter_client){
        SLICE("x"), MILTER_FAMILY_UNKNOWN, 0, SLICE("") });
    IS(&out, "\0\0\0\x04" "Cx\0U");
    const struct slice mail[] = { SLICE_INIT("<a@b>"), SLICE_INIT("SIZE=1") };
    milter_append_strings(&out, MILTER_MAIL, mail, 2);
    IS(&out, "\0\0\0\x0e" "M<a@b>\0SIZE=1\0");
    milter_append_strings(&out, MILTER_DATA, NULL, 0);
    IS(&out, "\0\0\0\x01T");
    milter_append_chunk(&out, SLICE("a\0b"));
    IS(&out, "\0\0\0\x04" "Ba\0b");
    const struct slice macros[] = { SLICE_INIT("j"), SLICE_INIT("mx"), SLICE_INIT("{x}"),
                                    SLICE_INIT("") };
    milter_append_macros(&out, MILTER_HELO, macros, 2);
    IS(&out, "\0\0\0\x0c" "DHj\0mx\0{x}\0\0");
    buffer_free(&out);
}

static void a_nul_ends_no_string(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 4096);
    const struct slice header[] = { SLICE_INIT("X"), SLICE_INIT("a\0b\0") };
    milter_append_strings(&out, MILTER_HEADER, header, 2);
    IS(&out, "\0\0\0\x08" "LX\0a?b?\0");
    buffer_free(&out);
}

struct reply_case {
    struct slice bytes;
    char kind;          /* '!': broken; '.': more is needed */
    uint32_t index;
    const char *name;
    const char *text;
    const char *parameters;
};

static const struct reply_case cases[] = {
    { SLICE_INIT("\0\0\0\1c"), 'c' },
    { SLICE_INIT("\0\0\0\1a"), 'a' },
    { SLICE_INIT("\0\0\0\1r"), 'r' },
    { SLICE_INIT("\0\0\0\1t"), 't' },
    { SLICE_INIT("\0\0\0\1d"), 'd' },
    { SLICE_INIT("\0\0\0\1p"), 'p' },
    { SLICE_INIT("\0\0\0\1s"), 's' },
    { SLICE_INIT("\0\0\0\1f"), 'f' },
    { SLICE_INIT("\0\0\0\1""4"), '4' },
    { SLICE_INIT("\0\0\0\x0fy550 5.7.1 bad\0"), 'y', 0, "", "550 5.7.1 bad", "" },
    { SLICE_INIT("\0\0\0\6hA\0b\0"), '.' },
    { SLICE_INIT("\0\0\0\5hA\0b\0"), 'h', 0, "A", "b", "" },
    { SLICE_INIT("\0\0\0\3hA\0"), 'h', 0, "A", "", "" },
    { SLICE_INIT("\0\0\0\x09i\0\0\0\7A\0b\0"), 'i', 7, "A", "b", "" },
    { SLICE_INIT("\0\0\0\x08m\0\0\0\2A\0\0"), 'm', 2, "A", "", "" },
    { SLICE_INIT("\0\0\0\7+<a@b>\0"), '+', 0, "", "<a@b>", "" },
    { SLICE_INIT("\0\0\0\5-a@b\0"), '-', 0, "", "a@b", "" },
    { SLICE_INIT("\0\0\0\7" "2a@b\0N\0"), '2', 0, "", "a@b", "N" },
    { SLICE_INIT("\0\0\0\5" "2a@b\0"), '2', 0, "", "a@b", "" },
    { SLICE_INIT("\0\0\0\3e<\0"), 'e', 0, "", "<", "" },
    { SLICE_INIT("\0\0\0\4qwh\0"), 'q', 0, "", "wh", "" },
    { SLICE_INIT("\0\0\0\1b"), 'b' },
    { SLICE_INIT(""), '.' },
    { SLICE_INIT("\0\0\0"), '.' },
    { SLICE_INIT("\0\0\0\1"), '.' },
    { SLICE_INIT("\0\0\0\5hA\0b"), '.' },
    { SLICE_INIT("\0\0\0\0"), '!' },
    { SLICE_INIT("\xff\xff\xff\xff"), '!' },
    { SLICE_INIT("\0\4\0\1"), '!' },          /* one over the limit */
    { SLICE_INIT("\0\4\0\0"), '.' },          /* the limit */
    { SLICE_INIT("\0\0\0\1?"), '!' },
    { SLICE_INIT("\0\0\0\1\0"), '!' },
    { SLICE_INIT("\0\0\0\2cc"), '!' },
    { SLICE_INIT("\0\0\0\1y"), '!' },
    { SLICE_INIT("\0\0\0\4y550"), '!' },      /* a string without its end */
    { SLICE_INIT("\0\0\0\6y550\0x"), '!' },
    { SLICE_INIT("\0\0\0\2h\0"), '!' },       /* a field without a name */
    { SLICE_INIT("\0\0\0\4i\0\0\0"), '!' },
    { SLICE_INIT("\0\0\0\x07hA\0b\0c\0"), '!' },
    { SLICE_INIT("\0\0\0\x05O\0\0\0\6"), '!' },
    { SLICE_INIT("HTTP/1.1 200 OK\r\n"), '!' },
};

static enum milter_reply_result feed(struct milter_reader *r, struct slice bytes,
                                     size_t step, struct milter_reply *reply)
{
    enum milter_reply_result got = MILTER_REPLY_NEED_MORE;
    while (bytes.len > 0 && got == MILTER_REPLY_NEED_MORE) {
        struct slice part = slice_part(bytes, 0, step);
        bytes = slice_from(bytes, part.len);
        got = milter_reader_next(r, &part, reply);
    }
    return got;
}

static bool is_text(struct slice got, const char *wanted)
{
    return slice_equal(got, slice_from_string(wanted == NULL ? "" : wanted));
}

static void replies_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step <= cases[i].bytes.len + 1; step++) {
            struct milter_reader r;
            struct milter_reply reply = { .kind = 0 };
            milter_reader_init(&r);
            enum milter_reply_result got = feed(&r, cases[i].bytes, step, &reply);
            assert_int_equal(got, cases[i].kind == '!' ? MILTER_REPLY_BROKEN :
                             cases[i].kind == '.' ? MILTER_REPLY_NEED_MORE
                                                  : MILTER_REPLY_TAKEN);
            if (got == MILTER_REPLY_TAKEN) {
                assert_int_equal(reply.kind, cases[i].kind);
                assert_int_equal(reply.index, cases[i].index);
                assert_true(is_text(reply.name, cases[i].name));
                assert_true(is_text(reply.text, cases[i].text));
                assert_true(is_text(reply.parameters, cases[i].parameters));
            }
            milter_reader_free(&r);
        }
}

/* The wanted macros stand behind the three numbers. */
static void options_are_read(void **state)
{
    (void)state;
    static const struct slice bytes = SLICE_INIT(
        "\0\0\0\x20O\0\0\0\6\0\0\1\xff\0\x10\0\x40"
        "\0\0\0\2i j\0" "\0\0\0\5\0" "\0\0\0\x63x\0" );
    for (size_t step = 1; step <= bytes.len; step++) {
        struct milter_reader r;
        struct milter_reply reply;
        milter_reader_init(&r);
        assert_int_equal(feed(&r, bytes, step, &reply), MILTER_REPLY_TAKEN);
        assert_int_equal(reply.options.version, 6);
        assert_int_equal(reply.options.actions, MILTER_ACTIONS_V6);
        assert_int_equal(reply.options.protocol, MILTER_LEADING_SPACE | MILTER_NO_EOH);
        assert_true(is_text(reply.macros[MILTER_STAGE_MAIL], "i j"));
        assert_non_null(reply.macros[MILTER_STAGE_END_OF_MESSAGE].data);
        assert_null(reply.macros[MILTER_STAGE_CONNECT].data);
        milter_reader_free(&r);
    }
}

/* Several in one piece, a body with any octet, and the broken one for good. */
static void a_stream_is_cut(void **state)
{
    (void)state;
    struct slice input = SLICE("\0\0\0\4b\0\r\n\0\0\0\1p\0\0\0\1a\0\0\0\0\0\0\0\1a");
    struct milter_reader r;
    struct milter_reply reply;
    milter_reader_init(&r);
    assert_int_equal(milter_reader_next(&r, &input, &reply), MILTER_REPLY_TAKEN);
    assert_int_equal(reply.kind, MILTER_REPLY_REPLACE_BODY);
    assert_true(slice_equal(reply.body, SLICE("\0\r\n")));
    assert_int_equal(milter_reader_next(&r, &input, &reply), MILTER_REPLY_TAKEN);
    assert_int_equal(reply.kind, MILTER_REPLY_PROGRESS);
    assert_int_equal(milter_reader_next(&r, &input, &reply), MILTER_REPLY_TAKEN);
    assert_int_equal(reply.kind, MILTER_REPLY_ACCEPT);
    assert_int_equal(milter_reader_next(&r, &input, &reply), MILTER_REPLY_BROKEN);
    assert_int_equal(milter_reader_next(&r, &input, &reply), MILTER_REPLY_BROKEN);
    milter_reader_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_written),
        cmocka_unit_test(a_nul_ends_no_string),
        cmocka_unit_test(replies_are_read),
        cmocka_unit_test(options_are_read),
        cmocka_unit_test(a_stream_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
