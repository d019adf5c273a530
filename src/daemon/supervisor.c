/* supervisor.c: the process that stays: ports, the engine, and its restarts.
 *
 * Single-threaded; speaks to nobody. When it is killed, the kernel ends the engine too
 * (PR_SET_PDEATHSIG), so that a successor finds port and data folder free.
 */
#include "daemon/daemon_private.h"

#include "base/moment.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_FIRST_MS = 100, PAUSE_MAX_MS = 10 * 1000, QUICK_DEATHS_MAX = 10 };

struct supervisor {
    const struct daemon_options *options;
    const struct config *config;
    struct sockets sockets;
    int reloads[2];          /* a pipe: the engine has another configuration */
    sigset_t signals;
    pid_t engine;
    bool ending;
    unsigned quick_deaths;   /* in a row, each within a minute of its start */
    int64_t started_ms;
};

static int engine_main(struct supervisor *s, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        return EX_TEMPFAIL;
    int code = privileges_drop(s->config);
    if (code != 0)
        return code;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of user forgets it */
    if (getppid() != parent)
        return EX_TEMPFAIL;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    close(s->reloads[0]);
    return engine_run(s->options, s->config, &s->sockets, s->reloads[1]);
}

static int start_engine(struct supervisor *s)
{
    pid_t parent = getpid();
    s->started_ms = moment_now().mono_ms;
    s->engine = fork();
    if (s->engine < 0) {
        fprintf(stderr, "godwit: cannot start the engine: %s\n", strerror(errno));
        return EX_OSERR;
    }
    if (s->engine == 0)
        exit(engine_main(s, parent));
    return 0;
}

/* What a restart cannot mend. */
static bool is_final(int status)
{
    return WIFEXITED(status) &&
           (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EX_CONFIG ||
            WEXITSTATUS(status) == EX_NOPERM || WEXITSTATUS(status) == EX_CANTCREAT ||
            WEXITSTATUS(status) == EX_UNAVAILABLE);
}

static void say_death(int status)
{
    if (WIFSIGNALED(status))
        fprintf(stderr, "godwit: the engine died of signal %d (%s)\n", WTERMSIG(status),
                strsignal(WTERMSIG(status)));
    else
        fprintf(stderr, "godwit: the engine ended with code %d\n", WEXITSTATUS(status));
}

static void pause_before_restart(struct supervisor *s)
{
    bool quick = moment_now().mono_ms - s->started_ms < MINUTE_MS;
    s->quick_deaths = quick ? s->quick_deaths + 1 : 0;
    int64_t pause = PAUSE_FIRST_MS;
    for (unsigned i = 1; i < s->quick_deaths && pause < PAUSE_MAX_MS; i++)
        pause *= 2;
    struct timespec t = { .tv_sec = pause / 1000, .tv_nsec = pause % 1000 * 1000000 };
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    if (sigtimedwait(&ends, NULL, &t) > 0)
        s->ending = true;
}

/* What a reload has brought must not be undone by a restart of the engine; nor must that
 * bring what nobody has asked to be loaded. So the file is read when the engine says
 * that it has taken it, and then alone. */
static void take_reloaded(struct supervisor *s)
{
    const struct config *next;
    struct config_error error;
    char told[64];
    bool any = false;
    while (read(s->reloads[0], told, sizeof told) > 0)
        any = true;
    if (!any)
        return;
    bool loaded = config_load(s->options->config_file, &s->options->flags, &next,
                              &error) == ERR_OK;
    if (loaded && daemon_same_start(s->config, next, error.text, sizeof error.text)) {
        config_drop(&s->config);
        s->config = next;
        return;
    }
    fprintf(stderr, "godwit: %s (changed again just after a reload)\n", error.text);
    if (loaded)
        config_drop(&next);
}

static bool open_reloads(struct supervisor *s)
{
    if (pipe2(s->reloads, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    /* SIGIO when there is something to read. */
    return fcntl(s->reloads[0], F_SETOWN, getpid()) == 0 &&
           fcntl(s->reloads[0], F_SETFL, O_NONBLOCK | O_ASYNC) == 0;
}

/* The engine has gone. Returns an exit code, or -1 to go on. */
static int engine_gone(struct supervisor *s, int status)
{
    s->engine = 0;
    if (s->ending || is_final(status))
        return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
    say_death(status);
    pause_before_restart(s);
    if (s->ending)
        return 0;
    if (s->quick_deaths >= QUICK_DEATHS_MAX) {
        fprintf(stderr, "godwit: the engine died %u times in a row: giving up\n",
                s->quick_deaths);
        return EX_SOFTWARE;
    }
    fprintf(stderr, "godwit: starting the engine again\n");
    take_reloaded(s);
    int code = start_engine(s);
    return code == 0 ? -1 : code;
}

static int supervise(struct supervisor *s)
{
    int code = start_engine(s);
    while (code == 0 || code == -1) {
        int status;
        siginfo_t info;
        int signal = sigwaitinfo(&s->signals, &info);
        if (signal == SIGTERM || signal == SIGINT)
            s->ending = true;
        if (signal == SIGIO)
            take_reloaded(s);
        else if (signal > 0 && signal != SIGCHLD && s->engine > 0)
            kill(s->engine, signal == SIGINT ? SIGTERM : signal);
        code = -1;
        while (s->engine > 0 && waitpid(s->engine, &status, WNOHANG) == s->engine) {
            code = engine_gone(s, status);
            if (code != -1)
                return code;
        }
    }
    return code;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int daemon_serve(const struct daemon_options *options)
{
    struct supervisor s = { .options = options };
    struct config_error error;
    if (config_load(options->config_file, &options->flags, &s.config, &error) != ERR_OK) {
        fprintf(stderr, "godwit: %s\n", error.text);
        return EX_CONFIG;
    }
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    sigemptyset(&s.signals);
    const int wanted[] = { SIGTERM, SIGINT, SIGHUP, SIGIO, SIGCHLD };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        sigaddset(&s.signals, wanted[i]);
    sigprocmask(SIG_BLOCK, &s.signals, NULL);
    int code = open_reloads(&s) ? data_prepare(s.config) : EX_OSERR;
    if (code == 0)
        code = sockets_bind(s.config, &s.sockets);
    if (code == 0) {
        code = supervise(&s);
        sockets_close(&s.sockets);
    }
    config_drop(&s.config);
    return code;
}
