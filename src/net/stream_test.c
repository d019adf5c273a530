/* stream_test.c: two ends of a connection over loopback. */
#include "event/timer.h"
#include "net/listener.h"
#include "net/stream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAYLOAD = 3 * 1000 * 1000 };

struct end {
    struct stream_owner owner;
    struct stream *stream;
    struct loop *loop;
    size_t sent;
    size_t got;
    bool ended;
    int failed;
};

struct server {
    struct listener_owner owner;
    struct end *end;
};

static char block[64 * 1024];

static void send_more(struct end *e)
{
    while (e->sent < PAYLOAD && stream_queued(e->stream) == 0) {
        size_t len = PAYLOAD - e->sent < sizeof block ? PAYLOAD - e->sent : sizeof block;
        assert_int_equal(stream_write(e->stream, slice_make(block, len)), ERR_OK);
        e->sent += len;
    }
    if (e->sent == PAYLOAD && e->stream != NULL)
        stream_finish(&e->stream);
}

static void sender_event(struct stream_owner *owner, enum stream_event event)
{
    struct end *e = (struct end *)(void *)owner;
    if (event == STREAM_CONNECTED || event == STREAM_DRAINED)
        send_more(e);
    else if (event == STREAM_FAILED) {
        e->failed = stream_error(e->stream);
        stream_close(&e->stream);
        loop_stop(e->loop);
    }
}

static void receiver_event(struct stream_owner *owner, enum stream_event event)
{
    struct end *e = (struct end *)(void *)owner;
    assert_int_equal(event, STREAM_INPUT);
    size_t len;
    switch (stream_read(e->stream, loop_scratch(e->loop), LOOP_SCRATCH_BYTES, &len)) {
    case STREAM_READ_SOME:
        e->got += len;
        return;
    case STREAM_READ_END:
        e->ended = true;
        stream_close(&e->stream);
        loop_stop(e->loop);
        return;
    case STREAM_READ_NOTHING:
        return;
    case STREAM_READ_FAILED:
        fail();
    }
}

static void on_accepted(struct listener_owner *owner, int fd,
                        const struct net_address *client)
{
    struct server *s = (struct server *)(void *)owner;
    assert_true(net_address_is_loopback(client));
    assert_int_equal(stream_adopt(s->end->loop, fd, &s->end->owner, &s->end->stream),
                     ERR_OK);
    stream_reading(s->end->stream, true);
}

static void all_bytes_arrive_and_then_the_end(void **state)
{
    (void)state;
    struct loop *loop;
    struct net_address address;
    int fd;
    assert_int_equal(loop_open(&loop), ERR_OK);
    assert_true(net_address_parse(SLICE("127.0.0.1:0"), &address));
    assert_int_equal(listener_bind(&address, false, &fd), ERR_OK);
    assert_int_equal(listener_address(fd, &address), ERR_OK);
    struct end receiver = { .owner.event = receiver_event, .loop = loop };
    struct end sender = { .owner.event = sender_event, .loop = loop };
    struct server server = { .owner.accepted = on_accepted, .end = &receiver };
    struct listener *listener;
    assert_int_equal(listener_open(loop, fd, &server.owner, &listener), ERR_OK);
    assert_int_equal(stream_connect(loop, &address, NULL, &sender.owner, &sender.stream),
                     ERR_OK);
    loop_run(loop);
    assert_true(receiver.ended);
    assert_int_equal(receiver.got, PAYLOAD);
    listener_close(&listener);
    close(fd);
    /* nobody listens there any more */
    assert_int_equal(stream_connect(loop, &address, NULL, &sender.owner, &sender.stream),
                     ERR_OK);
    loop_run(loop);
    assert_int_equal(sender.failed, ECONNREFUSED);
    loop_close(&loop);
}

static void a_port_in_use_is_named(void **state)
{
    (void)state;
    struct net_address address;
    int fd;
    int second;
    assert_true(net_address_parse(SLICE("127.0.0.1:0"), &address));
    assert_int_equal(listener_bind(&address, false, &fd), ERR_OK);
    assert_int_equal(listener_address(fd, &address), ERR_OK);
    assert_int_equal(listener_bind(&address, false, &second), ERR_EXISTS);
    close(fd);
    assert_true(net_address_parse(SLICE("192.0.2.1:0"), &address));
    assert_int_equal(listener_bind(&address, false, &second), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_bytes_arrive_and_then_the_end),
        cmocka_unit_test(a_port_in_use_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
