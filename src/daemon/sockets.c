/* sockets.c: binding what the configuration names, once, before anything else.
 *
 * A predecessor that was killed may need a moment to let go of a port.
 */
#include "daemon/daemon_private.h"

#include "net/listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { BIND_TRIES = 30, BIND_PAUSE_MS = 100 };

uint32_t daemon_threads(const struct config *config)
{
    if (config->threads > 0)
        return config->threads;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors < 1 ? 1 : processors > 64 ? 64 : (uint32_t)processors;
}

static enum err bind_patiently(const struct net_address *address, bool shared, int *out_fd)
{
    const struct timespec pause = { .tv_nsec = BIND_PAUSE_MS * 1000000L };
    enum err error = ERR_EXISTS;
    for (int i = 0; i < BIND_TRIES && error == ERR_EXISTS; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        error = listener_bind(address, shared, out_fd);
    }
    return error;
}

static int complain(const struct net_address *address, enum err error)
{
    struct buffer b;
    buffer_init(&b, 256);
    net_address_append(&b, address);
    const char *hint = "";
    if (error == ERR_EXISTS)
        hint = " (another program listens there)";
    if (error == ERR_DENIED)
        hint = " (ports below 1024 need root)";
    if (error == ERR_INVALID)
        hint = " (this machine has no such address)";
    fprintf(stderr, "godwit: cannot listen on %.*s: %s%s\n", (int)buffer_len(&b), b.memory,
            err_text(error), hint);
    buffer_free(&b);
    return error == ERR_DENIED ? EX_NOPERM : EX_OSERR;
}

/* Two godwits that share a port would share its clients: a first socket without
 * SO_REUSEPORT would keep others out, but not let our own threads in; so the port is
 * tried alone before it is shared. */
static enum err probe_alone(const struct net_address *address)
{
    int fd;
    if (net_address_port(address) == 0)
        return ERR_OK;
    enum err error = bind_patiently(address, false, &fd);
    if (error == ERR_OK)
        close(fd);
    return error;
}

static int bind_listener(const struct config_listener *l, size_t index, struct sockets *s)
{
    struct net_address address = l->address;
    bool shared = s->threads > 1;
    enum err error = shared ? probe_alone(&address) : ERR_OK;
    for (uint32_t t = 0; t < s->threads && error == ERR_OK; t++) {
        int *fd = &s->fds[index * s->threads + t];
        error = bind_patiently(&address, shared, fd);
        if (error == ERR_OK && t == 0)
            error = listener_address(*fd, &address);
    }
    return error == ERR_OK ? 0 : complain(&address, error);
}

int sockets_bind(const struct config *config, struct sockets *out)
{
    struct sockets s = { .listeners = config->listeners_count,
                         .threads = daemon_threads(config) };
    s.fds = malloc(s.listeners * s.threads * sizeof *s.fds + 1);
    if (s.fds == NULL)
        return EX_OSERR;
    for (size_t i = 0; i < s.listeners * s.threads; i++)
        s.fds[i] = -1;
    int code = 0;
    for (size_t i = 0; i < s.listeners && code == 0; i++)
        code = bind_listener(&config->listeners[i], i, &s);
    if (code == 0)
        *out = s;
    else
        sockets_close(&s);
    return code;
}

void sockets_close(struct sockets *s)
{
    for (size_t i = 0; s->fds != NULL && i < s->listeners * s->threads; i++)
        if (s->fds[i] >= 0)
            close(s->fds[i]);
    free(s->fds);
    *s = (struct sockets){ 0 };
}
