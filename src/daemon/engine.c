/* engine.c: the engine's process: opened, run until a signal, drained, closed.
 *
 * Its main thread only waits for signals; all work is done by the others.
 */
#include "daemon/engine_private.h"

#include "log/log.h"
#include "net/listener.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <poll.h>
#include <sysexits.h>
#include <unistd.h>

enum { DRAIN_MAX_MS = 15 * 1000 };

static void tell_where(const struct engine *e)
{
    struct buffer b;
    buffer_init(&b, 4096);
    for (size_t i = 0; i < e->sockets->listeners; i++) {
        struct net_address address;
        if (listener_address(sockets_fd(e->sockets, i, 0), &address) != ERR_OK)
            continue;
        buffer_append(&b, SLICE("godwit: listening on "));
        net_address_append(&b, &address);
        buffer_append_string(&b, e->config->listeners[i].role == CONFIG_ROLE_RELAY
                                     ? " (relay)\n" : " (submission)\n");
    }
    if (e->options->is_quick_start)
        buffer_append(&b, SLICE(
            "godwit: nothing leaves this machine: mail is captured, a line a message\n"
            "godwit: try, in another terminal:\n"
            "  build/godwit send --to you@example.com --subject Hello\n"));
    fwrite(b.memory, 1, buffer_len(&b), stdout);
    fflush(stdout);
    buffer_free(&b);
}

/* Waits for a signal or mail for the main thread; the signal, or 0. */
static int wait_signal(struct engine *e, int signals, int wait_ms)
{
    struct signalfd_siginfo info;
    struct pollfd polls[2] = { { .fd = signals, .events = POLLIN },
                               { .fd = e->main.descriptor, .events = POLLIN } };
    poll(polls, 2, wait_ms);
    mailbox_run(&e->main);
    if (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
        return (int)info.ssi_signo;
    return 0;
}

static void run(struct engine *e, int signals)
{
    for (;;) {
        int signal = wait_signal(e, signals, -1);
        if (signal == SIGTERM || signal == SIGINT)
            return;
        if (signal == SIGHUP)
            engine_reload(e);
    }
}

/* True when everything came to rest in time. */
static bool drain(struct engine *e, int signals)
{
    int64_t end = moment_now().mono_ms + DRAIN_MAX_MS;
    engine_drain(e);
    while (e->draining > 0) {
        int64_t left = end - moment_now().mono_ms;
        if (left <= 0)
            return false;
        wait_signal(e, signals, (int)left);
    }
    return true;
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool is_off(const char *what)
{
    return slice_starts_with_nocase(slice_from_string(what), SLICE("off"));
}

/* What the kernel does not have is missed, and said. */
static void tell_sandbox(const struct sandbox_result *sandbox)
{
    struct log_line line;
    bool lacks = is_off(sandbox->seccomp) || is_off(sandbox->landlock);
    log_begin(&line, lacks ? LOG_WARNING : LOG_INFO, "sandbox");
    log_string(&line, "seccomp", sandbox->seccomp);
    log_string(&line, "landlock", sandbox->landlock);
    log_end(&line);
}

int engine_run(const struct daemon_options *options, const struct inheritance *from)
{
    struct engine e = { .options = options, .config = config_hold(from->config),
                        .start = config_hold(from->config),
                        .sockets = from->sockets, .supervisor = from->supervisor,
                        .places = from->places };
    int signals = open_signals();
    int code = signals < 0 ? EX_OSERR : engine_log_open(&e);
    if (code != 0)
        return code;
    tell_sandbox(from->sandbox);
    code = engine_open(&e, from->secrets, from->reader);
    secrets_close(from->secrets);
    if (code == 0)
        code = engine_start(&e);
    if (code == 0) {
        tell_where(&e);
        log_note(LOG_INFO, "started", "ready");
        run(&e, signals);
        log_note(LOG_INFO, "stopping", "draining");
        if (!drain(&e, signals)) {
            /* Attempts that take longer than our patience are cut: the spool holds
             * whatever they were about, as after a crash. */
            log_note(LOG_WARNING, "stopped", "with attempts under way");
            log_close();
            _exit(0);
        }
        engine_stop(&e);
        log_note(LOG_INFO, "stopped", "clean");
    }
    engine_close(&e);
    config_drop(&e.config);
    config_drop(&e.start);
    log_close();
    return code;
}
