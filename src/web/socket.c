/* socket.c: WebSockets (RFC 6455), of which only we speak: wslay has the frames. A page of
 * another site gets none (HOSTILE H: CVE-2026-22689). */
#include "web/web_private.h"

#include "base/base64.h"
#include "crypto/checksum.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <wslay/wslay.h>

enum { MESSAGE_MAX = 64 * 1024, QUEUED_MAX = 4 * 1024 * 1024 };

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

struct web_socket {
    struct list_node node;
    struct web *web;
    struct MHD_UpgradeResponseHandle *handle;
    struct api_stream *stream;
    struct watch watch;
    struct wslay_event_context *frames;
    struct buffer early;      /* what came with the handshake */
    struct deferred end;
    struct api_request asked; /* who it is; shallow */
    bool is_over;
};

static void on_end(struct deferred *deferred)
{
    struct web_socket *s = container_of(deferred, struct web_socket, end);
    list_remove(&s->node);
    api_stream_close(&s->stream);
    watch_close(&s->watch);
    if (s->frames != NULL)
        wslay_event_context_free(s->frames);
    buffer_free(&s->early);
    if (s->handle != NULL)
        MHD_upgrade_action(s->handle, MHD_UPGRADE_ACTION_CLOSE);
    web_wake(s->web);
    free(s);
}

static void over(struct web_socket *s)
{
    if (s->is_over)
        return;
    s->is_over = true;
    loop_defer(s->web->options.loop, &s->end);
}

static void go_on(struct web_socket *s)
{
    if (s->is_over)
        return;
    if (wslay_event_send(s->frames) != 0 ||
        (!wslay_event_want_read(s->frames) && !wslay_event_want_write(s->frames)) ||
        watch_write(&s->watch, wslay_event_want_write(s->frames)) != ERR_OK)
        over(s);
}

static void push(void *context, struct slice text)
{
    struct web_socket *s = context;
    struct wslay_event_msg message = { WSLAY_TEXT_FRAME, (const uint8_t *)text.data, text.len };
    if (s->is_over)
        return;
    if (wslay_event_get_queued_msg_length(s->frames) > QUEUED_MAX ||
        wslay_event_queue_msg(s->frames, &message) != 0) {
        over(s);
        return;
    }
    go_on(s);
}

static ssize_t on_recv(wslay_event_context_ptr frames, uint8_t *out, size_t len, int flags,
                       void *context)
{
    struct web_socket *s = context;
    struct slice early = slice_part(buffer_slice(&s->early), 0, len);
    (void)flags;
    if (early.len > 0) {
        memcpy(out, early.data, early.len);
        buffer_consume(&s->early, early.len);
        return (ssize_t)early.len;
    }
    ssize_t got = recv(s->watch.fd, out, len, 0);
    if (got > 0)
        return got;
    bool later = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    wslay_event_set_error(frames, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t on_send(wslay_event_context_ptr frames, const uint8_t *octets, size_t len,
                       int flags, void *context)
{
    struct web_socket *s = context;
    (void)flags;
    ssize_t put = send(s->watch.fd, octets, len, MSG_NOSIGNAL);
    if (put >= 0)
        return put;
    bool later = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    wslay_event_set_error(frames, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static void on_readable(struct watch *watch)
{
    struct web_socket *s = container_of(watch, struct web_socket, watch);
    if (wslay_event_recv(s->frames) != 0)
        over(s);
    else
        go_on(s);
}

static void on_writable(struct watch *watch)
{
    go_on(container_of(watch, struct web_socket, watch));
}

static void on_upgraded(void *context, struct MHD_Connection *connection, void *state,
                        const char *early, size_t early_len, MHD_socket fd,
                        struct MHD_UpgradeResponseHandle *handle)
{
    static const struct wslay_event_callbacks calls = { .recv_callback = on_recv,
                                                        .send_callback = on_send };
    struct web_socket *s = context;
    (void)connection;
    (void)state;
    s->handle = handle;
    watch_init(&s->watch, s->web->options.loop, fd, on_readable, on_writable);
    buffer_append(&s->early, slice_make(early, early_len));
    if (wslay_event_context_server_init(&s->frames, &calls, s) != 0) {
        over(s);
        return;
    }
    wslay_event_config_set_max_recv_msg_length(s->frames, MESSAGE_MAX);
    s->stream = api_stream_open(s->web->options.api, &s->asked, push, s);
    if (s->stream == NULL || watch_read(&s->watch, true) != ERR_OK)
        over(s);
    else if (early_len > 0)
        on_readable(&s->watch);
}

static struct slice header(const struct web_request *r, struct slice name)
{
    for (size_t i = 0; i < r->api.headers_count; i++)
        if (slice_equal_nocase(r->headers[i].name, name))
            return r->headers[i].value;
    return slice_make(NULL, 0);
}

/* Of hexadecimal digits, in base64. */
static void append_octets(const char *hex, struct buffer *out)
{
    char octets[20] = { 0 };
    for (size_t i = 0; i < sizeof octets * 2; i++) {
        int value = hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10;
        octets[i / 2] = (char)(octets[i / 2] * 16 + value);
    }
    base64_append(out, slice_make(octets, sizeof octets));
}

/* RFC 6455 4.2.2 */
static bool append_accept(struct slice key, struct buffer *out)
{
    char text[128];
    struct checksums digest;
    if (key.len != 24)
        return false;
    memcpy(text, key.data, key.len);
    memcpy(text + key.len, GUID, sizeof GUID - 1);
    if (checksums_of(slice_make(text, key.len + sizeof GUID - 1), &digest) != ERR_OK)
        return false;
    append_octets(digest.sha1, out);
    buffer_append_byte(out, '\0');
    return !out->overflow;
}

static struct web_socket *socket_make(struct web_request *r)
{
    struct web_socket *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->web = r->web;
    s->asked = (struct api_request){ .workspace = r->api.workspace, .stream = r->api.stream,
                                     .stream_dialect = r->api.stream_dialect };
    buffer_init(&s->early, MESSAGE_MAX);
    s->end.run = on_end;
    list_append(&r->web->sockets, &s->node);
    return s;
}

enum MHD_Result socket_begin(struct web_request *r)
{
    char bytes[64];
    struct buffer accept = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    if (!guard_is_same_origin(r))
        return reply_refuse(r, 403, "asked from another site's page");
    if (!slice_contains_nocase(header(r, SLICE("Upgrade")), SLICE("websocket")) ||
        !slice_equal(header(r, SLICE("Sec-WebSocket-Version")), SLICE("13")) ||
        !append_accept(header(r, SLICE("Sec-WebSocket-Key")), &accept))
        return reply_refuse(r, 400, "this is for a WebSocket");
    struct web_socket *s = socket_make(r);
    struct MHD_Response *response =
        s == NULL ? NULL : MHD_create_response_for_upgrade(on_upgraded, s);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, "Upgrade", "websocket");
    MHD_add_response_header(response, "Sec-WebSocket-Accept", bytes);
    enum MHD_Result result = MHD_queue_response(r->connection, 101, response);
    MHD_destroy_response(response);
    return result;
}

void socket_close_all(struct web *web)
{
    struct list_node *node;
    while ((node = list_first(&web->sockets)) != NULL) {
        struct web_socket *s = container_of(node, struct web_socket, node);
        list_remove(&s->end.node);
        on_end(&s->end);
    }
}
