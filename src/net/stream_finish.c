/* stream_finish.c: the last moments of a connection that ends in good order.
 *
 * Closing a socket with unread input makes the kernel send a reset, which can take
 * back a reply that the peer has not read yet. So the stream becomes its own owner:
 * it writes what is queued, shuts its side and swallows input until the peer's end,
 * a bound of bytes, or 2 s.
 */
#include "net/stream_private.h"

#include <stdlib.h>

enum { FINISH_MS = 2000, FINISH_BYTES = 1024 * 1024 };

struct finisher {
    struct stream_owner owner;
    struct stream *stream;
    struct loop_end end;
    size_t swallowed;
};

static void finish_now(struct finisher *f)
{
    list_remove(&f->end.node);
    stream_close(&f->stream);
    free(f);
}

static void on_loop_close(struct loop_end *end)
{
    finish_now(container_of(end, struct finisher, end));
}

static void swallow(struct finisher *f)
{
    struct loop *loop = f->stream->watch.loop;
    size_t len;
    switch (stream_read(f->stream, loop_scratch(loop), LOOP_SCRATCH_BYTES, &len)) {
    case STREAM_READ_SOME:
        f->swallowed += len;
        if (f->swallowed > FINISH_BYTES)
            finish_now(f);
        return;
    case STREAM_READ_NOTHING:
        return;
    case STREAM_READ_END:
    case STREAM_READ_FAILED:
        finish_now(f);
        return;
    }
}

static void on_event(struct stream_owner *owner, enum stream_event event)
{
    struct finisher *f = (struct finisher *)(void *)owner;
    switch (event) {
    case STREAM_INPUT:
        swallow(f);
        return;
    case STREAM_DRAINED:
        f->stream->transport->shut(f->stream);
        return;
    case STREAM_CONNECTED:
    case STREAM_SECURED:
        return;
    case STREAM_FAILED:
    case STREAM_TIMEOUT:
        finish_now(f);
        return;
    }
}

void stream_finish(struct stream **stream)
{
    struct stream *s = *stream;
    if (s == NULL)
        return;
    struct finisher *f = s->error != 0 || s->connecting ? NULL : calloc(1, sizeof *f);
    if (f == NULL) {
        stream_close(stream);
        return;
    }
    *stream = NULL;
    f->owner.event = on_event;
    f->end.run = on_loop_close;
    loop_at_close(s->watch.loop, &f->end);
    f->stream = s;
    s->owner = &f->owner;
    stream_deadline(s, loop_now(s->watch.loop).mono_ms + FINISH_MS);
    if (stream_queued(s) == 0)
        s->transport->shut(s);
    stream_reading(s, true);
}
