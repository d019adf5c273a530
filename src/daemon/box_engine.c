/* box_engine.c: the process of a sandbox that speaks SMTP: one loop, the capture log behind it. */
#include "daemon/box_private.h"
#include "daemon/engine_private.h"

#include "capture/capture.h"
#include "log/log.h"
#include "sandbox/account.h"
#include "sandbox/fault.h"

#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum { WORKERS = 2, WORK_WAITING_MAX = 10000, ENTRIES_MAX = 100000, GATES = 2,
       POLL_MS = 10, GRACE_MS = 1000, RULES_MAX = 64 * 1024 * 1024 };

struct box_engine {
    struct box_shared *shared;
    struct loop *loop;
    struct workers *workers;
    struct limiter *limiter;
    struct sasl *sasl;
    struct throttle *throttle;
    struct tls_tickets *tickets;
    struct engine_tls tls;
    struct capture *capture;
    struct gate *gates[GATES];
    struct session_host *host;
    struct session_words words;
    struct session_judge judge;
    struct faults *faults;
    struct watch channel;        /* rules come in, a line each */
    struct buffer rules;
    struct watch signals;
    struct timer poll;
};

static int open_parts(struct box_engine *e)
{
    const uint8_t secret[SASL_SECRET_BYTES] = { 0 }; /* nobody is invented here */
    enum err error = loop_open(&e->loop);
    if (error == ERR_OK)
        error = workers_open(WORKERS, WORK_WAITING_MAX, &e->workers);
    if (error == ERR_OK)
        error = limiter_open(ENTRIES_MAX, &e->limiter);
    if (error == ERR_OK)
        error = sasl_open(e->workers, secret, &e->sasl);
    if (error == ERR_OK)
        error = throttle_open(ENTRIES_MAX, &e->throttle);
    if (error == ERR_OK)
        error = tls_tickets_open(&e->tickets);
    struct capture_options options = {
        .loop = e->loop, .workers = e->workers, .fd = e->shared->log, .told = e->shared->told,
        .is_durable = e->shared->is_kept, .bytes_max = e->shared->options->bytes_max,
    };
    if (error == ERR_OK)
        error = capture_open(&options, &e->capture);
    struct slice domain = e->shared->options->domain;
    if (error == ERR_OK)
        error = faults_open(e->capture, domain.len > 0 ? domain : SLICE("sandbox.test"),
                            &e->faults);
    if (error != ERR_OK)
        fprintf(stderr, "godwit: cannot start: %s\n", err_text(error));
    return error == ERR_OK ? 0 : EX_OSERR;
}

/* nodemailer looks for it, and makes a link of it. */
static void append_words(struct session_words *words, struct slice account, struct mail_id id,
                         struct buffer *out)
{
    struct box_engine *e = container_of(words, struct box_engine, words);
    struct slice secret = slice_make(e->shared->secret, sizeof e->shared->secret);
    if (!account_is_made(secret, account))
        return;
    buffer_append(out, SLICE(" [STATUS=new MSGID="));
    mail_id_append(out, id);
    buffer_append_byte(out, ']');
}

static const struct smtp_reply *on_login(struct session_judge *judge, uint64_t session,
                                         const struct net_address *client, struct slice account)
{
    struct box_engine *e = container_of(judge, struct box_engine, judge);
    return faults_login(e->faults, session, client, account);
}

/* {"revision", "rules", "only"}; the revision is told back when they are in force. The other process is
 * believed nothing: what cannot be read changes nothing. */
static void take_rules(struct box_engine *e, struct slice line)
{
    json_t *said = json_loadb(line.data, line.len, 0, NULL);
    char answer[32];
    if (faults_set(e->faults, said) == NULL) {
        int len = snprintf(answer, sizeof answer, "%lld\n",
                           (long long)json_integer_value(json_object_get(said, "revision")));
        if (send(e->channel.fd, answer, (size_t)len, MSG_NOSIGNAL) < 0)
            log_note(LOG_WARNING, "faults", "what is in force could not be told");
    }
    json_decref(said);
}

static void on_channel(struct watch *watch)
{
    struct box_engine *e = container_of(watch, struct box_engine, channel);
    char *room = buffer_reserve(&e->rules, 64 * 1024);
    ssize_t got = room == NULL ? -1 : recv(watch->fd, room, 64 * 1024, 0);
    if (room == NULL)
        buffer_free(&e->rules); /* longer than any that is sent: forgotten */
    if (got <= 0)
        return;
    buffer_added(&e->rules, (size_t)got);
    for (size_t end; (end = slice_find(buffer_slice(&e->rules), '\n')) != SLICE_NOT_FOUND;) {
        take_rules(e, slice_part(buffer_slice(&e->rules), 0, end));
        buffer_consume(&e->rules, end + 1);
    }
}

/* Asks for those that are in force. */
static int open_channel(struct box_engine *e)
{
    buffer_init(&e->rules, RULES_MAX);
    watch_init(&e->channel, e->loop, e->shared->channel[0], on_channel, NULL);
    return watch_read(&e->channel, true) == ERR_OK &&
           send(e->channel.fd, "?\n", 2, MSG_NOSIGNAL) == 2 ? 0 : EX_OSERR;
}

static int open_host(struct box_engine *e)
{
    const struct secrets none = { .count = 0 };
    char why[400];
    if (!engine_tls_make(e->shared->config, &none, e->tickets, &e->tls, why, sizeof why)) {
        fprintf(stderr, "godwit: %s\n", why);
        return EX_OSERR;
    }
    e->words.append = append_words;
    e->judge.judge = on_login;
    e->gates[0] = faults_gate(e->faults);
    e->gates[1] = capture_gate(e->capture);
    struct session_host_options options = {
        .loop = e->loop, .intake = capture_intake(e->capture), .gates = e->gates,
        .gates_count = GATES, .events = capture_events(e->capture),
        .lines = capture_lines(e->capture), .limiter = e->limiter, .sasl = e->sasl,
        .throttle = e->throttle, .tls = e->tls.server, .words = &e->words, .judge = &e->judge,
        .thread = 1,
    };
    const struct sockets *sockets = &e->shared->sockets;
    enum err error = session_host_open(&options, e->shared->config, &e->host);
    for (size_t i = 0; error == ERR_OK && i < sockets->listeners; i++)
        for (uint32_t t = 0; error == ERR_OK && t < sockets->threads; t++)
            error = session_host_listen(e->host, sockets_fd(sockets, i, t), i);
    return error == ERR_OK ? 0 : EX_OSERR;
}

static void on_poll(struct timer *timer)
{
    struct box_engine *e = container_of(timer, struct box_engine, poll);
    if (session_host_count(e->host) == 0)
        loop_stop(e->loop);
    else
        timer_set(timer, POLL_MS);
}

static void on_signal(struct watch *watch)
{
    struct box_engine *e = container_of(watch, struct box_engine, signals);
    struct signalfd_siginfo info;
    if (read(watch->fd, &info, sizeof info) != (ssize_t)sizeof info ||
        (info.ssi_signo != SIGTERM && info.ssi_signo != SIGINT))
        return;
    session_host_drain(e->host, GRACE_MS);
    timer_init(&e->poll, e->loop, on_poll);
    timer_set(&e->poll, 1);
}

static int watch_signals(struct box_engine *e)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    watch_init(&e->signals, e->loop, fd, on_signal, NULL);
    return fd >= 0 && watch_read(&e->signals, true) == ERR_OK ? 0 : EX_OSERR;
}

static void close_parts(struct box_engine *e)
{
    watch_close(&e->signals);
    watch_close(&e->channel);
    buffer_free(&e->rules);
    timer_clear(&e->poll);
    session_host_close(&e->host);
    workers_close(&e->workers);
    faults_close(&e->faults);
    capture_close(&e->capture);
    engine_tls_free(&e->tls);
    tls_tickets_close(&e->tickets);
    sasl_close(&e->sasl);
    throttle_close(&e->throttle);
    limiter_close(&e->limiter);
    loop_close(&e->loop);
}

int box_engine_run(struct box_shared *shared)
{
    struct box_engine e = { .shared = shared };
    int code = box_harden(shared);
    if (code == 0 && log_open(STDERR_FILENO, LOG_FORM_HUMAN, LOG_WARNING) != ERR_OK)
        code = EX_OSERR;
    if (code == 0)
        code = open_parts(&e);
    if (code == 0)
        code = open_host(&e);
    if (code == 0)
        code = open_channel(&e);
    if (code == 0)
        code = watch_signals(&e);
    if (code == 0) {
        loop_run(e.loop);
        close_parts(&e);
    }
    log_close();
    return code;
}
