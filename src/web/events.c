/* events.c: text/event-stream: an answer that does not end. The connection is suspended while
 * there is nothing to say; now and then a comment shows whether anybody is there. */
#include "web/web_private.h"

#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 4 * 1024 * 1024, BEAT_MS = 15 * 1000 };

struct events {
    struct list_node node;
    struct web *web;
    struct MHD_Connection *connection;
    struct api_stream *stream;
    struct buffer waiting;
    struct timer beat;
    bool is_suspended;
    bool is_over;             /* too slow, or we end */
};

static void resume(struct events *e)
{
    if (!e->is_suspended)
        return;
    e->is_suspended = false;
    MHD_resume_connection(e->connection);
    web_wake(e->web);
}

static void push(void *context, struct slice text)
{
    struct events *e = context;
    buffer_append(&e->waiting, text);
    e->is_over = e->is_over || e->waiting.overflow;
    resume(e);
}

static void on_beat(struct timer *timer)
{
    struct events *e = container_of(timer, struct events, beat);
    push(e, SLICE(":\n\n"));
    timer_set(timer, BEAT_MS);
}

static ssize_t on_read(void *context, uint64_t place, char *out, size_t max)
{
    struct events *e = context;
    struct slice waiting = slice_part(buffer_slice(&e->waiting), 0, max);
    (void)place;
    if (e->is_over)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (waiting.len == 0) {
        e->is_suspended = true;
        MHD_suspend_connection(e->connection);
        return 0;
    }
    memcpy(out, waiting.data, waiting.len);
    buffer_consume(&e->waiting, waiting.len);
    return (ssize_t)waiting.len;
}

static void on_free(void *context)
{
    struct events *e = context;
    list_remove(&e->node);
    timer_clear(&e->beat);
    api_stream_close(&e->stream);
    buffer_free(&e->waiting);
    free(e);
}

enum MHD_Result events_begin(struct web_request *r)
{
    struct events *e = calloc(1, sizeof *e);
    if (e == NULL)
        return MHD_NO;
    *e = (struct events){ .web = r->web, .connection = r->connection };
    buffer_init(&e->waiting, WAITING_MAX);
    buffer_append(&e->waiting, SLICE("retry: 1000\n\n"));
    list_append(&r->web->streams, &e->node);
    timer_init(&e->beat, r->web->options.loop, on_beat);
    timer_set(&e->beat, BEAT_MS);
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16 * 1024, on_read, e, on_free);
    if (response == NULL) {
        on_free(e);
        return MHD_NO;
    }
    e->stream = api_stream_open(r->web->options.api, &r->api, push, e);
    reply_common(&r->api, response);
    MHD_add_response_header(response, "Content-Type", "text/event-stream");
    enum MHD_Result result = MHD_queue_response(r->connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

void events_close_all(struct web *web)
{
    struct list_node *node = list_first(&web->streams);
    while (node != NULL) {
        struct events *e = container_of(node, struct events, node);
        node = list_next(&web->streams, node);
        e->is_over = true;
        resume(e);
    }
}
