/* box_content.c: the process of a sandbox that shows what was captured: the log is taken up,
 * and HTTP answered, in turn, on one thread. */
#include "daemon/box_private.h"

#include "api/api.h"
#include "event/timer.h"
#include "event/watch.h"
#include "content/codes.h"
#include "content/decode.h"
#include "log/log.h"
#include "net/listener.h"
#include "sandbox/box.h"
#include "sandbox/resolver.h"
#include "sandbox/simulator.h"
#include "web/web.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

struct box_content {
    struct box_shared *shared;
    struct loop *loop;
    struct box *box;
    struct api *api;
    struct web *web;
    struct simulator *simulator;
    struct resolver *resolver;   /* NULL: there is no port for it */
    struct watch told;
    struct watch signals;
    struct timer feed;
    struct timer warm;
};

enum { WARM_MS = 20 };

static void on_feed(struct timer *timer)
{
    struct box_content *c = container_of(timer, struct box_content, feed);
    if (box_feed(c->box))
        timer_set(timer, 0);
}

/* When nobody waits for the start any more. */
static void on_warm(struct timer *timer)
{
    codes_start();
    box_warm(container_of(timer, struct box_content, warm)->box);
}

static void on_told(struct watch *watch)
{
    struct box_content *c = container_of(watch, struct box_content, told);
    eventfd_t count;
    eventfd_read(watch->fd, &count);
    on_feed(&c->feed);
}

static void on_signal(struct watch *watch)
{
    struct box_content *c = container_of(watch, struct box_content, signals);
    struct signalfd_siginfo info;
    if (read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info)
        loop_stop(c->loop);
}

static int watch_all(struct box_content *c)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    watch_init(&c->signals, c->loop, fd, on_signal, NULL);
    watch_init(&c->told, c->loop, c->shared->told, on_told, NULL);
    timer_init(&c->feed, c->loop, on_feed);
    timer_set(&c->feed, 0);
    timer_init(&c->warm, c->loop, on_warm);
    timer_set(&c->warm, WARM_MS);
    return fd >= 0 && watch_read(&c->signals, true) == ERR_OK &&
           watch_read(&c->told, true) == ERR_OK ? 0 : EX_OSERR;
}

static int open_box(struct box_content *c)
{
    const struct box_serve *o = c->shared->options;
    char *path = NULL;
    if (asprintf(&path, "%s/sandbox.db", c->shared->folder) < 0)
        return EX_OSERR;
    struct box_options options = {
        .loop = c->loop, .path = path, .log = c->shared->log,
        .domain = o->domain.len > 0 ? o->domain : SLICE("sandbox.test"),
        .messages_max = o->messages_max, .bytes_max = o->bytes_max,
        .age_max_ms = o->age_max_ms, .is_durable = c->shared->is_kept,
        .trying = c->shared->trying,
    };
    enum err error = box_open(&options, &c->box);
    if (error != ERR_OK)
        fprintf(stderr, "godwit: cannot open %s: %s\n", path, err_text(error));
    free(path);
    return error == ERR_OK ? 0 : EX_CANTCREAT;
}

static int open_simulator(struct box_content *c)
{
    const struct box_shared *s = c->shared;
    struct simulator_options options = {
        .loop = c->loop, .box = c->box, .hostname = s->config->hostname,
        .domain = s->options->domain.len > 0 ? s->options->domain : SLICE("sandbox.test"),
    };
    enum err error = listener_address(sockets_fd(&s->sockets, 0, 0), &options.smtp);
    if (error == ERR_OK)
        error = simulator_open(&options, &c->simulator);
    return error == ERR_OK ? 0 : EX_OSERR;
}

static enum reach_range range_of(struct slice name)
{
    return slice_equal(name, SLICE("any"))        ? REACH_ANY
           : slice_equal(name, SLICE("private"))  ? REACH_PRIVATE
           : slice_equal(name, SLICE("loopback")) ? REACH_LOOPBACK
                                                  : REACH_NONE;
}

static int open_web(struct box_content *c)
{
    const struct box_shared *s = c->shared;
    struct api_options api = {
        .loop = c->loop, .box = c->box, .channel = s->channel[1],
        .label = s->options->label, .users = s->options->users,
        .domain = s->options->domain.len > 0 ? s->options->domain : SLICE("sandbox.test"),
        .secret = slice_make(s->secret, sizeof s->secret),
        .smtp = sockets_fd(&s->sockets, 0, 0), .hostname = s->config->hostname,
        .range = range_of(s->options->egress), .webhook = s->options->webhook,
        .release_to = s->options->release_to, .release_to_count = s->options->release_to_count,
    };
    if (box_has_queue(s->options))
        net_address_parse(slice_from_string(s->queue_address), &api.queue);
    if (api_open(&api, &c->api) != ERR_OK)
        return EX_OSERR;
    struct web_options web = { .loop = c->loop, .api = c->api, .fd = s->http,
                               .root = s->options->web_root };
    enum err error = web_open(&web, &c->web);
    if (error != ERR_OK)
        fprintf(stderr, "godwit: cannot answer HTTP: %s\n", err_text(error));
    return error == ERR_OK ? 0 : EX_OSERR;
}

static void close_all(struct box_content *c)
{
    timer_clear(&c->feed);
    timer_clear(&c->warm);
    watch_close(&c->told);
    watch_close(&c->signals);
    resolver_close(&c->resolver);
    simulator_close(&c->simulator);
    web_close(&c->web);
    api_close(&c->api);
    box_close(&c->box);
    loop_close(&c->loop);
}

int box_content_run(struct box_shared *shared)
{
    struct box_content c = { .shared = shared };
    content_start(); /* reads files of the machine */
    int code = box_harden(shared);
    if (code == 0 && (log_open(STDERR_FILENO, LOG_FORM_HUMAN, LOG_WARNING) != ERR_OK ||
                      loop_open(&c.loop) != ERR_OK))
        code = EX_OSERR;
    if (code == 0)
        code = open_box(&c);
    if (code == 0)
        code = open_web(&c);
    if (code == 0)
        code = open_simulator(&c);
    if (code == 0 && shared->dns_udp >= 0 &&
        resolver_open(c.loop, c.box, shared->dns_udp, shared->dns_tcp, &c.resolver) != ERR_OK)
        code = EX_OSERR;
    if (code == 0)
        code = watch_all(&c);
    if (code == 0)
        loop_run(c.loop);
    close_all(&c);
    log_close();
    return code;
}
