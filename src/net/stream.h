/* stream.h: one connection as a stream of bytes.
 *
 * The transport below is a table of functions (a plain socket here; TLS takes the
 * same place), so that its users never know which one they have. A stream belongs
 * to one loop; everything here is for that loop's thread. The owner is told events;
 * inside event() it may read, write and close. Memory goes at the end of the turn.
 */
#ifndef GODWIT_NET_STREAM_H
#define GODWIT_NET_STREAM_H

#include "crypto/tls_client.h"
#include "event/loop.h"
#include "net/address.h"

#include <sys/uio.h>

enum stream_event {
    STREAM_CONNECTED, /* of stream_connect() */
    STREAM_SECURED,   /* of stream_secure() and stream_secure_to() */
    STREAM_INPUT,     /* stream_read() has something to give, perhaps the end */
    STREAM_DRAINED,   /* all that was queued has been written */
    STREAM_FAILED,    /* reset, unreachable, refused: stream_error() says */
    STREAM_TIMEOUT,   /* the deadline passed */
};

struct stream_owner {
    void (*event)(struct stream_owner *owner, enum stream_event event);
};

struct stream;

enum stream_read {
    STREAM_READ_SOME,
    STREAM_READ_NOTHING, /* nothing now */
    STREAM_READ_END,     /* the peer has said its last byte */
    STREAM_READ_FAILED,
};

/* Takes over a connected descriptor (also when it fails). Reading is off. */
enum err stream_adopt(struct loop *loop, int fd, struct stream_owner *owner,
                      struct stream **out);

/* Begins to connect; STREAM_CONNECTED or STREAM_FAILED follows, never from inside
 * this call. `from` may be NULL. ERR_DESCRIPTORS, ERR_MEMORY, ERR_INVALID. */
enum err stream_connect(struct loop *loop, const struct net_address *to,
                        const struct net_address *from, struct stream_owner *owner,
                        struct stream **out);

/* Goes over to TLS, as the server. Nothing may be queued, and whatever the peer sent in
 * clear before must have been read, or it is taken for its handshake. STREAM_SECURED
 * or STREAM_FAILED follows, never from inside this call; nothing is read or written
 * until then, whatever stream_reading() was told. ERR_MEMORY: the stream is as it was. */
enum err stream_secure(struct stream *stream, struct tls_server *server);

/* The same as the client. ERR_INVALID: a name that is expected cannot be one. */
enum err stream_secure_to(struct stream *stream, struct tls_client *client,
                          const struct tls_expected *expected);

/* The TLS session of a secured stream, for its facts; NULL in clear. Of a stream that
 * failed it tells why. Lives as long as the stream. */
const struct tls_session *stream_tls(const struct stream *stream);

/* Begins or ends STREAM_INPUT events. */
void stream_reading(struct stream *stream, bool wanted);

/* `max` is at least TLS_RECORD_MAX once it is secured. */
enum stream_read stream_read(struct stream *stream, char *into, size_t max,
                             size_t *out_len);

enum { STREAM_QUEUE_MAX = 1024 * 1024 };

/* Writes what the socket takes and queues the rest, copied. ERR_FULL when more than
 * STREAM_QUEUE_MAX would wait; ERR_CLOSED when the connection is gone (STREAM_FAILED
 * follows at the end of the turn). */
enum err stream_write(struct stream *stream, struct slice bytes);
enum err stream_write_parts(struct stream *stream, const struct iovec *parts, int count);

/* Bytes that still wait to be written; STREAM_DRAINED follows when they are gone. */
size_t stream_queued(const struct stream *stream);

/* One deadline; STREAM_TIMEOUT once when it passes. 0 clears it. Moving it later is
 * free. */
void stream_deadline(struct stream *stream, int64_t mono_ms);

/* errno of the failure, 0 before one. */
int stream_error(const struct stream *stream);

/* The descriptor, for options and logs. */
int stream_descriptor(const struct stream *stream);

/* Ends it at once; no more events. NULL inside is allowed. */
void stream_close(struct stream **stream);

/* Says the last words first: what is queued is written, the sending side shut, and
 * what the peer still sends is thrown away for at most 2 s, so that a reset does not
 * take back our last reply. No more events. */
void stream_finish(struct stream **stream);

#endif
