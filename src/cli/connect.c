/* connect.c: from "host:port" to a connected socket. */
#include "cli/dialogue.h"

#include "net/address.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static enum err wait_connected(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    int error = 0;
    socklen_t len = sizeof error;
    int ready;
    do
        ready = poll(&p, 1, DIALOGUE_CONNECT_MS);
    while (ready < 0 && errno == EINTR);
    if (ready == 0) {
        errno = ETIMEDOUT;
        return ERR_TIMEOUT;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    errno = error;
    return error == 0 ? ERR_OK : ERR_CLOSED;
}

static enum err connect_one(const struct net_address *address, struct transcript *transcript,
                            struct buffer *why, int *out_fd)
{
    struct buffer name;
    buffer_init(&name, 256);
    net_address_append(&name, address);
    struct slice shown = buffer_slice(&name);
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    enum err error = ERR_OK;
    if (fd < 0 || (connect(fd, &address->any, address->len) != 0 && errno != EINPROGRESS))
        error = ERR_CLOSED;
    else
        error = wait_connected(fd);
    if (error == ERR_OK) {
        *out_fd = fd;
        if (transcript != NULL)
            transcript_note(transcript, "connected to %.*s", (int)shown.len, shown.data);
    } else {
        buffer_clear(why);
        buffer_append_format(why, "cannot connect to %.*s: %s", (int)shown.len, shown.data,
                             strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    buffer_free(&name);
    return error;
}

static enum err connect_name(const char *host, const char *port,
                             struct transcript *transcript, struct buffer *why, int *out_fd)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *found;
    int result = getaddrinfo(host, port, &hints, &found);
    if (result != 0) {
        buffer_append_format(why, "there is no host '%s': %s", host, gai_strerror(result));
        return ERR_ABSENT;
    }
    enum err error = ERR_ABSENT;
    for (struct addrinfo *a = found; a != NULL && error != ERR_OK; a = a->ai_next) {
        struct net_address address = { .len = a->ai_addrlen };
        memcpy(&address.storage, a->ai_addr, a->ai_addrlen);
        error = connect_one(&address, transcript, why, out_fd);
    }
    freeaddrinfo(found);
    return error;
}

/* host ":" port */
static enum err split_name(struct slice server, struct transcript *transcript,
                           struct buffer *why, int *out_fd)
{
    uint64_t number;
    size_t colon = slice_find_last(server, ':');
    struct slice port = colon == SLICE_NOT_FOUND ? slice_make(NULL, 0)
                                                 : slice_from(server, colon + 1);
    if (colon == 0 || !slice_to_number(port, 65535, &number) || number == 0 ||
        slice_find(slice_part(server, 0, colon), ':') != SLICE_NOT_FOUND) {
        buffer_append_format(why, "'%.*s' is not HOST:PORT", (int)server.len, server.data);
        return ERR_INVALID;
    }
    char *host_text = slice_to_string(slice_part(server, 0, colon));
    char *port_text = slice_to_string(port);
    enum err error = ERR_MEMORY;
    if (host_text != NULL && port_text != NULL)
        error = connect_name(host_text, port_text, transcript, why, out_fd);
    free(host_text);
    free(port_text);
    return error;
}

enum err dialogue_connect(struct slice server, struct transcript *transcript,
                          struct buffer *why, int *out_fd)
{
    struct net_address address;
    if (server.len > 0 && server.data[0] != '*' && net_address_parse(server, &address) &&
        slice_find(server, ':') != SLICE_NOT_FOUND)
        return connect_one(&address, transcript, why, out_fd);
    if (server.len > 0 && server.data[0] == '/' && net_address_parse(server, &address))
        return connect_one(&address, transcript, why, out_fd);
    return split_name(server, transcript, why, out_fd);
}
