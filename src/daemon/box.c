/* box.c: the small process that starts the two of a sandbox, and starts them again. */
#include "daemon/box_private.h"

#include "net/listener.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { DEATHS_MAX = 10, PAUSE_MS = 50, CHILDREN = 3, DNS_TRIES = 20 };

struct child {
    int (*run)(struct box_shared *shared);
    const char *name;
    pid_t pid;
    bool is_for_content;         /* a message may end it, as often as somebody asks for that */
    unsigned deaths;             /* in a row, each soon after its start */
    int64_t started_ms;
};

struct box_parent {
    struct box_shared shared;
    struct child children[CHILDREN];
    sigset_t signals;
    bool ending;
};

int box_harden(const struct box_shared *shared)
{
    struct sandbox_places places;
    struct sandbox_result result;
    if (sandbox_places_make(shared->config, slice_make(NULL, 0), &places) != ERR_OK)
        return EX_OSERR;
    sandbox_enter(SANDBOX_ENGINE, &places, &result);
    sandbox_places_free(&places);
    return 0;
}

static bool start(struct box_parent *p, struct child *c)
{
    pid_t parent = getpid();
    c->started_ms = moment_now().mono_ms;
    c->pid = fork();
    if (c->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        exit(getppid() == parent ? c->run(&p->shared) : EX_TEMPFAIL);
    }
    if (c->pid < 0)
        fprintf(stderr, "godwit: cannot start a process: %s\n", strerror(errno));
    return c->pid > 0;
}

/* Its exit code when everything ends with it, else -1. */
static int gone(struct box_parent *p, struct child *c, int status)
{
    c->pid = 0;
    if (p->ending)
        return -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) != EX_SOFTWARE)
        return WEXITSTATUS(status);
    bool soon = moment_now().mono_ms - c->started_ms < MINUTE_MS;
    c->deaths = soon ? c->deaths + 1 : 1;
    bool goes_on = c->deaths < DEATHS_MAX || c->is_for_content;
    fprintf(stderr, "godwit: the process for %s ended (%s)%s\n", c->name,
            WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "error",
            goes_on ? ": starting it again" : " again and again: giving up");
    long pause_ms = PAUSE_MS * (long)(c->deaths < DEATHS_MAX ? c->deaths : DEATHS_MAX);
    const struct timespec pause = { .tv_nsec = pause_ms * 1000000L };
    nanosleep(&pause, NULL);
    return goes_on && start(p, c) ? -1 : EX_SOFTWARE;
}

static void signal_all(struct box_parent *p, int number)
{
    for (size_t i = 0; i < CHILDREN; i++)
        if (p->children[i].pid > 0)
            kill(p->children[i].pid, number);
}

/* The exit code, or -1 to go on. */
static int reap(struct box_parent *p)
{
    int status, code = -1;
    for (size_t i = 0; i < CHILDREN; i++) {
        struct child *c = &p->children[i];
        if (c->pid > 0 && waitpid(c->pid, &status, WNOHANG) == c->pid && code == -1)
            code = gone(p, c, status);
    }
    bool all_gone = true;
    for (size_t i = 0; i < CHILDREN; i++)
        all_gone = all_gone && p->children[i].pid == 0;
    return code == -1 && all_gone ? 0 : code;
}

static int supervise(struct box_parent *p)
{
    const struct timespec patience = { .tv_sec = 10 };
    bool started = !box_has_queue(p->shared.options) || start(p, &p->children[2]);
    int code = started && start(p, &p->children[1]) && start(p, &p->children[0]) ? -1 : EX_OSERR;
    while (code == -1) {
        int number = sigtimedwait(&p->signals, NULL, p->ending ? &patience : NULL);
        if (number == SIGTERM || number == SIGINT) {
            p->ending = true;
            signal_all(p, SIGTERM);
        }
        if (number < 0 && errno == EAGAIN)
            signal_all(p, SIGKILL);
        code = reap(p);
    }
    if (!p->ending) {
        p->ending = true;
        signal_all(p, SIGKILL);
    }
    for (size_t i = 0; i < CHILDREN; i++)
        if (p->children[i].pid > 0)
            waitpid(p->children[i].pid, NULL, 0);
    return code;
}

static int bind_http(struct box_shared *s)
{
    struct net_address address;
    struct slice wanted = s->options->http.len > 0 ? s->options->http : SLICE("127.0.0.1:8025");
    if (!net_address_parse(wanted, &address)) {
        fprintf(stderr, "godwit: '%.*s' is no address such as 127.0.0.1:8025\n",
                (int)wanted.len, wanted.data);
        return EX_USAGE;
    }
    enum err error = listener_bind(&address, false, &s->http);
    if (error == ERR_OK)
        return 0;
    fprintf(stderr, "godwit: cannot listen on %.*s: %s%s\n", (int)wanted.len, wanted.data,
            err_text(error), error == ERR_EXISTS ? " (another program listens there)" : "");
    return EX_OSERR;
}

/* A port that is free for both: with port 0 some are tried. */
static int bind_dns(struct box_shared *s)
{
    struct net_address wanted, address;
    if (s->options->dns.len == 0)
        return 0;
    if (!net_address_parse(s->options->dns, &wanted) || wanted.any.sa_family == AF_UNIX) {
        fprintf(stderr, "godwit: '%.*s' is no address such as 127.0.0.1:1053\n",
                (int)s->options->dns.len, s->options->dns.data);
        return EX_USAGE;
    }
    for (int i = 0; i < DNS_TRIES; i++) {
        s->dns_udp = socket(wanted.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (s->dns_udp >= 0 && listener_bind(&wanted, false, &s->dns_tcp) == ERR_OK &&
            listener_address(s->dns_tcp, &address) == ERR_OK &&
            bind(s->dns_udp, &address.any, address.len) == 0)
            return 0;
        if (s->dns_tcp >= 0)
            close(s->dns_tcp);
        if (s->dns_udp >= 0)
            close(s->dns_udp);
        s->dns_tcp = s->dns_udp = -1;
        if (net_address_port(&wanted) != 0)
            break;
    }
    fprintf(stderr, "godwit: cannot answer DNS on %.*s\n", (int)s->options->dns.len,
            s->options->dns.data);
    return EX_OSERR;
}

static void append_listener(struct buffer *b, const char *before, int fd, const char *after)
{
    struct net_address address;
    if (listener_address(fd, &address) != ERR_OK)
        return;
    buffer_append_string(b, before);
    if (!net_address_is_loopback(&address) || address.any.sa_family != AF_INET)
        net_address_append(b, &address);
    else
        buffer_append_format(b, "127.0.0.1:%u", net_address_port(&address));
    buffer_append_string(b, after);
}

static void tell_where(const struct box_shared *s)
{
    struct buffer b;
    buffer_init(&b, 4096);
    for (size_t i = 0; i < s->sockets.listeners; i++)
        append_listener(&b, "godwit: SMTP on ", sockets_fd(&s->sockets, i, 0), "\n");
    append_listener(&b, "godwit: HTTP on http://", s->http, "/\n");
    if (s->dns_tcp >= 0)
        append_listener(&b, "godwit: DNS on ", s->dns_tcp, "\n");
    if (!s->options->is_quiet)
        buffer_append_format(&b, "godwit: %s; mail is kept in %s\n",
                             box_has_queue(s->options) ? "only what is released leaves"
                                                       : "nothing leaves this machine",
                             s->is_kept ? s->folder : "memory, and goes when this ends");
    fwrite(b.memory, 1, buffer_len(&b), stdout);
    fflush(stdout);
    buffer_free(&b);
}

static int open_all(struct box_parent *p)
{
    struct box_shared *s = &p->shared;
    const int wanted[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&p->signals);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        sigaddset(&p->signals, wanted[i]);
    sigprocmask(SIG_BLOCK, &p->signals, NULL);
    s->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->trying = mmap(NULL, sizeof *s->trying, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                     -1, 0);
    if (s->told < 0 || s->trying == MAP_FAILED ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s->channel) != 0) {
        fprintf(stderr, "godwit: cannot start: %s\n", strerror(errno));
        return EX_OSERR;
    }
    int code = sockets_bind(s->config, &s->sockets);
    if (code == 0 && box_has_queue(s->options))
        code = box_queue_bind(s);
    if (code == 0)
        code = bind_dns(s);
    return code == 0 ? bind_http(s) : code;
}

int box_serve(const struct box_serve *options)
{
    struct box_parent p = {
        .shared = { .options = options, .http = -1, .dns_tcp = -1, .dns_udp = -1, .log = -1, .told = -1 },
        .children = { { .run = box_engine_run, .name = "SMTP" },
                      { .run = box_content_run, .name = "HTTP", .is_for_content = true },
                      { .run = box_queue_run, .name = "the queue" } },
    };
    struct config_flags flags = options->flags;
    struct config_error error;
    int code = box_folder_open(&p.shared);
    flags.data = slice_from_string(p.shared.folder);
    flags.sandbox = flags.capture = true;
    if (code == 0 && config_load(slice_make(NULL, 0), &flags, &p.shared.config, &error) != ERR_OK) {
        fprintf(stderr, "godwit: %s\n", error.text);
        code = EX_USAGE;
    }
    if (code == 0)
        code = open_all(&p);
    if (code == 0) {
        tell_where(&p.shared);
        code = supervise(&p);
        sockets_close(&p.shared.sockets);
        sockets_close(&p.shared.queue);
    }
    config_drop(&p.shared.config);
    box_folder_close(&p.shared);
    return code;
}
