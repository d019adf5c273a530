/* reader.c: one message after another, each with a clock running. */
#include "daemon/reader.h"

#include "content/dmarc_report.h"
#include "content/report.h"
#include "content/tls_report.h"
#include "content/unpack.h"
#include "daemon/daemon_private.h"
#include "daemon/packet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

enum { WORDS_MAX = 64, MEMORY_MAX = 1024 * 1024 * 1024, FILES_MAX = 16 };

static bool read_whole(int fd, struct buffer *out)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || status.st_size < 0 || status.st_size > READER_MESSAGE_MAX)
        return false;
    char *room = buffer_reserve(out, (size_t)status.st_size + 1);
    size_t at = 0;
    ssize_t got = -1;
    while (room != NULL && at <= (size_t)status.st_size &&
           (got = pread(fd, room + at, (size_t)status.st_size + 1 - at, (off_t)at)) > 0)
        at += (size_t)got;
    buffer_added(out, at);
    return room != NULL && got == 0;
}

static bool write_whole(int fd, const char *text, size_t len)
{
    size_t at = 0;
    while (at < len) {
        ssize_t put = pwrite(fd, text + at, len - at, (off_t)at);
        if (put <= 0)
            return false;
        at += (size_t)put;
    }
    return true;
}

static json_t *read_as(struct slice message, enum content_report kind,
                       json_t *(*read)(struct slice, const char **), const char **out_failure)
{
    struct buffer report;
    json_t *made = NULL;
    buffer_init(&report, 2 * CONTENT_UNPACKED_MAX);
    *out_failure = content_report_find(message, kind, &report);
    if (*out_failure == NULL)
        made = read(buffer_slice(&report), out_failure);
    buffer_free(&report);
    return made;
}

/* Which of the two it is, its parts say. */
static json_t *read_report(struct slice message, const char **out_failure)
{
    const char *other;
    json_t *made = read_as(message, CONTENT_REPORT_DMARC, dmarc_report_read, out_failure);
    return made != NULL ? made
                        : read_as(message, CONTENT_REPORT_TLS, tls_report_read, &other);
}

static bool answer(int in, int out)
{
    struct buffer message;
    const char *failure = "it cannot be read";
    json_t *made = NULL;
    buffer_init(&message, READER_MESSAGE_MAX + 1);
    if (read_whole(in, &message))
        made = read_report(buffer_slice(&message), &failure);
    buffer_free(&message);
    char *text = made == NULL ? NULL : json_dumps(made, JSON_COMPACT);
    bool good = text != NULL && write_whole(out, text, strlen(text));
    if (text == NULL)
        (void)write_whole(out, failure, strlen(failure));
    free(text);
    json_decref(made);
    return good;
}

static void run_clock(long seconds)
{
    struct itimerval clock = { .it_value.tv_sec = seconds };
    setitimer(ITIMER_REAL, &clock, NULL); /* its signal ends the process */
}

static int serve(int socket)
{
    char words[WORDS_MAX];
    int fds[2];
    for (;;) {
        struct packet packet = { .words = words, .size = sizeof words - 1, .fds = fds,
                                 .most = 2 };
        ssize_t len = packet_receive(socket, 0, &packet);
        if (len <= 0)
            return 0; /* there is no engine any more, nor a supervisor */
        if (packet.count == 2) {
            run_clock(READER_SECONDS);
            words[len] = answer(fds[0], fds[1]) ? '+' : '-';
            run_clock(0);
            (void)packet_send(socket, slice_make(words, (size_t)len + 1), NULL, 0);
        }
        for (size_t i = 0; i < packet.count; i++)
            close(fds[i]);
    }
}

static void limit(__rlimit_resource_t what, rlim_t most)
{
    struct rlimit limits = { most, most };
    setrlimit(what, &limits);
}

/* What the libraries do once they do before the door is shut. */
static void warm_up(void)
{
    static const char sample[] = "From: a@a.test\r\nContent-Type: text/xml\r\n\r\n<feedback/>\r\n";
    const char *failure;
    json_decref(read_report(slice_make(sample, sizeof sample - 1), &failure));
}

int reader_run(const struct config *config, int socket)
{
    struct sandbox_places none = { .count = 0 };
    struct sandbox_result result;
    warm_up();
    signal(SIGALRM, SIG_DFL);
    sigset_t all;
    sigemptyset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    limit(RLIMIT_AS, MEMORY_MAX);
    limit(RLIMIT_NOFILE, FILES_MAX);
    limit(RLIMIT_CORE, 0);
    if (config->sandbox)
        sandbox_enter(SANDBOX_CONTENT, &none, &result);
    return serve(socket);
}
