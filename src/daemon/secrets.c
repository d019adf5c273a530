/* secrets.c: opening them, and handing them over (SCM_RIGHTS). */
#include "daemon/secrets.h"

#include "base/crc32c.h"

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

/* One file that is named, and what it is called in complaints. */
struct named {
    struct slice path;
    char key[64];
};

static bool fail(char *why, size_t size, const struct named *file, const char *reason)
{
    snprintf(why, size, "%s: %.*s: %s", file->key, (int)file->path.len, file->path.data,
             reason);
    return false;
}

static bool open_one(struct secrets *s, const struct named *file, char *why, size_t size)
{
    struct stat facts;
    char *name = slice_to_string(file->path);
    if (name == NULL)
        return fail(why, size, file, "no memory");
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int error = errno;
    free(name);
    if (fd < 0)
        return fail(why, size, file, strerror(error));
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        close(fd);
        return fail(why, size, file, "this is not a file");
    }
    s->fds[s->count++] = fd;
    return true;
}

/* Goes through all that a configuration names: the file after `*at`; false at the end. */
struct walk {
    const struct config *config;
    size_t done;
    const struct config_file *file;
};

static bool next_file(struct walk *at, struct named *out)
{
    const struct config *c = at->config;
    size_t number = at->done++;
    if (number < c->certificates_count * 2) {
        const struct config_certificate *one = &c->certificates[number / 2];
        bool is_key = number % 2 == 1;
        out->path = is_key && one->key.len > 0 ? one->key : one->cert;
        snprintf(out->key, sizeof out->key, "tls.certificates[%zu].%s", number / 2 + 1,
                 is_key ? "key" : "cert");
        return true;
    }
    at->file = number == c->certificates_count * 2 ? c->files : at->file->next;
    if (at->file == NULL)
        return false;
    out->path = at->file->path;
    snprintf(out->key, sizeof out->key, "%s", at->file->key);
    return true;
}

static uint32_t sum_names(const struct config *config)
{
    struct walk at = { .config = config };
    struct named file;
    uint32_t sum = 0;
    while (next_file(&at, &file))
        sum = crc32c(crc32c(sum, file.path), SLICE("\n"));
    return sum;
}

bool secrets_fit(const struct secrets *s, const struct config *config)
{
    return s->count == config->certificates_count * 2 + config->files_count &&
           s->names == sum_names(config);
}

bool secrets_open(const struct config *config, struct secrets *out, char *why, size_t size)
{
    struct secrets s = { .names = sum_names(config) };
    struct walk at = { .config = config };
    struct named file;
    bool good = config->certificates_count <= SECRETS_CERTIFICATES_MAX &&
                config->certificates_count * 2 + config->files_count <= SECRETS_MAX;
    if (!good)
        snprintf(why, size, "tls.certificates: at most %d, and at most %d files in all",
                 SECRETS_CERTIFICATES_MAX, SECRETS_MAX);
    while (good && next_file(&at, &file))
        good = open_one(&s, &file, why, size);
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

/* A packet is never empty: a reason, or "+" and the checksum of the names. */
void secrets_send(int socket, const struct secrets *s, const char *why)
{
    union attachment room;
    memset(&room, 0, sizeof room);
    bool good = s != NULL;
    char names[16];
    snprintf(names, sizeof names, "+%08x", good ? s->names : 0);
    struct iovec text = { .iov_base = good ? names : (char *)(uintptr_t)why };
    text.iov_len = strlen(text.iov_base);
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

static bool take_names(struct slice text, struct secrets *out)
{
    char digits[9] = { 0 };
    char *end;
    memcpy(digits, text.data, 8);
    out->names = (uint32_t)strtoul(digits, &end, 16);
    return *end == '\0';
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
        snprintf(why, size, "the supervisor did not open the files");
        return false;
    }
    if (got == 9 && text[0] == '+' && take_names(slice_make(text + 1, 8), out))
        return true;
    snprintf(why, size, "%.*s", (int)got, text);
    secrets_close(out);
    return false;
}
