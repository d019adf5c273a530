/* secrets.c: opening them, and handing them over (SCM_RIGHTS). */
#include "daemon/secrets.h"

#include "daemon/packet.h"

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

enum { WAIT_S = 5, WHY_MAX = 400, BATCH = PACKET_FDS_MAX };

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
    bool good = config->certificates_count <= SECRETS_CERTIFICATES_MAX;
    if (!good)
        snprintf(why, size, "tls.certificates: at most %d", SECRETS_CERTIFICATES_MAX);
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

static bool send_packet(int socket, const char *words, const int *fds, size_t count)
{
    return packet_send(socket, slice_from_string(words), fds, count);
}

/* A packet is never empty: a reason; "-" where more follow; "+" and the checksum of the
 * names. Where one cannot be sent, the engine has gone, or says that it waited in vain. */
void secrets_send(int socket, const struct secrets *s, const char *why)
{
    char names[16];
    size_t at = 0;
    bool good = true;
    if (s == NULL) {
        (void)send_packet(socket, why, NULL, 0);
        return;
    }
    snprintf(names, sizeof names, "+%08x", s->names);
    for (; good && s->count - at > BATCH; at += BATCH)
        good = send_packet(socket, "-", s->fds + at, BATCH);
    if (good)
        (void)send_packet(socket, names, s->fds + at, s->count - at);
}

/* One packet; its length, or -1. Descriptors go behind those that are there. */
static ssize_t receive(int socket, int flags, char *text, struct secrets *out)
{
    struct packet packet = { .words = text, .size = WHY_MAX, .fds = out->fds + out->count,
                             .most = SECRETS_MAX - out->count };
    ssize_t got = packet_receive(socket, flags, &packet);
    out->count += packet.count;
    return got;
}

/* Answers that came too late, or to an engine that was killed. */
static void forget_old_answers(int socket)
{
    struct secrets old = { .count = 0 };
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
    struct secrets s = { .count = 0 };
    ssize_t got = -1;
    forget_old_answers(socket);
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    if (send(socket, SECRETS_WANTED, 1, MSG_NOSIGNAL) == 1)
        do
            got = receive(socket, 0, text, &s);
        while (got == 1 && text[0] == '-');
    if (got == 9 && text[0] == '+' && take_names(slice_make(text + 1, 8), &s)) {
        *out = s;
        return true;
    }
    secrets_close(&s);
    if (got <= 0)
        snprintf(why, size, "the supervisor did not open the files");
    else
        snprintf(why, size, "%.*s", (int)got, text);
    return false;
}
