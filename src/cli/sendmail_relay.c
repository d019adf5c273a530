/* sendmail_relay.c: -bs: bytes carried between a program and the listener, until one
 * side is done. Whoever ends the first line with LF alone, as people at a terminal and
 * scripts do, has the same done for all lines; the listener itself knows CRLF only. */
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

/* How the program ends its lines. */
struct speaker {
    bool is_known;   /* its first line has ended */
    bool says_lf;
    char last;
};

/* Writes with CRLF what came with LF. */
static bool write_lines(int to, struct slice s, struct speaker *speaker)
{
    char lines[2 * PIECE_BYTES];
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '\n' && !speaker->is_known) {
            speaker->is_known = true;
            speaker->says_lf = speaker->last != '\r';
        }
        if (s.data[i] == '\n' && speaker->says_lf && speaker->last != '\r')
            lines[len++] = '\r';
        lines[len++] = speaker->last = s.data[i];
    }
    return write_all(to, slice_make(lines, len));
}

/* True while there may be more. */
static bool carry(int from, int to, struct speaker *speaker)
{
    char bytes[PIECE_BYTES];
    ssize_t got = read(from, bytes, sizeof bytes);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN;
    struct slice piece = slice_make(bytes, (size_t)got);
    return got > 0 && (speaker == NULL ? write_all(to, piece)
                                       : write_lines(to, piece, speaker));
}

int sendmail_relay(int fd)
{
    struct pollfd polls[] = { { .fd = STDIN_FILENO, .events = POLLIN },
                              { .fd = fd, .events = POLLIN } };
    struct speaker program = { .is_known = false };
    bool open = true;
    while (open) {
        if (poll(polls, 2, -1) < 0 && errno != EINTR)
            break;
        if (polls[0].revents != 0 && !carry(STDIN_FILENO, fd, &program)) {
            shutdown(fd, SHUT_WR); /* what the server still says is passed on */
            polls[0].fd = -1;
            polls[0].revents = 0;
        }
        if (polls[1].revents != 0)
            open = carry(fd, STDOUT_FILENO, NULL);
    }
    close(fd);
    return 0;
}
