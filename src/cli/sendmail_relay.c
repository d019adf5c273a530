/* sendmail_relay.c: -bs: bytes carried between a program and the listener, until one
 * side is done. */
#include "cli/sendmail_private.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum { PIECE_BYTES = 64 * 1024 };

/* Writes all, waiting where the descriptor takes none now. */
static bool write_all(int fd, struct slice s)
{
    while (s.len > 0) {
        ssize_t done = write(fd, s.data, s.len);
        if (done > 0) {
            s = slice_from(s, (size_t)done);
            continue;
        }
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        if (errno != EINTR && (errno != EAGAIN || poll(&p, 1, -1) < 0))
            return false;
    }
    return true;
}

/* True while there may be more. */
static bool carry(int from, int to)
{
    char bytes[PIECE_BYTES];
    ssize_t got = read(from, bytes, sizeof bytes);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN;
    return got > 0 && write_all(to, slice_make(bytes, (size_t)got));
}

int sendmail_relay(int fd)
{
    struct pollfd polls[] = { { .fd = STDIN_FILENO, .events = POLLIN },
                              { .fd = fd, .events = POLLIN } };
    bool open = true;
    while (open) {
        if (poll(polls, 2, -1) < 0 && errno != EINTR)
            break;
        if (polls[0].revents != 0 && !carry(STDIN_FILENO, fd)) {
            shutdown(fd, SHUT_WR); /* what the server still says is passed on */
            polls[0].fd = -1;
            polls[0].revents = 0;
        }
        if (polls[1].revents != 0)
            open = carry(fd, STDOUT_FILENO);
    }
    close(fd);
    return 0;
}
