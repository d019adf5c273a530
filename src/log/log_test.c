/* log_test.c: lines stay whole, escaped, in order, and are dropped when nobody
 * reads, without blocking the one who logs. */
#include "log/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static size_t read_all(int fd, char *into, size_t max)
{
    size_t len = 0;
    ssize_t got;
    while (len < max && (got = read(fd, into + len, max - len)) > 0)
        len += (size_t)got;
    into[len < max ? len : max - 1] = '\0';
    return len;
}

static void human_lines_quote_and_escape(void **state)
{
    (void)state;
    int fds[2];
    static char text[8192];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(log_open(fds[1], LOG_FORM_HUMAN, LOG_INFO), ERR_OK);
    struct log_line line;
    log_begin(&line, LOG_INFO, "accepted");
    log_text(&line, "from", SLICE("a@b.test"));
    log_text(&line, "helo", SLICE("x y\r\n\x1b\"q"));
    log_number(&line, "size", -12);
    log_end(&line);
    log_begin(&line, LOG_DEBUG, "unseen");
    log_end(&line);
    log_close();
    close(fds[1]);
    read_all(fds[0], text, sizeof text);
    assert_non_null(strstr(text, "Z info accepted from=a@b.test "
                                 "helo=\"x y\\x0d\\x0a\\x1b\\\"q\" size=-12\n"));
    assert_null(strstr(text, "unseen"));
    close(fds[0]);
}

static void json_stays_whole_when_cut(void **state)
{
    (void)state;
    int fds[2];
    static char text[16384];
    static char big[6000];
    memset(big, 'x', sizeof big);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(log_open(fds[1], LOG_FORM_JSON, LOG_INFO), ERR_OK);
    struct log_line line;
    log_begin(&line, LOG_WARNING, "big");
    log_flag(&line, "yes", true);
    log_text(&line, "text", slice_make(big, sizeof big));
    log_number(&line, "after", 1);
    log_end(&line);
    log_text(&line, "utf8", SLICE("\xff"));
    log_close();
    close(fds[1]);
    size_t len = read_all(fds[0], text, sizeof text);
    assert_non_null(strstr(text, "\"level\":\"warning\",\"event\":\"big\",\"yes\":true"));
    assert_string_equal(text + len - 13, ",\"cut\":true}\n");
    close(fds[0]);
}

enum { THREADS = 4, LINES = 500 };

static void *chatter(void *argument)
{
    for (int i = 0; i < LINES; i++) {
        struct log_line line;
        log_begin(&line, LOG_INFO, "chat");
        log_number(&line, "thread", (int64_t)(intptr_t)argument);
        log_number(&line, "n", i);
        log_end(&line);
    }
    return NULL;
}

/* What threads have written, each of them told its number. */
static FILE *written_by(void *(*run)(void *argument))
{
    char path[] = "/tmp/godwit-log-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(log_open(fd, LOG_FORM_HUMAN, LOG_INFO), ERR_OK);
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, run, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    log_close();
    lseek(fd, 0, SEEK_SET);
    return fdopen(fd, "r");
}

static void threads_keep_their_order(void **state)
{
    (void)state;
    FILE *file = written_by(chatter);
    int next[THREADS] = { 0 };
    char text[256];
    while (fgets(text, sizeof text, file) != NULL) {
        int thread;
        int n;
        assert_int_equal(sscanf(strstr(text, "thread="), "thread=%d n=%d", &thread, &n), 2);
        assert_int_equal(n, next[thread]++);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(next[i], LINES);
    fclose(file);
}

/* Threads that take turns: what the one says after the other stands after it. */
static atomic_int turn;

static void *taker_of_turns(void *argument)
{
    for (int i = (int)(intptr_t)argument; i < LINES; i += THREADS) {
        while (atomic_load(&turn) != i)
            sched_yield();
        struct log_line line;
        log_begin(&line, LOG_INFO, "turn");
        log_number(&line, "n", i);
        log_end(&line);
        atomic_store(&turn, i + 1);
    }
    return NULL;
}

static void causes_stand_before_effects(void **state)
{
    (void)state;
    FILE *file = written_by(taker_of_turns);
    int next = 0;
    char text[256];
    while (fgets(text, sizeof text, file) != NULL) {
        int n;
        assert_int_equal(sscanf(strstr(text, "n="), "n=%d", &n), 1);
        assert_int_equal(n, next++);
    }
    assert_int_equal(next, LINES);
    fclose(file);
}

static void a_reader_that_sleeps_blocks_nobody(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(log_open(fds[1], LOG_FORM_HUMAN, LOG_INFO), ERR_OK);
    uint64_t before = log_dropped();
    for (int i = 0; i < 20000; i++)
        log_note(LOG_INFO, "flood", "nobody reads this pipe, it holds 64 KiB only");
    assert_true(log_dropped() > before);
    close(fds[0]); /* the writer is let go by EPIPE */
    log_close();
    close(fds[1]);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(human_lines_quote_and_escape),
        cmocka_unit_test(json_stays_whole_when_cut),
        cmocka_unit_test(threads_keep_their_order),
        cmocka_unit_test(causes_stand_before_effects),
        cmocka_unit_test(a_reader_that_sleeps_blocks_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
