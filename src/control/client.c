/* client.c: one request, and its answers until the last. */
#include "control/client.h"

#include "control/frame.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_S = 60 };

struct control_client {
    int fd;
    struct buffer in;
};

enum err control_connect(const char *directory, struct control_client **out)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int len = snprintf(address.sun_path, sizeof address.sun_path, "%s/control.sock",
                       directory);
    if (len < 0 || (size_t)len >= sizeof address.sun_path)
        return ERR_INVALID;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_from_errno(errno);
    struct timeval patience = { .tv_sec = PATIENCE_S };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        enum err error = errno == ECONNREFUSED ? ERR_ABSENT : err_from_errno(errno);
        close(fd);
        return error;
    }
    struct control_client *c = calloc(1, sizeof *c);
    if (c == NULL) {
        close(fd);
        return ERR_MEMORY;
    }
    c->fd = fd;
    buffer_init(&c->in, CONTROL_FRAME_MAX + 65536 + 4);
    *out = c;
    return ERR_OK;
}

void control_disconnect(struct control_client **client)
{
    struct control_client *c = *client;
    if (c == NULL)
        return;
    close(c->fd);
    buffer_free(&c->in);
    free(c);
    *client = NULL;
}

static enum err send_frame(struct control_client *c, const json_t *request)
{
    struct buffer out;
    buffer_init(&out, CONTROL_FRAME_MAX + 4);
    enum err error = frame_append(&out, request) ? ERR_OK : ERR_FULL;
    while (error == ERR_OK && buffer_len(&out) > 0) {
        struct slice s = buffer_slice(&out);
        ssize_t done = send(c->fd, s.data, s.len, MSG_NOSIGNAL);
        if (done > 0)
            buffer_consume(&out, (size_t)done);
        else if (done < 0 && errno != EINTR)
            error = ERR_CLOSED;
    }
    buffer_free(&out);
    return error;
}

static enum err next_frame(struct control_client *c, json_t **out)
{
    for (;;) {
        enum frame_result result = frame_take(&c->in, out);
        if (result != FRAME_MORE)
            return result == FRAME_TAKEN ? ERR_OK : ERR_CORRUPT;
        char *room = buffer_reserve(&c->in, 65536);
        if (room == NULL)
            return ERR_MEMORY;
        ssize_t got = recv(c->fd, room, 65536, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? ERR_TIMEOUT : ERR_CLOSED;
        if (got == 0)
            return ERR_CLOSED;
        buffer_added(&c->in, (size_t)got);
    }
}

enum err control_ask(struct control_client *c, json_t *request,
                     bool (*each)(void *context, const json_t *object), void *context,
                     json_t **out_last)
{
    enum err error = send_frame(c, request);
    json_decref(request);
    bool wanted = each != NULL;
    while (error == ERR_OK) {
        json_t *object;
        error = next_frame(c, &object);
        if (error != ERR_OK)
            break;
        if (json_is_true(json_object_get(object, "done"))) {
            *out_last = object;
            return ERR_OK;
        }
        if (wanted)
            wanted = each(context, object);
        json_decref(object);
    }
    return error;
}
