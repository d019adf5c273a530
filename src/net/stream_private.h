/* stream_private.h: what the stream and its last moments share. */
#ifndef GODWIT_NET_STREAM_PRIVATE_H
#define GODWIT_NET_STREAM_PRIVATE_H

#include "event/timer.h"
#include "event/watch.h"
#include "net/stream.h"

/* The transport: as read(2) and writev(2), errno included. */
struct stream_transport {
    ssize_t (*read)(struct stream *stream, char *into, size_t max);
    ssize_t (*write)(struct stream *stream, const struct iovec *parts, int count);
    void (*shut)(struct stream *stream); /* no more from us */
    bool (*has_input)(struct stream *stream); /* that the descriptor does not tell of */
};

struct stream {
    const struct stream_transport *transport;
    struct watch watch;
    struct timer deadline;
    struct deferred end;      /* frees it, or tells a failure, at the turn's end */
    struct stream_owner *owner;
    struct buffer queue;
    struct tls_session *tls;  /* NULL in clear */
    struct timer again;       /* for input that has_input() told of */
    int error;
    bool reading;             /* the owner wants input */
    bool shaking;             /* hands, with TLS: the owner hears nothing */
    bool read_writes;         /* reading waits until the socket takes output */
    bool connecting;
    bool told;                /* STREAM_FAILED was said */
    bool closed;
};

/* Writes what is queued. ERR_CLOSED when the connection is gone. */
enum err stream_flush(struct stream *stream);
void stream_release(struct stream *stream);
/* STREAM_FAILED at the end of the turn; `number` as of errno. */
void stream_fail_later(struct stream *stream, int number);
/* stream_tls.c: the next part of the handshake. */
void stream_shake(struct stream *stream);

#endif
