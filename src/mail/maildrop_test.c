/* maildrop_test.c: what is written is read back; what is cut or bent is refused. */
#include "mail/maildrop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ARENA_BYTES = 4 * 1024 * 1024 };

static void goes_round(void **state)
{
    (void)state;
    const struct envelope_recipient to[] = {
        { .address = SLICE_INIT("b@y.example") },
        { .address = SLICE_INIT("\"c d\"@y.example"),
          .notify = DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY },
        { .address = SLICE_INIT("e@y.example"), .notify = DSN_NOTIFY_NEVER },
        { .address = SLICE_INIT("f@y.example") },
    };
    const struct envelope said = {
        .sender = SLICE_INIT("a@x.example"), .envid = SLICE_INIT("id+2B1"),
        .ret = DSN_RET_HEADERS, .recipients = to, .recipients_count = 4,
    };
    struct buffer b;
    struct arena arena;
    struct maildrop_head head;
    const char *fault = NULL;
    buffer_init(&b, MAILDROP_HEAD_MAX);
    arena_init(&arena, ARENA_BYTES);
    maildrop_append_head(&b, &said, 77);
    size_t len = buffer_len(&b);
    buffer_append(&b, SLICE("Subject: x\r\n\r\n\n\ny"));
    assert_int_equal(maildrop_parse_head(buffer_slice(&b), &arena, &head, &fault),
                     MAILDROP_OK);
    assert_int_equal(head.len, len);
    assert_int_equal(head.content_size, 77);
    assert_true(slice_equal(head.envelope.sender, said.sender));
    assert_true(slice_equal(head.envelope.envid, said.envid));
    assert_int_equal(head.envelope.ret, DSN_RET_HEADERS);
    assert_int_equal(head.envelope.recipients_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(slice_equal(head.envelope.recipients[i].address, to[i].address));
        assert_int_equal(head.envelope.recipients[i].notify, to[i].notify);
    }
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(maildrop_parse_head(slice_part(buffer_slice(&b), 0, cut), &arena,
                                             &head, &fault),
                         MAILDROP_SHORT);
    buffer_free(&b);
    arena_free(&arena);
}

static void null_sender(void **state)
{
    (void)state;
    struct arena arena;
    struct maildrop_head head;
    const char *fault;
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(maildrop_parse_head(SLICE("godwit-maildrop 1\nsender \n"
                                               "recipient b@y.example\nsize 0\n\n"),
                                         &arena, &head, &fault),
                     MAILDROP_OK);
    assert_int_equal(head.envelope.sender.len, 0);
    assert_false(head.envelope.smtputf8);
    arena_free(&arena);
}

#define HEAD "godwit-maildrop 1\nsender a@x.example\n"
#define TO "recipient b@y.example\n"

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *fault;
    } rows[] = {
        { "\n\n", "not of this form" },
        { "godwit-maildrop 2\nsender \n" TO "size 1\n\n", "not of this form" },
        { HEAD "size 1\n\n", "no sender, no recipient or no size" },
        { HEAD TO "\n", "no sender, no recipient or no size" },
        { "godwit-maildrop 1\n" TO "size 1\n\n", "no sender, no recipient or no size" },
        { HEAD "sender a@x.example\n" TO "size 1\n\n", "two senders" },
        { HEAD "recipient b\n" "size 1\n\n", "an address that is none" },
        { HEAD "recipient \n" "size 1\n\n", "an address that is none" },
        { HEAD "recipient <b@y>\n" "size 1\n\n", "an address that is none" },
        { HEAD "recipient b@y.example\r\nsize 1\n\n", "an address that is none" },
        { HEAD "recipient b@y.example NOTIFY=NEVER\nsize 1\n\n", "an address that is none" },
        { HEAD TO "size -1\n\n", "a size that is none" },
        { HEAD TO "size 1\nsize 1\n\n", "a size that is none" },
        { HEAD TO "size 99999999999999999999\n\n", "a size that is none" },
        { HEAD "notify 16\n" TO "size 1\n\n", "a notify that is none" },
        { HEAD "notify 3\n" TO "size 1\n\n", "a notify that is none" },
        { HEAD TO "ret all\nsize 1\n\n", "a ret that is none" },
        { HEAD TO "envid a b\nsize 1\n\n", "an envid that is none" },
        { HEAD TO "hold yes\nsize 1\n\n", "a line of a kind unknown" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena arena;
        struct maildrop_head head;
        const char *fault = "";
        arena_init(&arena, ARENA_BYTES);
        assert_int_equal(maildrop_parse_head(slice_from_string(rows[i].text), &arena, &head,
                                             &fault),
                         MAILDROP_BROKEN);
        assert_string_equal(fault, rows[i].fault);
        arena_free(&arena);
    }
}

static void endless(void **state)
{
    (void)state;
    struct arena arena;
    struct maildrop_head head;
    const char *fault = "";
    char *text = malloc(MAILDROP_HEAD_MAX);
    assert_non_null(text);
    memset(text, 'x', MAILDROP_HEAD_MAX);
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(maildrop_parse_head(slice_make(text, MAILDROP_HEAD_MAX), &arena, &head,
                                         &fault),
                     MAILDROP_BROKEN);
    assert_string_equal(fault, "a head that does not end");
    arena_free(&arena);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_round),
        cmocka_unit_test(null_sender),
        cmocka_unit_test(refused),
        cmocka_unit_test(endless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
