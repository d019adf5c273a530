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
};

struct stream {
    const struct stream_transport *transport;
    struct watch watch;
    struct timer deadline;
    struct deferred end;      /* frees it, or tells a failure, at the turn's end */
    struct stream_owner *owner;
    struct buffer queue;
    int error;
    bool connecting;
    bool told;                /* STREAM_FAILED was said */
    bool closed;
};

/* Writes what is queued. ERR_CLOSED when the connection is gone. */
enum err stream_flush(struct stream *stream);
void stream_release(struct stream *stream);

#endif
