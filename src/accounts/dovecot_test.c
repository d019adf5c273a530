/* dovecot_test.c: the lines of Dovecot's authentication protocol, and a peer that is bad at
 * it. */
#include "accounts/dovecot.h"

#include "base/fake_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static void lines_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum dovecot_verdict verdict;
        const char *user;
    } rows[] = {
        { "VERSION\t1\t2", DOVECOT_NOTHING, "" }, { "VERSION\t2\t0", DOVECOT_FAULT, "" },
        { "VERSION", DOVECOT_FAULT, "" }, { "MECH\tPLAIN\tplaintext", DOVECOT_NOTHING, "" },
        { "SPID\t7", DOVECOT_NOTHING, "" }, { "DONE", DOVECOT_NOTHING, "" },
        { "", DOVECOT_NOTHING, "" }, { "OK\t1\tuser=ann", DOVECOT_GRANTED, "ann" },
        { "OK\t1\tuser=a\001tb\0011\tx=y", DOVECOT_GRANTED, "a\tb\001" },
        { "OK\t1\tuser=a\001", DOVECOT_GRANTED, "a\001" },
        { "OK\t1", DOVECOT_FAULT, "" }, { "OK\t1\tuser=", DOVECOT_FAULT, "" },
        { "OK\t2\tuser=ann", DOVECOT_FAULT, "" }, { "OK", DOVECOT_FAULT, "" },
        { "FAIL\t1\tuser=ann\ttemp", DOVECOT_FAULT, "ann" },
        { "FAIL\t1\tuser=ann\treason=no", DOVECOT_REFUSED, "ann" },
        { "FAIL\t1", DOVECOT_REFUSED, "" }, { "CONT\t1\tabc", DOVECOT_FAULT, "" },
        { "ok\t1\tuser=ann", DOVECOT_NOTHING, "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer user;
        buffer_init(&user, 100);
        enum dovecot_verdict verdict = dovecot_read_line(slice_from_string(rows[i].line), &user);
        if (verdict != rows[i].verdict ||
            !slice_equal(buffer_slice(&user), slice_from_string(rows[i].user)))
            fail_msg("%s", rows[i].line);
        buffer_free(&user);
    }
}

static void a_request_is_written(void **state)
{
    (void)state;
    struct net_address client;
    struct buffer out;
    assert_true(net_host_parse(SLICE("192.0.2.1"), 25, &client));
    struct dovecot_request r = { .name = SLICE("ann"), .password = SLICE("p"),
                                 .client = &client, .is_secured = true };
    buffer_init(&out, 4096);
    assert_true(dovecot_write_request(&r, 7, &out));
    assert_true(slice_equal(buffer_slice(&out),
                            SLICE("VERSION\t1\t2\nCPID\t7\nAUTH\t1\tPLAIN\tservice=smtp\t"
                                  "secured\trip=192.0.2.1\tresp=AGFubgBw\n")));
    buffer_clear(&out);
    r.name = SLICE("a\0b");
    assert_false(dovecot_write_request(&r, 7, &out));
    buffer_free(&out);
}

/* ---- a socket, and who answers there ---- */

struct answer {
    struct loop *loop;
    struct dovecot *asked;
    enum dovecot_verdict verdict;
    char user[100];
};

static void on_done(void *context, enum dovecot_verdict verdict, struct slice user)
{
    struct answer *a = context;
    a->verdict = verdict;
    snprintf(a->user, sizeof a->user, "%.*s", (int)user.len, user.len > 0 ? user.data : "");
    dovecot_cancel(&a->asked);
    loop_stop(a->loop);
}

/* Asks a peer that says `reply`, in pieces of `piece` bytes, and goes. */
static enum dovecot_verdict ask(const char *reply, size_t piece, char user[100])
{
    struct answer a = { .verdict = DOVECOT_NOTHING };
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    snprintf(at.sun_path, sizeof at.sun_path, "%s/auth", fake_folder);
    unlink(at.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(loop_open(&a.loop), ERR_OK);
    struct dovecot_request r = {
        .loop = a.loop, .path = slice_from_string(at.sun_path), .name = SLICE("ann"),
        .password = SLICE("p"), .done = on_done, .context = &a,
    };
    a.asked = dovecot_ask(&r);
    assert_non_null(a.asked);
    int peer = accept(listener, NULL, NULL); /* it is connected in the kernel already */
    for (size_t i = 0; i < strlen(reply); i += piece) {
        size_t len = strlen(reply) - i < piece ? strlen(reply) - i : piece;
        assert_int_equal(write(peer, reply + i, len), (ssize_t)len);
    }
    shutdown(peer, SHUT_WR);
    loop_run(a.loop);
    close(peer);
    close(listener);
    loop_close(&a.loop);
    memcpy(user, a.user, 100);
    return a.verdict;
}

static void what_comes_back_counts(void **state)
{
    (void)state;
    char user[100];
    static const char hello[] = "VERSION\t1\t2\nMECH\tPLAIN\nSPID\t1\nDONE\n";
    char reply[400];
    static const size_t pieces[] = { 1, 7, 1000 };
    for (size_t i = 0; i < 3; i++) {
        snprintf(reply, sizeof reply, "%sOK\t1\tuser=ann@x\n", hello);
        assert_int_equal(ask(reply, pieces[i], user), DOVECOT_GRANTED);
        assert_string_equal(user, "ann@x");
        snprintf(reply, sizeof reply, "%sFAIL\t1\tuser=ann\n", hello);
        assert_int_equal(ask(reply, pieces[i], user), DOVECOT_REFUSED);
        assert_int_equal(ask(hello, pieces[i], user), DOVECOT_FAULT);
    }
    assert_int_equal(ask("OK\t1\tuser=ann", 1000, user), DOVECOT_FAULT); /* no LF came */
    assert_int_equal(ask("", 1, user), DOVECOT_FAULT);
    char *long_line = malloc(100000);
    memset(long_line, 'x', 99999);
    long_line[99999] = '\0';
    assert_int_equal(ask(long_line, 20000, user), DOVECOT_FAULT);
    free(long_line);
}

static void nobody_there_is_a_fault(void **state)
{
    (void)state;
    struct answer a = { .verdict = DOVECOT_NOTHING };
    char path[200];
    snprintf(path, sizeof path, "%s/nothing", fake_folder);
    assert_int_equal(loop_open(&a.loop), ERR_OK);
    struct dovecot_request r = {
        .loop = a.loop, .path = slice_from_string(path), .name = SLICE("ann"),
        .password = SLICE("p"), .done = on_done, .context = &a,
    };
    a.asked = dovecot_ask(&r);
    if (a.asked != NULL) { /* else it was told at once */
        loop_run(a.loop);
        assert_int_equal(a.verdict, DOVECOT_FAULT);
    }
    loop_close(&a.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read),
        cmocka_unit_test(a_request_is_written),
        cmocka_unit_test_setup_teardown(what_comes_back_counts, fake_folder_make,
                                        fake_folder_remove),
        cmocka_unit_test_setup_teardown(nobody_there_is_a_fault, fake_folder_make,
                                        fake_folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
