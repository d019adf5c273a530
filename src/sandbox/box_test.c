/* box_test.c: a store fed from a log, without processes. */
#include "sandbox/box_private.h"

#include "capture/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct loop *loop;
    struct capture *capture;
    struct box *box;
    int fd;
    char path[64];
    int64_t trying;
};

static void on_done(void *context, enum err result, struct mail_id id)
{
    (void)context;
    assert_int_equal(result, ERR_OK);
    assert_true(id.value != 0);
}

static void open_box(struct world *w)
{
    struct box_options options = { .loop = w->loop, .path = w->path, .log = w->fd,
                                   .domain = SLICE("sandbox.test"), .trying = &w->trying };
    assert_int_equal(box_open(&options, &w->box), ERR_OK);
}

static void open_world(struct world *w)
{
    struct moment start = { .mono_ms = 1000, .wall_ms = 1700000000000 };
    *w = (struct world){ .fd = memfd_create("log", 0), .path = "/tmp/godwit-box-test-XXXXXX" };
    int file = mkstemp(w->path);
    assert_true(file >= 0 && w->fd >= 0);
    close(file);
    assert_int_equal(loop_open_virtual(start, &w->loop), ERR_OK);
    struct capture_options options = { .loop = w->loop, .fd = w->fd, .told = -1 };
    assert_int_equal(capture_open(&options, &w->capture), ERR_OK);
    open_box(w);
}

static void close_world(struct world *w)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    char path[80];
    box_close(&w->box);
    capture_close(&w->capture);
    loop_close(&w->loop);
    close(w->fd);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", w->path, ends[i]);
        unlink(path);
    }
}

/* The place of its record. */
static uint64_t add(struct world *w, const char *octets)
{
    static const struct envelope_recipient to = { .address = SLICE_INIT("b@b.test") };
    static const struct envelope envelope = { .sender = SLICE_INIT("a@a.test"), .recipients = &to,
                                              .recipients_count = 1 };
    struct intake_writer *writer;
    struct intake_begin begin = { .home = loop_home(w->loop) };
    struct intake_commit commit = { .envelope = &envelope, .received_wall_ms = 42,
                                    .done = on_done };
    struct capture_reader reader;
    uint64_t place = 0;
    assert_int_equal(intake_begin(capture_intake(w->capture), &begin, &writer), ERR_OK);
    intake_write(writer, slice_from_string(octets));
    intake_commit(&writer, &commit);
    loop_run_virtual(w->loop, 0);
    capture_reader_init(&reader, w->fd, 0);
    while (capture_read(&reader))
        place = reader.item.place;
    capture_reader_free(&reader);
    return place;
}

static json_t *list(struct world *w, const char *search)
{
    struct box_query query = { .workspace = BOX_COMMON, .search = slice_from_string(search),
                               .oldest_first = true };
    struct box_found found;
    const char *why;
    assert_true(box_list(w->box, &query, &found, &why));
    assert_int_equal(json_array_size(found.messages), found.count);
    return found.messages;
}

static const char *subject(json_t *messages, size_t i)
{
    return json_string_value(json_object_get(json_array_get(messages, i), "subject"));
}

static void test_fed_again(void **state)
{
    struct world w;
    (void)state;
    open_world(&w);
    add(&w, "Subject: one\r\n\r\nalpha\r\n");
    assert_false(box_feed(w.box));
    box_close(&w.box); /* another one goes on behind it */
    add(&w, "Subject: two\r\n\r\nbeta\r\n");
    open_box(&w);
    box_feed(w.box);
    json_t *all = list(&w, "");
    assert_int_equal(json_array_size(all), 2);
    assert_string_equal(subject(all, 0), "one");
    assert_string_equal(subject(all, 1), "two");
    json_decref(all);
    all = list(&w, "alph");
    assert_int_equal(json_array_size(all), 1);
    json_decref(all);
    close_world(&w);
}

/* What ended the process before is shown by its octets, and what came behind it as ever. */
static void test_a_message_that_ended_the_process(void **state)
{
    struct world w;
    struct buffer raw;
    (void)state;
    open_world(&w);
    w.trying = (int64_t)add(&w, "Subject: evil\r\n\r\nx\r\n") + 1;
    add(&w, "Subject: good\r\n\r\nx\r\n");
    box_close(&w.box);
    open_box(&w);
    assert_int_equal(w.trying, 0);
    box_feed(w.box);
    json_t *all = list(&w, "");
    assert_int_equal(json_array_size(all), 2);
    assert_string_equal(subject(all, 0), "(this message could not be taken apart)");
    assert_string_equal(subject(all, 1), "good");
    const char *id = json_string_value(json_object_get(json_array_get(all, 0), "id"));
    json_t *whole = box_message(w.box, BOX_COMMON, slice_from_string(id));
    assert_true(json_string_length(json_object_get(whole, "opaque")) > 0);
    json_decref(whole);
    buffer_init(&raw, 100);
    assert_true(box_raw(w.box, BOX_COMMON, slice_from_string(id), &raw));
    assert_true(slice_equal(buffer_slice(&raw), SLICE("Subject: evil\r\n\r\nx\r\n")));
    buffer_free(&raw);
    json_decref(all);
    close_world(&w);
}

static void test_reset_and_delete(void **state)
{
    struct world w;
    (void)state;
    open_world(&w);
    for (int i = 0; i < 5; i++)
        add(&w, "Subject: x\r\n\r\nx\r\n");
    box_feed(w.box);
    assert_true(box_reset(w.box, BOX_COMMON));
    json_t *all = list(&w, "");
    assert_int_equal(json_array_size(all), 0);
    json_decref(all);
    loop_run_virtual(w.loop, 10000); /* what was reset goes */
    sqlite3_stmt *rows = db_statement(w.box, "SELECT (SELECT count(*) FROM message) + (SELECT "
                                             "count(*) FROM body) + (SELECT count(*) FROM shown)");
    assert_int_equal(db_number(rows, -1), 0);
    add(&w, "Subject: after\r\n\r\nx\r\n");
    box_feed(w.box);
    all = list(&w, "");
    assert_string_equal(subject(all, 0), "after");
    json_decref(all);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fed_again),
        cmocka_unit_test(test_a_message_that_ended_the_process),
        cmocka_unit_test(test_reset_and_delete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
