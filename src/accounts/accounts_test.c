/* accounts_test.c: who is who, and what aliases become. */
#include "accounts/accounts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char yaml[] =
    "hostname: mx.example\n"
    "domains:\n"
    "  our.example:\n"
    "    users: [ann, bob, '\"john doe\"', Carl]\n"
    "    deliver: { maildir: '/m/{user}' }\n"
    "    aliases:\n"
    "      both: [ann, bob]\n"
    "      nest: [both, carl, out@far.example]\n"
    "      ann: [ann, far@far.example]\n"
    "      loop: pool\n"
    "      pool: [loop, carl]\n"
    "      half: [pool, bob, half]\n"
    "      postmaster: bob\n"
    "  all.example: { aliases: { '*': ann@our.example }, users: [dan],\n"
    "                 deliver: { maildir: /m } }\n"
    "  relayed.example: { relay: true }\n"
    "  lone.example: { users: [eve], deliver: { maildir: /m } }\n"
    "  '[192.0.2.1]': { users: [lit], deliver: { maildir: /m } }\n"
    "  lmtp.example: { users: [ann, 'bob+x', '\"j d\"'], deliver: { lmtp: /run/lmtp },\n"
    "                  aliases: { list: ann, '+': ann } }\n"
    "  minus.example: { users: [ann], deliver: { maildir: /m }, subaddress: '-' }\n"
    "  none.example: { users: [ann], deliver: { maildir: /m }, subaddress: '' }\n"
    "  bücher.example: { users: [zoë], deliver: { maildir: /m } }\n";

static const struct config *config;

static int setup(void **state)
{
    char name[] = "/tmp/godwit-accounts-XXXXXX";
    struct config_error error;
    (void)state;
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, sizeof yaml - 1), sizeof yaml - 1);
    close(fd);
    enum err result = config_load(slice_from_string(name), NULL, &config, &error);
    unlink(name);
    if (result != ERR_OK)
        print_error("%s\n", error.text);
    return result == ERR_OK ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    config_drop(&config);
    return 0;
}

static void test_find(void **state)
{
    static const struct {
        const char *address;
        enum account_kind kind;
    } rows[] = {
        { "ann@our.example", ACCOUNT_ALIAS },
        { "bob@our.example", ACCOUNT_USER },
        { "BOB@OUR.Example", ACCOUNT_USER },
        { "\"bob\"@our.example", ACCOUNT_USER },
        { "\"b\\ob\"@our.example", ACCOUNT_USER },
        { "carl@our.example", ACCOUNT_USER },
        { "\"John Doe\"@our.example", ACCOUNT_USER },
        { "nobody@our.example", ACCOUNT_UNKNOWN },
        { "*@our.example", ACCOUNT_UNKNOWN },
        { "bob@sub.our.example", ACCOUNT_FOREIGN },
        { "bob@far.example", ACCOUNT_FOREIGN },
        { "any@all.example", ACCOUNT_ALIAS },
        { "dan@all.example", ACCOUNT_USER },
        { "*@all.example", ACCOUNT_ALIAS },
        { "x@relayed.example", ACCOUNT_RELAY },
        { "Postmaster", ACCOUNT_ALIAS },
        { "postmaster@lone.example", ACCOUNT_ALIAS },
        { "postmaster@far.example", ACCOUNT_FOREIGN },
        { "lit@[192.0.2.1]", ACCOUNT_USER },
        { "bob@[192.0.2.1]", ACCOUNT_UNKNOWN },
        { "bob@[127.0.0.1]", ACCOUNT_FOREIGN },
        { "zo\xc3\xab@b\xc3\xbc""cher.example", ACCOUNT_USER },
        { "zo\xc3\xab@xn--bcher-kva.example", ACCOUNT_USER },
        { "bob%far.example@our.example", ACCOUNT_UNKNOWN },
        { "far.example!bob@our.example", ACCOUNT_UNKNOWN },
        { "\"bob@our.example\"@our.example", ACCOUNT_UNKNOWN },
        { "\"bob@our.example\"@far.example", ACCOUNT_FOREIGN },
        /* subaddresses: another's Maildir knows no details, LMTP may */
        { "bob+news@our.example", ACCOUNT_ALIAS },
        { "Carl+a+b@our.example", ACCOUNT_ALIAS },
        { "\"john doe+x\"@our.example", ACCOUNT_ALIAS },
        { "nobody+bob@our.example", ACCOUNT_UNKNOWN },
        { "+bob@our.example", ACCOUNT_UNKNOWN },
        { "bob-news@our.example", ACCOUNT_UNKNOWN },
        { "ann+x@lmtp.example", ACCOUNT_USER },
        { "bob+x@lmtp.example", ACCOUNT_USER },
        { "bob@lmtp.example", ACCOUNT_UNKNOWN },
        { "bob+x+y@lmtp.example", ACCOUNT_UNKNOWN },
        { "list+x@lmtp.example", ACCOUNT_ALIAS },
        { "+@lmtp.example", ACCOUNT_ALIAS },
        { "ann-x@minus.example", ACCOUNT_ALIAS },
        { "ann+x@minus.example", ACCOUNT_UNKNOWN },
        { "ann+x@none.example", ACCOUNT_UNKNOWN },
        { "x+y@relayed.example", ACCOUNT_RELAY },
        { "x+y@far.example", ACCOUNT_FOREIGN },
        { "|/bin/sh@our.example", ACCOUNT_UNKNOWN },
        { "/etc/passwd@our.example", ACCOUNT_UNKNOWN },
        { "no address", ACCOUNT_UNKNOWN },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum account_kind kind;
        assert_int_equal(accounts_find(config, slice_from_string(rows[i].address), &kind),
                         ERR_OK);
        if (kind != rows[i].kind)
            fail_msg("%s: %d, not %d", rows[i].address, (int)kind, (int)rows[i].kind);
    }
}

/* "address|orcpt|notify" of each recipient, parted by spaces. */
static void assert_expands(const struct envelope_recipient *recipients, size_t count,
                           const char *expected)
{
    struct arena arena;
    struct buffer text;
    struct envelope out;
    struct envelope in = { .sender = SLICE("s@far.example"), .recipients = recipients,
                           .recipients_count = count, .ret = DSN_RET_FULL };
    arena_init(&arena, 1 << 20);
    buffer_init(&text, 1 << 16);
    assert_int_equal(accounts_expand(config, &in, &arena, &out), ERR_OK);
    assert_int_equal(out.ret, DSN_RET_FULL);
    for (size_t i = 0; i < out.recipients_count; i++) {
        const struct envelope_recipient *r = &out.recipients[i];
        buffer_append_format(&text, "%s%.*s|%.*s|%u", i == 0 ? "" : " ",
                             (int)r->address.len, r->address.data, (int)r->orcpt.len,
                             r->orcpt.data == NULL ? "" : r->orcpt.data, r->notify);
    }
    buffer_append_byte(&text, '\0');
    assert_string_equal(buffer_slice(&text).data, expected);
    buffer_free(&text);
    arena_free(&arena);
}

#define TO(literal) { .address = SLICE_INIT(literal) }

static void test_expand(void **state)
{
    (void)state;
    static const struct envelope_recipient plain[] = { TO("bob@our.example"),
                                                       TO("x@far.example") };
    assert_expands(plain, 2, "bob@our.example||0 x@far.example||0");
    static const struct envelope_recipient nested[] = { TO("nest@our.example") };
    assert_expands(nested, 1,
                   "ann@our.example|rfc822;nest@our.example|0 "
                   "far@far.example|rfc822;nest@our.example|0 "
                   "bob@our.example|rfc822;nest@our.example|0 "
                   "carl@our.example|rfc822;nest@our.example|0 "
                   "out@far.example|rfc822;nest@our.example|0");
    static const struct envelope_recipient master[] = { TO("Postmaster") };
    assert_expands(master, 1, "bob@our.example|rfc822;Postmaster|0");
    static const struct envelope_recipient plus[] = { TO("a+b@all.example") };
    assert_expands(plus, 1, "ann@our.example|rfc822;a+2Bb@all.example|0 "
                            "far@far.example|rfc822;a+2Bb@all.example|0");
    static const struct envelope_recipient detail[] = {
        TO("bob+a@our.example"), TO("Bob@our.example"), TO("\"john doe+x\"@our.example"),
        TO("ann+x@lmtp.example"), TO("ann+x@our.example"),
    };
    assert_expands(detail, 5, "bob@our.example|rfc822;bob+2Ba@our.example|0 "
                   "\"john doe\"@our.example|rfc822;\"john+20doe+2Bx\"@our.example|0 "
                   "ann+x@lmtp.example||0 ann@our.example|rfc822;ann+2Bx@our.example|0 "
                   "far@far.example|rfc822;ann+2Bx@our.example|0");
    static const struct envelope_recipient orcpt[] = {
        { .address = SLICE_INIT("both@our.example"), .notify = DSN_NOTIFY_SUCCESS,
          .orcpt = SLICE_INIT("rfc822;first@x.example") } };
    assert_expands(orcpt, 1, "ann@our.example|rfc822;first@x.example|2 "
                             "far@far.example|rfc822;first@x.example|2 "
                             "bob@our.example|rfc822;first@x.example|2");
}

static void test_loops(void **state)
{
    (void)state;
    static const struct envelope_recipient half[] = { TO("half@our.example") };
    assert_expands(half, 1, "carl@our.example|rfc822;half@our.example|0 "
                            "bob@our.example|rfc822;half@our.example|0");
    static const struct envelope_recipient loop[] = { TO("loop@our.example") };
    assert_expands(loop, 1, "carl@our.example|rfc822;loop@our.example|0");
}

static void test_duplicates(void **state)
{
    (void)state;
    static const struct envelope_recipient same[] = { TO("bob@our.example"),
                                                      TO("\"BOB\"@OUR.example"),
                                                      TO("postmaster@our.example") };
    assert_expands(same, 3, "bob@our.example||0");
    static const struct envelope_recipient cases[] = { TO("Bob@far.example"),
                                                       TO("bob@far.example"),
                                                       TO("bob@FAR.example") };
    assert_expands(cases, 3, "Bob@far.example||0 bob@far.example||0");
    static const struct envelope_recipient notify[] = {
        { .address = SLICE_INIT("x@far.example"), .notify = DSN_NOTIFY_NEVER },
        { .address = SLICE_INIT("x@far.example"), .notify = DSN_NOTIFY_SUCCESS },
        { .address = SLICE_INIT("y@far.example"), .notify = DSN_NOTIFY_NEVER },
        { .address = SLICE_INIT("y@far.example"), .notify = DSN_NOTIFY_NEVER },
        { .address = SLICE_INIT("z@far.example") },
        { .address = SLICE_INIT("z@far.example"), .notify = DSN_NOTIFY_SUCCESS },
    };
    assert_expands(notify, 6, "x@far.example||2 y@far.example||1 z@far.example||14");
}

static void test_memory(void **state)
{
    (void)state;
    static const struct envelope_recipient nested[] = { TO("nest@our.example") };
    struct envelope in = { .recipients = nested, .recipients_count = 1 };
    struct envelope out = { .recipients_count = 77 };
    enum err result = ERR_MEMORY;
    for (size_t max = 0; result != ERR_OK; max += 16) {
        struct arena arena;
        arena_init(&arena, max);
        result = accounts_expand(config, &in, &arena, &out);
        assert_true(result == ERR_OK || result == ERR_MEMORY);
        assert_int_equal(out.recipients_count, result == ERR_OK ? 5 : 77);
        arena_free(&arena);
        assert_true(max < 1 << 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),       cmocka_unit_test(test_expand),
        cmocka_unit_test(test_loops),      cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
