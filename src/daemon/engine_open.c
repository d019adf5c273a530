/* engine_open.c: the parts, made in the order in which they need one another. */
#include "daemon/engine_private.h"

#include "accounts/accounts.h"
#include "log/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 4, WORK_WAITING_MAX = 10000, SPOOL_TRIES = 50, SPOOL_PAUSE_MS = 100,
       THROTTLE_ENTRIES_MAX = 100000, ACCOUNTS_MAX = 100000, CLIENTS_MAX = 100000,
       LIMITER_ENTRIES_MAX = 100000 };

/* What another try would find just so, it is not worth to be started again for. */
static bool is_lasting(enum err error)
{
    return error == ERR_DENIED || error == ERR_INVALID || error == ERR_VERSION ||
           error == ERR_CORRUPT || error == ERR_ABSENT;
}

static int complain_about(const char *what, struct slice path, enum err error)
{
    fprintf(stderr, "godwit: %s%s%.*s: %s\n", what, path.len > 0 ? " " : "", (int)path.len,
            path.len > 0 ? path.data : "", err_text(error));
    return is_lasting(error) ? EX_CANTCREAT : EX_OSERR;
}

static int complain(const char *what, enum err error)
{
    return complain_about(what, slice_make(NULL, 0), error);
}

/* Nothing can be promised any more: end, so that the supervisor begins anew with
 * recovery. Other threads may hold anything, so nothing is tidied up. */
static void on_spool_failed(struct spool_watcher *watcher, enum err error)
{
    (void)watcher;
    fprintf(stderr, "godwit: the spool failed (%s): ending to recover\n", err_text(error));
    _exit(EX_IOERR);
}

static void on_spool_problem(struct spool_watcher *watcher, struct slice text)
{
    (void)watcher;
    struct log_line line;
    log_begin(&line, LOG_WARNING, "spool");
    log_text(&line, "text", text);
    log_end(&line);
}

static uint64_t draw_random(void)
{
    uint64_t value = 1;
    if (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value)
        value = (uint64_t)moment_now().mono_ms + 1;
    return value;
}

static int open_queue(struct engine *e)
{
    struct queue_options options = {
        .loop = e->queue_loop.loop,
        .events = &e->suppression.sink,
        .random = draw_random(),
    };
    enum err error = queue_open(&options, e->config, &e->queue);
    return error == ERR_OK ? 0 : complain("cannot make the queue", error);
}

static enum err open_spool_once(struct engine *e, const char *path,
                                struct spool_sink *sink)
{
    struct spool_options options = {
        .sink = sink, .watcher = &e->spool_watcher,
        .limits = { .message_bytes = e->config->limits.message_bytes + 1024 * 1024,
                    .budget_soft_bytes = e->config->limits.body_memory_bytes,
                    .budget_hard_bytes = e->config->limits.body_memory_bytes * 2 },
    };
    enum err error = spool_fs_posix_open(path, &e->spool_fs);
    if (error != ERR_OK)
        return error;
    options.fs = e->spool_fs;
    error = spool_open(&options, &e->spool);
    if (error != ERR_OK)
        spool_fs_posix_close(&e->spool_fs);
    return error;
}

/* "FOLDER/name", to be freed, or NULL. */
static char *path_below(struct slice folder, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%.*s/%s", (int)folder.len, folder.data, name) < 0)
        return NULL;
    return path;
}

/* A predecessor that was killed may hold its lock for another moment. */
static int open_spool(struct engine *e, struct spool_sink *sink)
{
    const struct timespec pause = { .tv_nsec = SPOOL_PAUSE_MS * 1000000L };
    char *path = path_below(e->config->data, "spool");
    enum err error = path == NULL ? ERR_MEMORY : ERR_BUSY;
    for (int i = 0; i < SPOOL_TRIES && error == ERR_BUSY; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        error = open_spool_once(e, path, sink);
    }
    if (error == ERR_BUSY)
        fprintf(stderr, "godwit: another godwit uses the data folder %s\n", path);
    free(path);
    return error == ERR_OK ? 0
           : error == ERR_BUSY ? EX_UNAVAILABLE
           : complain_about("cannot open the spool in", e->config->data, error);
}

static int open_dns(struct engine *e)
{
    const struct config_dns *c = &e->config->dns;
    char *anchor = c->trust_anchor.len > 0 ? slice_to_string(c->trust_anchor) : NULL;
    struct dns_options options = {
        .upstreams = c->servers, .upstreams_count = c->servers_count,
        .trust_anchor_file = anchor != NULL ? anchor : dns_machine_anchor(),
        .timeout_ms = (uint32_t)c->timeout_ms,
    };
    enum err error = dns_open(&options, &e->dns);
    free(anchor);
    if (error == ERR_OK)
        error = policy_rules_gate_open(e->dns, &e->rules_gate);
    return error == ERR_OK ? 0
           : complain_about("cannot start the resolver", c->trust_anchor, error);
}

static int open_routes(struct engine *e, const struct secrets *secrets)
{
    char why[400];
    if (engine_take_token_secret(e->config, secrets, e->sasl,
                                 &(struct engine_why){ why, sizeof why }))
        e->routes = engine_routes(e->config, secrets, why, sizeof why);
    if (e->routes == NULL)
        fprintf(stderr, "godwit: %s\n", why);
    return e->routes != NULL ? 0 : EX_CONFIG;
}

/* One a thread: what they sign with is handed round at a reload. */
static int open_seals(struct engine *e, const struct secrets *secrets)
{
    char why[400];
    struct intake *spool = spool_intake(e->spool);
    e->keys = engine_seal_keys(e->config, secrets, why, sizeof why);
    if (e->keys == NULL) {
        fprintf(stderr, "godwit: %s\n", why);
        return EX_CONFIG;
    }
    enum err error = seal_open(spool, e->keys, &e->queue_loop.seal);
    for (uint32_t i = 0; error == ERR_OK && i < e->loops_count; i++)
        error = seal_open(spool, e->keys, &e->loops[i].seal);
    return error == ERR_OK ? 0 : complain("cannot sign", error);
}

/* What is asked of mail, and what is told of it afterwards. */
static int open_verify(struct engine *e)
{
    struct verify_watcher *watcher =
        e->reports == NULL ? NULL : reports_verify_watcher(e->reports);
    enum err error = verify_gate_open(e->dns, watcher, &e->verify_gate);
    if (error == ERR_OK)
        error = verify_submitted_gate_open(&e->submitted_gate);
    if (error == ERR_OK)
        error = policy_greylist_gate_open(e->store_of_tables, &e->greylist_gate);
    if (error == ERR_OK)
        error = suppression_open(e->store_of_tables, &e->suppression.list);
    if (error == ERR_OK)
        error = verify_compliance_gate_open(&e->compliance_gate);
    return error == ERR_OK ? 0 : complain("cannot check mail", error);
}

/* Policies come from hosts that may be where mail hosts may be; so do reports go. */
static int open_http(struct engine *e)
{
    bool allow_private = e->config->dns.allow_private;
    struct http_options http = { .egress = { .allow_loopback = allow_private,
                                             .allow_private = allow_private } };
    enum err error = http_open(&http, &e->http);
    sasl_reach(e->sasl, e->dns, e->http);
    return error == ERR_OK ? 0 : complain("cannot start the HTTP client", error);
}

static int open_policies(struct engine *e)
{
    struct mtasts_options options = {
        .loop = e->queue_loop.loop, .dns = e->dns, .http = e->http,
        .keeper = &e->policy_keeper, .domains_max = MTASTS_DOMAINS_MAX,
    };
    enum err error = mtasts_open(&options, &e->mtasts);
    return error == ERR_OK ? 0 : complain("cannot keep policies", error);
}

static int open_delivery(struct engine *e, struct loop **loops)
{
    const struct config *c = e->config;
    engine_notes_open(e);
    int code = open_policies(e);
    if (code != 0)
        return code;
    if (!engine_find_own_addresses(e))
        return complain("cannot find the addresses of this machine", ERR_MEMORY);
    struct delivery_options options = {
        .loops = loops, .loops_count = e->loops_count,
        .dns = e->dns, .workers = e->workers, .source = spool_source(e->spool),
        .watcher = queue_watcher(e->queue), .hostname = c->hostname,
        .rules = { .own_name = c->hostname, .own_addresses = e->own_addresses,
                   .own_addresses_count = e->own_addresses_count,
                   .allow_loopback = c->dns.allow_private,
                   .allow_private = c->dns.allow_private },
        .times = engine_times(c), .routes = e->routes,
        .keeper = &e->shown_keeper, .mtasts = e->mtasts, .heed = engine_heed(c),
        .lines = engine_trace_lines(e),
        .tls_watcher = e->reports == NULL ? NULL : reports_tls_watcher(e->reports),
    };
    enum err error = delivery_open(&options, &e->delivery);
    if (error == ERR_OK)
        engine_notes_recall(e);
    return error == ERR_OK ? 0 : complain("cannot open the delivery", error);
}

static int open_loop(struct engine *e, struct engine_loop *l, uint32_t index)
{
    l->engine = e;
    l->index = index;
    enum err error = loop_open(&l->loop);
    return error == ERR_OK ? 0 : complain("cannot make a loop", error);
}

/* The filters come last: they see a message as it would go on without them. */
static int open_gates(struct engine *e, struct engine_loop *l)
{
    if (milter_gate_open(l->loop, e->workers, e->config->data, &l->milter_gate) != ERR_OK)
        return complain("cannot ask filters", ERR_MEMORY);
    struct gate *const gates[] = {
        e->rate_gate, e->rules_gate, e->relay_gate, e->quota_gate, e->sender_gate,
        suppression_gate(e->suppression.list), e->account_gate,
        e->submission_gate, e->greylist_gate, e->verify_gate, e->submitted_gate,
        e->compliance_gate, l->milter_gate,
    };
    _Static_assert(sizeof gates == sizeof l->gates, "all of them, in their order");
    memcpy(l->gates, gates, sizeof gates);
    return 0;
}

static int open_hosts(struct engine *e)
{
    engine_etrn_init(e);
    for (uint32_t i = 0; i < e->loops_count; i++) {
        int code = open_gates(e, &e->loops[i]);
        if (code != 0)
            return code;
        struct session_host_options options = {
            .loop = e->loops[i].loop, .intake = seal_intake(e->loops[i].seal),
            .gates = e->loops[i].gates,
            .gates_count = sizeof e->loops[i].gates / sizeof *e->loops[i].gates,
            .etrn = &e->etrn, .events = &e->events, .lines = engine_trace_lines(e),
            .limiter = e->limiter, .thread = i + 1,
            .tls = e->tls.server, .sasl = e->sasl, .throttle = e->throttle,
        };
        enum err error = session_host_open(&options, e->config, &e->loops[i].host);
        for (size_t l = 0; error == ERR_OK && l < e->sockets->listeners; l++)
            error = session_host_listen(e->loops[i].host, sockets_fd(e->sockets, l, i), l);
        if (error != ERR_OK)
            return complain("cannot accept connections", error);
    }
    return 0;
}

static int open_loops(struct engine *e)
{
    e->loops_count = e->sockets->threads;
    e->loops = calloc(e->loops_count, sizeof *e->loops);
    if (e->loops == NULL)
        return complain("cannot make the loops", ERR_MEMORY);
    int code = open_loop(e, &e->queue_loop, 0);
    for (uint32_t i = 0; code == 0 && i < e->loops_count; i++)
        code = open_loop(e, &e->loops[i], i);
    return code;
}

static int open_shared(struct engine *e)
{
    uint8_t secret[SASL_SECRET_BYTES] = { 0 };
    enum err error = mailbox_open(&e->main, true);
    if (error == ERR_OK)
        error = workers_open(WORKERS, WORK_WAITING_MAX, &e->workers);
    if (error == ERR_OK)
        error = limiter_open(LIMITER_ENTRIES_MAX, &e->limiter);
    if (error == ERR_OK)
        error = engine_sasl_secret(e->config, secret);
    if (error == ERR_OK)
        error = sasl_open(e->workers, secret, &e->sasl);
    explicit_bzero(secret, sizeof secret);
    if (error == ERR_OK)
        error = throttle_open(THROTTLE_ENTRIES_MAX, &e->throttle);
    if (error == ERR_OK)
        error = policy_rate_gate_open(CLIENTS_MAX, &e->rate_gate);
    if (error == ERR_OK)
        error = policy_relay_gate_open(accounts_find, &e->relay_gate);
    if (error == ERR_OK)
        error = policy_sender_gate_open(accounts_may_send, &e->sender_gate);
    if (error == ERR_OK)
        error = policy_account_gate_open(ACCOUNTS_MAX, &e->account_gate);
    if (error == ERR_OK)
        error = policy_submission_gate_open(&e->submission_gate);
    if (error == ERR_OK)
        error = policy_quota_gate_open(accounts_expand, e->workers, &e->quota_gate);
    return error == ERR_OK ? 0 : complain("cannot start", error);
}

static int open_control(struct engine *e)
{
    char *path = slice_to_string(e->config->data);
    enum err error = path == NULL ? ERR_MEMORY
        : control_server_open(e->queue_loop.loop, path, operator_handle, e, &e->control);
    free(path);
    return error == ERR_OK ? 0
           : complain_about("cannot open the control socket in", e->config->data, error);
}

static int open_pickup(struct engine *e)
{
    struct pickup_options options = { .loop = e->queue_loop.loop,
                                      .intake = seal_intake(e->queue_loop.seal),
                                      .events = &e->events };
    enum err error = pickup_open(&options, e->config, &e->pickup);
    return error == ERR_OK ? 0
           : complain_about("cannot open the maildrop in", e->config->data, error);
}

int engine_open(struct engine *e, const struct secrets *secrets, int reader)
{
    e->spool_watcher = (struct spool_watcher){
        .failed = on_spool_failed, .problem = on_spool_problem,
    };
    engine_events_init(e);
    engine_suppression_init(e);
    int code = open_shared(e);
    if (code == 0)
        code = open_loops(e);
    if (code == 0)
        code = open_queue(e);
    struct spool_sink *sink = code == 0
        ? engine_reader_open(e, reader, queue_sink(e->queue)) : NULL;
    if (code == 0)
        code = sink == NULL ? EX_OSERR : open_spool(e, sink);
    if (code == 0)
        code = open_dns(e);
    if (code == 0)
        code = open_routes(e, secrets);
    if (code == 0)
        code = open_seals(e, secrets);
    if (code == 0)
        code = open_http(e);
    if (code == 0)
        code = engine_reports_open(e);
    if (code == 0) {
        engine_history_open(e);
        engine_trace_open(e);
    }
    if (code == 0)
        code = open_verify(e);
    struct loop **loops = code == 0 ? calloc(e->loops_count, sizeof(struct loop *)) : NULL;
    for (uint32_t i = 0; loops != NULL && i < e->loops_count; i++)
        loops[i] = e->loops[i].loop;
    if (code == 0)
        code = loops == NULL ? EX_OSERR : open_delivery(e, loops);
    free(loops);
    if (code == 0)
        code = open_control(e);
    if (code == 0)
        code = open_pickup(e);
    if (code == 0)
        code = engine_tls_open(e, secrets);
    if (code == 0)
        code = open_hosts(e);
    return code;
}

void engine_close(struct engine *e)
{
    engine_trace_close(e);
    control_server_close(&e->control);
    pickup_close(&e->pickup);
    for (uint32_t i = 0; e->loops != NULL && i < e->loops_count; i++)
        session_host_close(&e->loops[i].host);
    queue_close(&e->queue);
    if (e->delivery != NULL) {
        delivery_stop(e->delivery);
        delivery_close(&e->delivery);
    }
    delivery_routes_drop(&e->routes);
    http_close(&e->http);
    dns_close(&e->dns);
    history_stop(e->history);
    store_close(&e->store_of_history);
    history_close(&e->history);
    store_close(&e->store_of_tables);
    mtasts_close(&e->mtasts);
    workers_close(&e->workers);
    for (uint32_t i = 0; e->loops != NULL && i < e->loops_count; i++)
        seal_close(&e->loops[i].seal);
    seal_close(&e->queue_loop.seal);
    seal_keys_drop(&e->keys);
    engine_reader_close(&e->reader);
    reports_close(&e->reports);
    spool_close(&e->spool);
    if (e->spool_fs != NULL)
        spool_fs_posix_close(&e->spool_fs);
    for (uint32_t i = 0; e->loops != NULL && i < e->loops_count; i++)
        loop_close(&e->loops[i].loop);
    for (uint32_t i = 0; e->loops != NULL && i < e->loops_count; i++)
        milter_gate_close(&e->loops[i].milter_gate);
    timer_clear(&e->rotate);
    engine_tls_show(e, NULL, NULL);
    engine_tls_free(&e->tls);
    tls_tickets_close(&e->tickets);
    loop_close(&e->queue_loop.loop);
    free(e->loops);
    free(e->own_addresses);
    policy_quota_gate_close(&e->quota_gate);
    policy_greylist_gate_close(&e->greylist_gate);
    suppression_close(&e->suppression.list);
    verify_compliance_gate_close(&e->compliance_gate);
    verify_gate_close(&e->verify_gate);
    verify_submitted_gate_close(&e->submitted_gate);
    policy_rules_gate_close(&e->rules_gate);
    policy_submission_gate_close(&e->submission_gate);
    policy_account_gate_close(&e->account_gate);
    policy_sender_gate_close(&e->sender_gate);
    policy_relay_gate_close(&e->relay_gate);
    policy_rate_gate_close(&e->rate_gate);
    sasl_close(&e->sasl);
    throttle_close(&e->throttle);
    limiter_close(&e->limiter);
    engine_trace_free(e);
    mailbox_close(&e->main);
}
