#include "daemon/packet.h"

#include "base/must.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for the descriptors beside a packet. */
union attachment {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * PACKET_FDS_MAX)];
};

bool packet_send(int socket, struct slice words, const int *fds, size_t count)
{
    union attachment room;
    must(count <= PACKET_FDS_MAX);
    memset(&room, 0, sizeof room);
    struct iovec text = { .iov_base = (char *)(uintptr_t)words.data, .iov_len = words.len };
    struct msghdr message = { .msg_iov = &text, .msg_iovlen = 1 };
    if (count > 0) {
        message.msg_control = &room;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

static void take_descriptors(struct msghdr *message, struct packet *out)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        int fds[PACKET_FDS_MAX];
        memcpy(fds, CMSG_DATA(c), count * sizeof(int));
        for (size_t i = 0; i < count; i++) {
            if (out->count < out->most)
                out->fds[out->count++] = fds[i];
            else
                close(fds[i]);
        }
    }
}

ssize_t packet_receive(int socket, int flags, struct packet *packet)
{
    union attachment room;
    struct iovec into = { .iov_base = packet->words, .iov_len = packet->size };
    struct msghdr message = { .msg_iov = &into, .msg_iovlen = 1, .msg_control = &room,
                              .msg_controllen = sizeof room };
    ssize_t got;
    packet->count = 0;
    do
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
    while (got < 0 && errno == EINTR);
    if (got >= 0)
        take_descriptors(&message, packet);
    return got;
}
