/* stream_tls.c: a stream that goes over to TLS: the handshake, and TLS in the place of
 * the socket.
 *
 * RFC 3207 4 and 6: what came in clear is forgotten by the owner, and once TLS was asked
 * for the socket is never read in clear again (HOSTILE 23, 25).
 */
#include "base/must.h"
#include "net/stream_private.h"

#include <errno.h>
#include <sys/socket.h>

/* As errno would say it. */
static ssize_t result_of(enum tls_result result)
{
    switch (result) {
    case TLS_DONE:
    case TLS_END:
        return 0;
    case TLS_WANT_READ:
    case TLS_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case TLS_FAILED:
        break;
    }
    errno = EPROTO;
    return -1;
}

static ssize_t secured_read(struct stream *s, char *into, size_t max)
{
    size_t len = 0;
    enum tls_result result = tls_read(s->tls, into, max, &len);
    if (result == TLS_DONE)
        return (ssize_t)len;
    if (result == TLS_WANT_WRITE) {
        s->read_writes = true;
        watch_read(&s->watch, false); /* input that cannot be used would keep us busy */
        if (watch_write(&s->watch, true) != ERR_OK) {
            errno = ENOMEM;
            return -1;
        }
    }
    return result_of(result);
}

static ssize_t secured_write(struct stream *s, const struct iovec *parts, int count)
{
    size_t have = 0;
    for (int i = 0; i < count; i++) {
        struct slice part = slice_make(parts[i].iov_base, parts[i].iov_len);
        while (part.len > 0) {
            size_t len = 0;
            enum tls_result result = tls_write(s->tls, part, &len);
            if (result != TLS_DONE)
                return have > 0 ? (ssize_t)have : result_of(result);
            have += len;
            part = slice_from(part, len);
        }
    }
    return (ssize_t)have;
}

static void secured_shut(struct stream *s)
{
    tls_finish(s->tls);
    shutdown(s->watch.fd, SHUT_WR);
}

static bool secured_has_input(struct stream *s)
{
    return tls_has_input(s->tls);
}

static const struct stream_transport secured_transport = {
    .read = secured_read, .write = secured_write, .shut = secured_shut,
    .has_input = secured_has_input,
};

void stream_shake(struct stream *s)
{
    enum tls_result result = tls_handshake(s->tls);
    if (result == TLS_WANT_READ || result == TLS_WANT_WRITE) {
        bool writes = result == TLS_WANT_WRITE;
        if (watch_read(&s->watch, !writes) != ERR_OK ||
            watch_write(&s->watch, writes) != ERR_OK)
            stream_fail_later(s, ENOMEM);
        return;
    }
    s->shaking = false;
    watch_write(&s->watch, false);
    if (result != TLS_DONE) {
        watch_read(&s->watch, false);
        stream_fail_later(s, EPROTO);
        return;
    }
    s->transport = &secured_transport;
    stream_reading(s, s->reading);
    s->owner->event(s->owner, STREAM_SECURED);
}

/* `error` of making the session; the first part of the handshake comes with an event. */
static enum err begin(struct stream *s, enum err error, bool writes)
{
    if (error != ERR_OK)
        return error;
    error = watch_read(&s->watch, !writes);
    if (error == ERR_OK && writes)
        error = watch_write(&s->watch, true);
    if (error != ERR_OK)
        tls_session_free(&s->tls);
    s->shaking = error == ERR_OK;
    return error;
}

enum err stream_secure(struct stream *s, struct tls_server *server)
{
    must(s->tls == NULL && stream_queued(s) == 0);
    return begin(s, tls_session_accept(server, s->watch.fd, &s->tls), false);
}

enum err stream_secure_to(struct stream *s, struct tls_client *client,
                          const struct tls_expected *expected)
{
    must(s->tls == NULL && stream_queued(s) == 0);
    return begin(s, tls_session_connect(client, s->watch.fd, expected, &s->tls), true);
}

const struct tls_session *stream_tls(const struct stream *s)
{
    return s->tls;
}
