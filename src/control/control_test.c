/* control_test.c: questions and answers over a real socket, and frames that lie. */
#include "control/client.h"
#include "control/frame.h"
#include "control/server.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct loop *loop;
    struct control_server *server;
    pthread_t thread;
    char directory[64];
};

static void handle(void *context, struct control_call *call, const json_t *request)
{
    struct fixture *f = context;
    const char *command = json_string_value(json_object_get(request, "command"));
    if (command != NULL && strcmp(command, "count") == 0) {
        json_int_t to = json_integer_value(json_object_get(request, "to"));
        for (json_int_t i = 0; i < to; i++)
            control_say(call, json_pack("{s:I}", "n", i));
        control_done(call, NULL, json_pack("{s:I}", "sum", to));
    } else if (command != NULL && strcmp(command, "stop") == 0) {
        control_done(call, NULL, NULL);
        loop_stop(f->loop);
    } else {
        control_done(call, "unknown command", NULL);
    }
}

static void *serve(void *argument)
{
    struct fixture *f = argument;
    loop_run(f->loop);
    return NULL;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->directory, sizeof f->directory, "/tmp/godwit-control-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    assert_int_equal(loop_open(&f->loop), ERR_OK);
    assert_int_equal(control_server_open(f->loop, f->directory, handle, f, &f->server),
                     ERR_OK);
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct control_client *client;
    json_t *last;
    assert_int_equal(control_connect(f->directory, &client), ERR_OK);
    assert_int_equal(control_ask(client, json_pack("{s:s}", "command", "stop"), NULL, NULL,
                                 &last), ERR_OK);
    json_decref(last);
    pthread_join(f->thread, NULL);
    control_disconnect(&client);
    control_server_close(&f->server);
    loop_close(&f->loop);
    assert_int_equal(rmdir(f->directory), 0);
    free(f);
    return 0;
}

static bool count_each(void *context, const json_t *object)
{
    json_int_t *next = context;
    assert_int_equal(json_integer_value(json_object_get(object, "n")), *next);
    ++*next;
    return true;
}

static void answers_come_in_order_and_end(void **state)
{
    struct fixture *f = *state;
    struct control_client *client;
    json_t *last;
    assert_int_equal(control_connect(f->directory, &client), ERR_OK);
    for (json_int_t to = 0; to < 60000; to = to * 3 + 1000) {
        json_int_t next = 0;
        assert_int_equal(control_ask(client, json_pack("{s:s,s:I}", "command", "count",
                                                       "to", to),
                                     count_each, &next, &last), ERR_OK);
        assert_int_equal(next, to);
        assert_true(json_is_true(json_object_get(last, "ok")));
        json_decref(last);
    }
    assert_int_equal(control_ask(client, json_pack("{s:s}", "command", "dance"), NULL,
                                 NULL, &last), ERR_OK);
    assert_true(json_is_false(json_object_get(last, "ok")));
    assert_string_equal(json_string_value(json_object_get(last, "error")),
                        "unknown command");
    json_decref(last);
    control_disconnect(&client);
}

static void the_socket_is_for_its_owner(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat status;
    snprintf(path, sizeof path, "%s/control.sock", f->directory);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    struct control_client *client;
    assert_int_equal(control_connect("/nonexistent", &client), ERR_ABSENT);
}

static int raw_connect(const struct fixture *f)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s/control.sock", f->directory);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void frames_that_lie_end_the_connection(void **state)
{
    struct fixture *f = *state;
    static char deep[4 + 80];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "\0\0\0\x50{", 5);
    const struct slice frames[] = {
        slice_make("\xff\xff\xff\xff", 4), slice_make("\0\0\0\x02[]", 6),
        slice_make("\0\0\0\x01x", 5), slice_make("\0\0\0\0", 4),
        slice_make(deep, sizeof deep),
    };
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        int fd = raw_connect(f);
        char byte;
        assert_int_equal(write(fd, frames[i].data, frames[i].len), frames[i].len);
        assert_int_equal(read(fd, &byte, 1), 0);
        close(fd);
    }
}

static void frames_come_in_pieces(void **state)
{
    (void)state;
    struct buffer out;
    struct buffer in;
    buffer_init(&out, 1000);
    buffer_init(&in, 1000);
    json_t *object = json_pack("{s:s}", "a", "b");
    assert_true(frame_append(&out, object));
    json_decref(object);
    struct slice bytes = buffer_slice(&out);
    for (size_t i = 0; i < bytes.len; i++) {
        assert_int_equal(frame_take(&in, &object), FRAME_MORE);
        buffer_append_byte(&in, bytes.data[i]);
    }
    assert_int_equal(frame_take(&in, &object), FRAME_TAKEN);
    assert_string_equal(json_string_value(json_object_get(object, "a")), "b");
    json_decref(object);
    buffer_free(&out);
    buffer_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_come_in_order_and_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_socket_is_for_its_owner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(frames_that_lie_end_the_connection, set_up,
                                        tear_down),
        cmocka_unit_test(frames_come_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
