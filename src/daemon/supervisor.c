/* supervisor.c: the process that stays: ports, the engine, and its restarts.
 *
 * Single-threaded; speaks to nobody. When it is killed, the kernel ends the engine too
 * (PR_SET_PDEATHSIG), so that a successor finds port and data folder free.
 */
#include "daemon/daemon_private.h"

#include "base/moment.h"
#include "daemon/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_FIRST_MS = 100, PAUSE_MAX_MS = 10 * 1000, QUICK_DEATHS_MAX = 10 };

struct supervisor {
    const struct daemon_options *options;
    const struct config *config;
    struct sockets sockets;
    struct secrets secrets;  /* as they were last opened */
    struct secrets before;   /* those before, which an engine has used; none: empty */
    const struct config *next; /* what the engine is about to take up, or NULL */
    struct secrets next_secrets;
    int channel[2];          /* a socket with the engine: secrets.h; ours is the first */
    int reading[2];          /* between engine and reader: reader.h; both ends stay open
                                here, so that either may be begun anew */
    sigset_t signals;
    pid_t engine;
    pid_t reader;            /* 0: there is none */
    unsigned reader_failures; /* in a row, before it has begun to read */
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
    close(s->channel[0]);
    close(s->reading[1]);
    secrets_close(&s->before);
    secrets_close(&s->next_secrets);
    struct sandbox_places places;
    struct sandbox_result sandbox = { .seccomp = "off: sandbox: false",
                                      .landlock = "off: sandbox: false" };
    if (sandbox_places_make(s->config, s->options->config_file, &places) != ERR_OK)
        return EX_OSERR;
    if (s->config->sandbox)
        sandbox_enter(SANDBOX_ENGINE, &places, &sandbox);
    struct inheritance from = {
        .config = s->config, .sockets = &s->sockets, .secrets = &s->secrets,
        .supervisor = s->channel[1], .reader = s->reading[0], .places = sandbox.has_places ? &places : NULL,
        .sandbox = &sandbox,
    };
    code = engine_run(s->options, &from);
    sandbox_places_free(&places);
    return code;
}

/* The files may have been replaced since; while they cannot be read, or not be used, those
 * of before serve. */
static void refresh_secrets(struct supervisor *s)
{
    struct secrets next;
    char why[400];
    if (!secrets_open(s->config, &next, why, sizeof why)) {
        fprintf(stderr, "godwit: %s (what was read before still serves)\n", why);
        return;
    }
    secrets_close(&s->before);
    s->before = s->secrets;
    s->secrets = next;
}

/* A new engine ended for what the files hold now: true when there are those of before. */
static bool return_to_before(struct supervisor *s, int status)
{
    if (!WIFEXITED(status) || WEXITSTATUS(status) != EX_CONFIG || s->before.count == 0)
        return false;
    fprintf(stderr, "godwit: the files that were read before serve again\n");
    secrets_close(&s->secrets);
    s->secrets = s->before;
    s->before.count = 0;
    return true;
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

/* What a stranger wrote may end it: it has nothing that is ours. */
static int reader_main(struct supervisor *s, pid_t parent)
{
    int code = privileges_drop(s->config);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (code != 0 || getppid() != parent)
        return code != 0 ? code : EX_TEMPFAIL;
    close(s->channel[0]);
    close(s->channel[1]);
    close(s->reading[0]);
    sockets_close(&s->sockets);
    secrets_close(&s->secrets);
    secrets_close(&s->before);
    secrets_close(&s->next_secrets);
    return reader_run(s->config, s->reading[1]);
}

/* Only where there is something to read. */
static void start_reader(struct supervisor *s)
{
    pid_t parent = getpid();
    if (s->reader > 0 || s->ending || s->config->reports.receive.count == 0 ||
        s->reader_failures >= QUICK_DEATHS_MAX)
        return;
    s->reader = fork();
    if (s->reader == 0)
        exit(reader_main(s, parent));
    if (s->reader < 0)
        fprintf(stderr, "godwit: cannot start the reader of reports: %s\n", strerror(errno));
}

/* A message that ended it is not given to it again. */
static void reader_gone(struct supervisor *s, int status)
{
    bool could_not = WIFEXITED(status) && WEXITSTATUS(status) != 0;
    s->reader = 0;
    s->reader_failures = could_not ? s->reader_failures + 1 : 0;
    if (s->ending)
        return;
    if (WIFSIGNALED(status))
        fprintf(stderr, "godwit: the reader of reports ended over a message (signal %d, %s): "
                "starting it again\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (s->reader_failures >= QUICK_DEATHS_MAX)
        fprintf(stderr, "godwit: the reader of reports cannot be started: giving it up\n");
    start_reader(s);
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

static void forget_next(struct supervisor *s)
{
    config_drop(&s->next);
    secrets_close(&s->next_secrets);
}

/* The engine is about to take up what the file says now: it gets the certificates that
 * this names. The reading is kept. */
static void hand_secrets(struct supervisor *s)
{
    struct config_error error;
    forget_next(s);
    bool good = config_load(s->options->config_file, &s->options->flags, &s->next,
                            &error) == ERR_OK &&
                daemon_same_start(s->config, s->next, error.text, sizeof error.text) &&
                secrets_open(s->next, &s->next_secrets, error.text, sizeof error.text);
    secrets_send(s->channel[0], good ? &s->next_secrets : NULL, error.text);
    if (!good)
        forget_next(s);
}

/* What a reload has brought must not be undone by a restart of the engine; nor must that
 * bring what nobody has asked to be loaded. So what was kept is taken when the engine
 * says that it is in force. */
static void take_reloaded(struct supervisor *s)
{
    if (s->next == NULL)
        return;
    config_drop(&s->config);
    secrets_close(&s->secrets);
    secrets_close(&s->before);
    s->config = s->next;
    s->secrets = s->next_secrets;
    s->next = NULL;
    s->next_secrets.count = 0;
    s->reader_failures = 0;
    start_reader(s);
}

static void hear_engine(struct supervisor *s)
{
    char said;
    while (read(s->channel[0], &said, 1) == 1) {
        if (said == SECRETS_WANTED[0])
            hand_secrets(s);
        else if (said == SECRETS_RELOADED[0])
            take_reloaded(s);
    }
}

static bool open_channel(struct supervisor *s)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->channel) != 0)
        return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->reading) != 0)
        return false;
    /* SIGIO when there is something to read. */
    return fcntl(s->channel[0], F_SETOWN, getpid()) == 0 &&
           fcntl(s->channel[0], F_SETFL, O_NONBLOCK | O_ASYNC) == 0;
}

/* The engine has gone. Returns an exit code, or -1 to go on. */
static int engine_gone(struct supervisor *s, int status)
{
    s->engine = 0;
    if (!s->ending && return_to_before(s, status)) {
        int code = start_engine(s);
        return code == 0 ? -1 : code;
    }
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
    hear_engine(s);
    refresh_secrets(s);
    int code = start_engine(s);
    return code == 0 ? -1 : code;
}

static int supervise(struct supervisor *s)
{
    int code = start_engine(s);
    start_reader(s);
    while (code == 0 || code == -1) {
        int status;
        siginfo_t info;
        int signal = sigwaitinfo(&s->signals, &info);
        if (signal == SIGTERM || signal == SIGINT)
            s->ending = true;
        if (signal == SIGIO)
            hear_engine(s);
        else if (signal > 0 && signal != SIGCHLD && s->engine > 0)
            kill(s->engine, signal == SIGINT ? SIGTERM : signal);
        code = -1;
        while (s->reader > 0 && waitpid(s->reader, &status, WNOHANG) == s->reader)
            reader_gone(s, status);
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
    int code = open_channel(&s) ? data_prepare(s.config) : EX_OSERR;
    if (code == 0 && !secrets_open(s.config, &s.secrets, error.text, sizeof error.text)) {
        fprintf(stderr, "godwit: %s\n", error.text);
        code = EX_CONFIG;
    }
    if (code == 0 && options->sockets != NULL)
        s.sockets = *options->sockets;
    else if (code == 0)
        code = sockets_bind(s.config, &s.sockets);
    if (code == 0) {
        code = supervise(&s);
        sockets_close(&s.sockets);
    }
    forget_next(&s);
    secrets_close(&s.before);
    secrets_close(&s.secrets);
    config_drop(&s.config);
    return code;
}
