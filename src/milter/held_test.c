/* held_test.c: what is held comes back as it was, small and large, and its file is nameless. */
#include "milter/held.h"

#include "base/buffer.h"
#include "event/loop.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    char folder[64];
    struct loop *loop;
    struct workers *workers;
    struct held *held;
};

static void stop(void *context)
{
    loop_stop(((struct world *)context)->loop);
}

static void open_world(struct world *w, uint64_t max)
{
    snprintf(w->folder, sizeof w->folder, "held_test.XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    assert_int_equal(loop_open(&w->loop), ERR_OK);
    assert_int_equal(workers_open(1, 16, &w->workers), ERR_OK);
    struct held_options options = { w->workers, loop_home(w->loop), w->folder, max };
    assert_int_equal(held_open(&options, &w->held), ERR_OK);
    held_tell(w->held, stop, w);
}

static unsigned files_in(const char *folder)
{
    unsigned count = 0;
    DIR *dir = opendir(folder);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count - 2;
}

static void close_world(struct world *w)
{
    held_close(&w->held);
    workers_close(&w->workers);
    loop_close(&w->loop);
    assert_int_equal(files_in(w->folder), 0);
    assert_int_equal(rmdir(w->folder), 0);
}

static void append(struct world *w, struct slice bytes)
{
    enum held_result result = held_append(w->held, bytes);
    assert_int_not_equal(result, HELD_FAILED);
    if (result == HELD_WAIT)
        loop_run(w->loop);
}

static char octet(uint64_t at)
{
    return (char)(at * 31 + at / 251);
}

static void it_comes_back(void **state)
{
    static const uint64_t sizes[] = { 0, 1, 65535, 65536, 65537, 1000000 };
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct world w;
        char piece[1009];
        open_world(&w, 1000000);
        for (uint64_t at = 0; at < sizes[s];) {
            size_t len = sizes[s] - at < sizeof piece ? (size_t)(sizes[s] - at) : sizeof piece;
            for (size_t i = 0; i < len; i++)
                piece[i] = octet(at + i);
            append(&w, slice_make(piece, len));
            at += len;
        }
        assert_int_equal(held_size(w.held), sizes[s]);
        for (int round = 0; round < 2; round++) {
            uint64_t at = 0;
            struct slice got;
            for (;;) {
                enum held_result result = held_read(w.held, at, &got);
                assert_int_not_equal(result, HELD_FAILED);
                if (result == HELD_WAIT) {
                    loop_run(w.loop);
                    continue;
                }
                if (got.len == 0)
                    break;
                for (size_t i = 0; i < got.len; i++)
                    assert_int_equal(got.data[i], octet(at + i));
                at += got.len;
            }
            assert_int_equal(at, sizes[s]);
        }
        assert_int_equal(files_in(w.folder), 0);
        close_world(&w);
    }
}

static void it_has_an_end(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, 10);
    assert_int_equal(held_append(w.held, SLICE("0123456789")), HELD_OK);
    assert_int_equal(held_append(w.held, SLICE("x")), HELD_FAILED);
    assert_int_equal(held_trouble(w.held), ERR_FULL);
    struct slice got;
    assert_int_equal(held_read(w.held, 0, &got), HELD_FAILED);
    close_world(&w);
}

static void it_may_go_while_it_is_written(void **state)
{
    (void)state;
    struct world w;
    char *large = calloc(1, 100000);
    open_world(&w, 1000000);
    assert_int_equal(held_append(w.held, slice_make(large, 100000)), HELD_WAIT);
    held_close(&w.held);
    struct held_options options = { w.workers, loop_home(w.loop), w.folder, 1000000 };
    assert_int_equal(held_open(&options, &w.held), ERR_OK);
    held_tell(w.held, stop, &w);
    assert_int_equal(held_append(w.held, slice_make(large, 100000)), HELD_WAIT);
    loop_run(w.loop); /* the second is done after the first */
    free(large);
    close_world(&w);
}

static void a_folder_that_is_gone_fails_it(void **state)
{
    (void)state;
    struct world w;
    char *large = calloc(1, 100000);
    open_world(&w, 1000000);
    assert_int_equal(rmdir(w.folder), 0);
    assert_int_equal(held_append(w.held, slice_make(large, 100000)), HELD_WAIT);
    loop_run(w.loop);
    assert_int_equal(held_append(w.held, SLICE("x")), HELD_FAILED);
    assert_int_equal(held_trouble(w.held), ERR_ABSENT);
    held_close(&w.held);
    workers_close(&w.workers);
    loop_close(&w.loop);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_back),
        cmocka_unit_test(it_has_an_end),
        cmocka_unit_test(it_may_go_while_it_is_written),
        cmocka_unit_test(a_folder_that_is_gone_fails_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
