/* secrets.c: opening them, and handing them over (SCM_RIGHTS). */
#include "daemon/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

enum { WAIT_S = 5, WHY_MAX = 400 };

static bool fail(char *why, size_t size, size_t number, const char *key, struct slice path,
                 const char *reason)
{
    snprintf(why, size, "tls.certificates[%zu].%s: %.*s: %s", number, key, (int)path.len,
             path.data, reason);
    return false;
}

static bool open_one(struct secrets *s, size_t number, const char *key, struct slice path,
                     char *why, size_t size)
{
    struct stat facts;
    char *name = slice_to_string(path);
    if (name == NULL)
        return fail(why, size, number, key, path, "no memory");
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int error = errno;
    free(name);
    if (fd < 0)
        return fail(why, size, number, key, path, strerror(error));
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        close(fd);
        return fail(why, size, number, key, path, "this is not a file");
    }
    s->fds[s->count++] = fd;
    return true;
}

bool secrets_open(const struct config *config, struct secrets *out, char *why, size_t size)
{
    struct secrets s = { .count = 0 };
    bool good = config->certificates_count * 2 <= SECRETS_MAX;
    if (!good)
        snprintf(why, size, "tls.certificates: at most %d", SECRETS_MAX / 2);
    for (size_t i = 0; good && i < config->certificates_count; i++) {
        const struct config_certificate *c = &config->certificates[i];
        good = open_one(&s, i + 1, "cert", c->cert, why, size) &&
               open_one(&s, i + 1, "key", c->key.len > 0 ? c->key : c->cert, why, size);
    }
    if (good)
        *out = s;
    else
        secrets_close(&s);
    return good;
}

void secrets_close(struct secrets *s)
{
    for (size_t i = 0; i < s->count; i++)
        close(s->fds[i]);
    s->count = 0;
}

/* Room for the descriptors beside a packet. */
union attachment {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * SECRETS_MAX)];
};

/* A packet is never empty: a reason, or "+". */
void secrets_send(int socket, const struct secrets *s, const char *why)
{
    union attachment room;
    memset(&room, 0, sizeof room);
    bool good = s != NULL;
    struct iovec text = { .iov_base = (char *)(uintptr_t)(good ? "+" : why),
                          .iov_len = good ? 1 : strlen(why) };
    struct msghdr message = { .msg_iov = &text, .msg_iovlen = 1 };
    if (good && s->count > 0) {
        message.msg_control = &room;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * s->count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * s->count);
        memcpy(CMSG_DATA(c), s->fds, sizeof(int) * s->count);
    }
    ssize_t ignored = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)ignored; /* the engine has gone, or will say that it waited in vain */
}

static void take_descriptors(struct msghdr *message, struct secrets *out)
{
    struct secrets s = { .count = 0 };
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        s.count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(s.fds, CMSG_DATA(c), s.count * sizeof(int));
    }
    *out = s;
}

/* One packet; its length, or -1 and nothing open. */
static ssize_t receive(int socket, int flags, char *text, struct secrets *out)
{
    union attachment room;
    struct iovec into = { .iov_base = text, .iov_len = WHY_MAX };
    struct msghdr message = { .msg_iov = &into, .msg_iovlen = 1, .msg_control = &room,
                              .msg_controllen = sizeof room };
    ssize_t got;
    do
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        out->count = 0;
    else
        take_descriptors(&message, out);
    return got;
}

/* Answers that came too late, or to an engine that was killed. */
static void forget_old_answers(int socket)
{
    struct secrets old;
    char text[WHY_MAX];
    while (receive(socket, MSG_DONTWAIT, text, &old) > 0)
        secrets_close(&old);
}

bool secrets_ask(int socket, struct secrets *out, char *why, size_t size)
{
    char text[WHY_MAX];
    struct timeval wait = { .tv_sec = WAIT_S };
    ssize_t got = -1;
    forget_old_answers(socket);
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    if (send(socket, SECRETS_WANTED, 1, MSG_NOSIGNAL) == 1)
        got = receive(socket, 0, text, out);
    if (got <= 0) {
        snprintf(why, size, "the supervisor did not open the certificates");
        return false;
    }
    if (got == 1 && text[0] == '+')
        return true;
    snprintf(why, size, "%.*s", (int)got, text);
    secrets_close(out);
    return false;
}
