/* stream.c: reading, writing and queueing on one connection. */
#include "net/stream.h"

#include "base/must.h"
#include "net/stream_private.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

static ssize_t socket_read(struct stream *s, char *into, size_t max)
{
    return recv(s->watch.fd, into, max, 0);
}

static ssize_t socket_write(struct stream *s, const struct iovec *parts, int count)
{
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts,
                              .msg_iovlen = (size_t)count };
    return sendmsg(s->watch.fd, &message, MSG_NOSIGNAL);
}

static void socket_shut(struct stream *s)
{
    shutdown(s->watch.fd, SHUT_WR);
}

static bool socket_has_input(struct stream *s)
{
    (void)s;
    return false;
}

static const struct stream_transport socket_transport = {
    .read = socket_read, .write = socket_write, .shut = socket_shut,
    .has_input = socket_has_input,
};

static void tell_failure(struct stream *s)
{
    if (s->told)
        return;
    s->told = true;
    watch_read(&s->watch, false);
    watch_write(&s->watch, false);
    s->owner->event(s->owner, STREAM_FAILED);
}

static void on_end_of_turn(struct deferred *deferred)
{
    struct stream *s = container_of(deferred, struct stream, end);
    if (s->closed)
        stream_release(s);
    else
        tell_failure(s);
}

void stream_fail_later(struct stream *s, int number)
{
    s->error = number;
    loop_defer(s->watch.loop, &s->end);
}

static void on_deadline(struct timer *timer)
{
    struct stream *s = container_of(timer, struct stream, deadline);
    s->owner->event(s->owner, STREAM_TIMEOUT);
}

static void on_readable(struct watch *watch)
{
    struct stream *s = container_of(watch, struct stream, watch);
    if (s->shaking)
        stream_shake(s);
    else
        s->owner->event(s->owner, STREAM_INPUT);
}

/* So late that others have their turn, should a peer send without end. */
enum { AGAIN_MS = 1 };

static void on_again(struct timer *timer)
{
    struct stream *s = container_of(timer, struct stream, again);
    if (s->reading && !s->told)
        s->owner->event(s->owner, STREAM_INPUT);
}

static void on_connected(struct stream *s)
{
    int number = 0;
    socklen_t len = sizeof number;
    s->connecting = false;
    getsockopt(s->watch.fd, SOL_SOCKET, SO_ERROR, &number, &len);
    watch_write(&s->watch, false);
    if (number != 0) {
        s->error = number;
        tell_failure(s);
        return;
    }
    s->owner->event(s->owner, STREAM_CONNECTED);
}

static void on_writable(struct watch *watch)
{
    struct stream *s = container_of(watch, struct stream, watch);
    if (s->connecting) {
        on_connected(s);
        return;
    }
    if (s->shaking) {
        stream_shake(s);
        return;
    }
    if (s->read_writes) {
        s->read_writes = false;
        stream_reading(s, s->reading);
        timer_set(&s->again, 0);
    }
    if (stream_flush(s) == ERR_OK && buffer_len(&s->queue) == 0) {
        watch_write(&s->watch, false);
        s->owner->event(s->owner, STREAM_DRAINED);
    }
}

static enum err stream_make(struct loop *loop, int fd, struct stream_owner *owner,
                            struct stream **out)
{
    struct stream *s = calloc(1, sizeof *s);
    if (s == NULL) {
        close(fd);
        return ERR_MEMORY;
    }
    s->transport = &socket_transport;
    s->owner = owner;
    s->end.run = on_end_of_turn;
    buffer_init(&s->queue, STREAM_QUEUE_MAX);
    watch_init(&s->watch, loop, fd, on_readable, on_writable);
    timer_init(&s->deadline, loop, on_deadline);
    timer_init(&s->again, loop, on_again);
    *out = s;
    return ERR_OK;
}

enum err stream_adopt(struct loop *loop, int fd, struct stream_owner *owner,
                      struct stream **out)
{
    return stream_make(loop, fd, owner, out);
}

enum err stream_connect(struct loop *loop, const struct net_address *to,
                        const struct net_address *from, struct stream_owner *owner,
                        struct stream **out)
{
    int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_from_errno(errno);
    int one = 1;
    if (to->any.sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (from != NULL && bind(fd, &from->any, from->len) != 0) {
        enum err error = err_from_errno(errno);
        close(fd);
        return error;
    }
    struct stream *s;
    enum err error = stream_make(loop, fd, owner, &s);
    if (error != ERR_OK)
        return error;
    s->connecting = true;
    if (connect(fd, &to->any, to->len) != 0 && errno != EINPROGRESS) {
        stream_fail_later(s, errno);
    } else {
        error = watch_write(&s->watch, true);
        if (error != ERR_OK) {
            stream_close(&s);
            return error;
        }
    }
    *out = s;
    return ERR_OK;
}

void stream_reading(struct stream *s, bool wanted)
{
    s->reading = wanted;
    if (s->told || s->shaking)
        return;
    if (watch_read(&s->watch, wanted) != ERR_OK)
        stream_fail_later(s, ENOMEM);
    else if (wanted && s->transport->has_input(s))
        timer_set(&s->again, 0);
}

enum stream_read stream_read(struct stream *s, char *into, size_t max, size_t *out_len)
{
    ssize_t got;
    do
        got = s->transport->read(s, into, max);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        if (s->transport->has_input(s))
            timer_set(&s->again, AGAIN_MS);
        *out_len = (size_t)got;
        return STREAM_READ_SOME;
    }
    if (got == 0)
        return STREAM_READ_END;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return STREAM_READ_NOTHING;
    s->error = errno;
    return STREAM_READ_FAILED;
}

static ssize_t write_some(struct stream *s, const struct iovec *parts, int count)
{
    ssize_t done;
    do
        done = s->transport->write(s, parts, count);
    while (done < 0 && errno == EINTR);
    if (done >= 0)
        return done;
    return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
}

enum err stream_flush(struct stream *s)
{
    while (buffer_len(&s->queue) > 0) {
        struct slice waiting = buffer_slice(&s->queue);
        struct iovec part = { .iov_base = s->queue.memory + s->queue.start,
                              .iov_len = waiting.len };
        ssize_t done = write_some(s, &part, 1);
        if (done < 0) {
            stream_fail_later(s, errno);
            return ERR_CLOSED;
        }
        buffer_consume(&s->queue, (size_t)done);
        if ((size_t)done < waiting.len)
            return ERR_OK;
    }
    if (s->queue.capacity > 4096)
        buffer_free(&s->queue);
    return ERR_OK;
}

enum err stream_write_parts(struct stream *s, const struct iovec *parts, int count)
{
    if (s->error != 0)
        return ERR_CLOSED;
    size_t done = 0;
    if (buffer_len(&s->queue) == 0) {
        ssize_t wrote = write_some(s, parts, count);
        if (wrote < 0) {
            stream_fail_later(s, errno);
            return ERR_CLOSED;
        }
        done = (size_t)wrote;
    }
    for (int i = 0; i < count; i++) {
        struct slice part = slice_make(parts[i].iov_base, parts[i].iov_len);
        size_t skip = done < part.len ? done : part.len;
        done -= skip;
        buffer_append(&s->queue, slice_from(part, skip));
    }
    if (s->queue.overflow) {
        stream_fail_later(s, ENOBUFS);
        return ERR_FULL;
    }
    if (buffer_len(&s->queue) > 0 && watch_write(&s->watch, true) != ERR_OK) {
        stream_fail_later(s, ENOMEM);
        return ERR_CLOSED;
    }
    return ERR_OK;
}

enum err stream_write(struct stream *s, struct slice bytes)
{
    struct iovec part = { .iov_base = (char *)(uintptr_t)bytes.data,
                          .iov_len = bytes.len };
    return stream_write_parts(s, &part, 1);
}

size_t stream_queued(const struct stream *s)
{
    return buffer_len(&s->queue);
}

void stream_deadline(struct stream *s, int64_t mono_ms)
{
    if (mono_ms == 0)
        timer_clear(&s->deadline);
    else
        timer_set_at(&s->deadline, mono_ms);
}

int stream_error(const struct stream *s)
{
    return s->error;
}

int stream_descriptor(const struct stream *s)
{
    return s->watch.fd;
}

void stream_release(struct stream *s)
{
    tls_session_free(&s->tls);
    buffer_free(&s->queue);
    free(s);
}

void stream_close(struct stream **stream)
{
    struct stream *s = *stream;
    if (s == NULL)
        return;
    must(!s->closed);
    *stream = NULL;
    timer_clear(&s->deadline);
    timer_clear(&s->again);
    watch_close(&s->watch);
    close(s->watch.fd);
    s->closed = true;
    loop_defer(s->watch.loop, &s->end);
}
