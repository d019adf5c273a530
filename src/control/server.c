/* server.c: connections, requests in turn, answers queued.
 *
 * Who asks why a server takes no more must be answered just then: a reserve is given up
 * for a call when the process is out of descriptors, and taken back at its end.
 */
#include "control/server.h"

#include "control/frame.h"
#include "event/timer.h"
#include "event/watch.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 64, OUT_MAX = 64 * 1024 * 1024, STARVED_PAUSE_MS = 100 };

struct control_call {
    struct list_node node;
    struct control_server *server;
    struct watch watch;
    struct deferred end;
    struct buffer in;
    struct buffer out;
    json_t *request;   /* being carried out */
    bool closed;
    uint32_t uid;      /* who asks */
};

struct control_server {
    struct loop *loop;
    struct watch watch;
    struct timer pause;
    int reserve;       /* a descriptor; -1: given up */
    control_handle *handle;
    void *context;
    struct list calls;
    size_t count;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

static void keep_reserve(struct control_server *s)
{
    if (s->reserve < 0)
        s->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void drop_reserve(struct control_server *s)
{
    if (s->reserve >= 0)
        close(s->reserve);
}

static void call_free(struct deferred *deferred)
{
    struct control_call *c = container_of(deferred, struct control_call, end);
    if (c->request != NULL)
        return; /* freed by control_done() */
    buffer_free(&c->in);
    buffer_free(&c->out);
    free(c);
}

static void call_close(struct control_call *c)
{
    if (!c->closed) {
        c->closed = true;
        watch_close(&c->watch);
        close(c->watch.fd);
        keep_reserve(c->server);
        list_remove(&c->node);
        c->server->count--;
    }
    loop_defer(c->server->loop, &c->end);
}

static void call_flush(struct control_call *c)
{
    while (buffer_len(&c->out) > 0) {
        struct slice s = buffer_slice(&c->out);
        ssize_t done = send(c->watch.fd, s.data, s.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            watch_write(&c->watch, true);
            return;
        }
        if (done < 0) {
            call_close(c);
            return;
        }
        buffer_consume(&c->out, (size_t)done);
    }
    watch_write(&c->watch, false);
}

static void call_next(struct control_call *c)
{
    if (c->closed || c->request != NULL)
        return;
    switch (frame_take(&c->in, &c->request)) {
    case FRAME_TAKEN:
        c->server->handle(c->server->context, c, c->request);
        return;
    case FRAME_MORE:
        return;
    case FRAME_BROKEN:
        call_close(c);
        return;
    }
}

static void on_readable(struct watch *watch)
{
    struct control_call *c = container_of(watch, struct control_call, watch);
    char bytes[16384];
    ssize_t got = recv(watch->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    buffer_append(&c->in, slice_make(bytes, got > 0 ? (size_t)got : 0));
    if (got <= 0 || c->in.overflow)
        call_close(c);
    else
        call_next(c);
}

static void on_writable(struct watch *watch)
{
    call_flush(container_of(watch, struct control_call, watch));
}

static bool may_speak(int fd, uint32_t *out_uid)
{
    struct ucred who;
    socklen_t len = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        return false;
    *out_uid = who.uid;
    return who.uid == 0 || who.uid == geteuid();
}

static bool is_starved(int number)
{
    return number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM;
}

static int accept_call(struct control_server *s)
{
    int fd = accept4(s->watch.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 || !is_starved(errno) || s->reserve < 0)
        return fd;
    close(s->reserve);
    s->reserve = -1;
    return accept4(s->watch.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void on_pause_over(struct timer *timer)
{
    struct control_server *s = container_of(timer, struct control_server, pause);
    keep_reserve(s);
    watch_read(&s->watch, true);
}

static void on_acceptable(struct watch *watch)
{
    struct control_server *s = container_of(watch, struct control_server, watch);
    int fd = accept_call(s);
    if (fd < 0 && is_starved(errno)) { /* who waits would wake us again and again */
        watch_read(watch, false);
        timer_set(&s->pause, STARVED_PAUSE_MS);
    }
    if (fd < 0)
        return;
    struct control_call *c = NULL;
    uint32_t uid = 0;
    if (s->count < CONNECTIONS_MAX && may_speak(fd, &uid))
        c = calloc(1, sizeof *c);
    if (c == NULL) {
        close(fd);
        return;
    }
    c->server = s;
    c->uid = uid;
    c->end.run = call_free;
    buffer_init(&c->in, CONTROL_FRAME_MAX + 16384 + 4);
    buffer_init(&c->out, OUT_MAX);
    watch_init(&c->watch, s->loop, fd, on_readable, on_writable);
    list_append(&s->calls, &c->node);
    s->count++;
    if (watch_read(&c->watch, true) != ERR_OK)
        call_close(c);
}

static enum err bind_socket(struct control_server *s, int *out_fd)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, s->path, sizeof address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_from_errno(errno);
    unlink(s->path); /* the spool's lock says that no other godwit lives here */
    mode_t before = umask(0177);
    int bound = bind(fd, (struct sockaddr *)&address, sizeof address);
    umask(before);
    if (bound != 0 || listen(fd, 16) != 0) {
        enum err error = err_from_errno(errno);
        close(fd);
        return error;
    }
    *out_fd = fd;
    return ERR_OK;
}

enum err control_server_open(struct loop *loop, const char *directory,
                             control_handle *handle, void *context,
                             struct control_server **out)
{
    struct control_server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR_MEMORY;
    s->loop = loop;
    s->handle = handle;
    s->context = context;
    s->reserve = -1;
    keep_reserve(s);
    timer_init(&s->pause, loop, on_pause_over);
    list_init(&s->calls);
    int fd;
    enum err error = ERR_INVALID;
    int len = snprintf(s->path, sizeof s->path, "%s/control.sock", directory);
    if (len > 0 && (size_t)len < sizeof s->path)
        error = bind_socket(s, &fd);
    if (error != ERR_OK) {
        drop_reserve(s);
        free(s);
        return error;
    }
    watch_init(&s->watch, loop, fd, on_acceptable, NULL);
    error = watch_read(&s->watch, true);
    if (error != ERR_OK)
        control_server_close(&s);
    else
        *out = s;
    return error;
}

void control_server_close(struct control_server **server)
{
    struct control_server *s = *server;
    if (s == NULL)
        return;
    watch_close(&s->watch);
    timer_clear(&s->pause);
    close(s->watch.fd);
    unlink(s->path);
    struct list_node *node;
    while ((node = list_first(&s->calls)) != NULL) {
        struct control_call *c = container_of(node, struct control_call, node);
        call_close(c);
        list_remove(&c->end.node);
        json_decref(c->request);
        c->request = NULL;
        call_free(&c->end);
    }
    drop_reserve(s);
    free(s);
    *server = NULL;
}

uint32_t control_uid(const struct control_call *c)
{
    return c->uid;
}

void control_say(struct control_call *c, json_t *object)
{
    if (!c->closed && !frame_append(&c->out, object)) {
        log_note(LOG_WARNING, "control", "an answer was too long");
        call_close(c);
    }
    json_decref(object);
}

void control_send(struct control_call *c, json_t *object)
{
    control_say(c, object);
    if (!c->closed)
        call_flush(c);
}

size_t control_queued(const struct control_call *c)
{
    return buffer_len(&c->out);
}

bool control_is_gone(const struct control_call *c)
{
    return c->closed;
}

void control_done(struct control_call *c, const char *error, json_t *extra)
{
    json_t *last = extra == NULL ? json_object() : extra;
    json_object_set_new(last, "done", json_true());
    json_object_set_new(last, "ok", json_boolean(error == NULL));
    if (error != NULL)
        json_object_set_new(last, "error", json_string(error));
    control_say(c, last);
    json_decref(c->request);
    c->request = NULL;
    if (c->closed) {
        loop_defer(c->server->loop, &c->end);
        return;
    }
    call_flush(c);
    call_next(c);
}
