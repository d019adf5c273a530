/* attempt_smtp.c: one message to one site, by SMTP or LMTP.
 *
 * A job uses the connection that it named, or looks for hosts and tries their
 * addresses one after the other, in order, those that were dead lately last. What the
 * first host of several says for good is not believed while another may take it: the
 * site has failed when all have, and for good only when all said so.
 * Where TLS failed and clear text will do, the same address is tried once more in clear.
 * RFC 5321 5.1 (the order, more than one address).
 */
#include "base/must.h"
#include "delivery/connection.h"
#include "delivery/seven_bit.h"
#include "wire/smtp/address.h"

#include <stdlib.h>

enum { FAILURE_TEXT_MAX = 500 };

/* Where a job that needs a new connection looks. */
struct hop_search {
    struct dns_mx_lookup lookup;
    struct smtp_job *job;
    struct buffer domain;
    struct dns_hosts *hosts;       /* NULL for a hop whose address is known */
    struct net_address fixed;
    uint32_t host;                 /* the next candidate */
    uint32_t address;
    bool late;                     /* the second round: those that were dead lately */
    uint8_t tried[DNS_HOSTS_MAX];  /* a bit for each address of a host */
    struct net_address last;       /* the candidate being tried */
    struct slice last_host;
    const char *clear_because;     /* it is tried again, in clear */
    struct outcome failure;        /* the mildest so far; NONE at first */
    size_t failure_text_len;
    size_t failure_remote_len;
    char failure_text[FAILURE_TEXT_MAX];
    char failure_remote[REMOTE_MAX];
};

static void search_free(struct hop_search **search)
{
    struct hop_search *s = *search;
    if (s == NULL)
        return;
    free(s->hosts);
    buffer_free(&s->domain);
    free(s);
    *search = NULL;
}

static void job_end(struct smtp_job *job)
{
    struct attempt_run *run = job->run;
    seven_bit_free(&job->seven_bit);
    message_close(&job->view);
    search_free(&job->search);
    delivery_routes_drop(&job->routes);
    free(job);
    run_finish(run);
}

static size_t keep(char *into, size_t max, struct slice text)
{
    size_t len = text.len < max ? text.len : max;
    if (len > 0)
        memcpy(into, text.data, len);
    return len;
}

/* No host could be spoken to: the site's failure, no recipient's. */
static void end_no_site(struct smtp_job *job, const struct outcome *failure,
                        struct slice remote)
{
    struct attempt_run *run = job->run;
    char text[FAILURE_TEXT_MAX]; /* it may lie in the very buffer that is cleared */
    size_t text_len = keep(text, sizeof text, failure->text);
    buffer_clear(&run->texts);
    size_t text_at = run_keep_text(run, slice_make(text, text_len));
    size_t remote_at = run_keep_text(run, remote);
    for (size_t i = 0; i < run->recipients_count; i++)
        run->recipients[i].outcome = (struct outcome){ .kind = OUTCOME_NONE };
    run->site_failure = *failure;
    run->site_failure.text =
        slice_part(buffer_slice(&run->texts), text_at, text_len);
    run->site_failure.remote =
        slice_part(buffer_slice(&run->texts), remote_at, remote.len);
    run->end = ATTEMPT_NO_SITE;
    job_end(job);
}

/* A failure for now outweighs one for good; of equals the first stays. */
static void note_failure(struct hop_search *s, const struct outcome *failure,
                         struct slice remote)
{
    if (s->failure.kind == OUTCOME_DEFERRED ||
        (s->failure.kind == OUTCOME_FAILED && failure->kind == OUTCOME_FAILED))
        return;
    s->failure = *failure;
    s->failure_text_len = keep(s->failure_text, sizeof s->failure_text, failure->text);
    s->failure_remote_len =
        keep(s->failure_remote, sizeof s->failure_remote, remote);
    s->failure.text = slice_make(s->failure_text, s->failure_text_len);
}

/* Steps to the next address of all hosts that is not tried yet. */
static bool step(struct hop_search *s, uint16_t port, struct net_address *out)
{
    while (s->host < s->hosts->count) {
        const struct dns_host *h = &s->hosts->hosts[s->host];
        if (s->address == h->addresses_count) {
            s->host++;
            s->address = 0;
        } else if ((s->tried[s->host] & 1u << s->address++) == 0) {
            dns_address_to_net(&h->addresses[s->address - 1], port, out);
            return true;
        }
    }
    return false;
}

static bool next_of_hosts(struct smtp_job *job, uint16_t port, struct net_address *out,
                          struct slice *out_host)
{
    struct hop_search *s = job->search;
    for (;;) {
        while (step(s, port, out)) {
            if (!s->late && dead_host_is_known(job->thread, out))
                continue;
            s->tried[s->host] |= (uint8_t)(1u << (s->address - 1));
            *out_host = dns_name_slice(&s->hosts->hosts[s->host].name);
            return true;
        }
        if (s->late)
            return false;
        s->late = true;
        s->host = s->address = 0;
    }
}

/* The next address to try. */
static bool next_candidate(struct smtp_job *job, struct net_address *out,
                           struct slice *out_host)
{
    struct hop_search *s = job->search;
    if (s->hosts == NULL) {
        *out = s->fixed;
        *out_host = slice_make(NULL, 0);
        return s->address++ == 0;
    }
    bool is_mx = job->route->way == DELIVERY_MX;
    uint16_t port = is_mx ? job->thread->delivery->options.smtp_port : job->route->port;
    return next_of_hosts(job, port, out, out_host);
}

static const char *local_fault_text(enum err error)
{
    return error == ERR_DESCRIPTORS ? "this server is out of descriptors"
                                    : "this server cannot make the connection";
}

/* Whether there is still time for another address. */
static bool may_try(const struct smtp_job *job)
{
    return !job->thread->stopped &&
           loop_now(job->thread->loop).mono_ms < job->deadline_mono_ms;
}

/* The last one in clear, or the next. */
static bool take_candidate(struct smtp_job *job, struct security_peer *out)
{
    struct hop_search *s = job->search;
    const char *clear_because = s->clear_because;
    s->clear_because = NULL;
    if (clear_because == NULL && !next_candidate(job, &s->last, &s->last_host))
        return false;
    bool is_mx = job->route->way == DELIVERY_MX;
    *out = (struct security_peer){
        .host = s->last_host,
        .domain = is_mx ? buffer_slice(&s->domain) : slice_make(NULL, 0),
        .is_secure = s->hosts != NULL && s->hosts->secure,
        .address = &s->last, .clear_because = clear_because,
    };
    return true;
}

static void try_next(struct smtp_job *job)
{
    struct hop_search *s = job->search;
    struct security_peer peer;
    while (may_try(job) && take_candidate(job, &peer)) {
        enum err error = connection_open(job, &peer);
        if (error == ERR_OK)
            return;
        struct outcome failure =
            outcome_local(OUTCOME_DEFERRED, 4, 1, local_fault_text(error));
        note_failure(s, &failure, slice_make(NULL, 0));
    }
    if (!may_try(job)) { /* those not tried may take it another time */
        struct outcome stopped = outcome_local(OUTCOME_DEFERRED, 3, 2,
                                               "delivery was stopped or took too long");
        note_failure(s, &stopped, slice_make(NULL, 0));
    }
    must(s->failure.kind != OUTCOME_NONE);
    struct outcome last = s->failure;
    end_no_site(job, &last, slice_make(s->failure_remote, s->failure_remote_len));
}

/* What is wrong with the name of a hop that the operator gave is the operator's to mend:
 * the mail waits for that (RFC 3463 3.4, X.3.5). */
static void defer_if_named(const struct smtp_job *job, struct outcome *failure)
{
    if (job->route->way == DELIVERY_MX || failure->kind != OUTCOME_FAILED)
        return;
    failure->kind = OUTCOME_DEFERRED;
    failure->status = (struct smtp_status){ 4, 3, 5 };
}

static void on_hosts(struct dns_mx_lookup *lookup)
{
    struct hop_search *s = container_of(lookup, struct hop_search, lookup);
    s->hosts = lookup->hosts;
    lookup->hosts = NULL;
    if (s->hosts == NULL) {
        defer_if_named(s->job, &lookup->outcome);
        end_no_site(s->job, &lookup->outcome, slice_make(NULL, 0));
    } else {
        try_next(s->job);
    }
}

/* A domain may hold what only the canonical form of a name can be asked by; a host of
 * the configuration is asked as it stands. */
static bool set_domain(struct hop_search *s, const struct smtp_job *job)
{
    if (job->route->way == DELIVERY_MX)
        return smtp_domain_canonical(job->run->domain, &s->domain);
    buffer_append(&s->domain, job->route->host);
    return !s->domain.overflow;
}

static void look_up(struct hop_search *s)
{
    struct smtp_job *job = s->job;
    struct delivery *d = job->thread->delivery;
    bool is_mx = job->route->way == DELIVERY_MX;
    if (!set_domain(s, job)) {
        struct outcome failure =
            outcome_local(OUTCOME_FAILED, 1, 2, "this is not a name of a domain");
        end_no_site(job, &failure, slice_make(NULL, 0));
        return;
    }
    s->lookup = (struct dns_mx_lookup){
        .home = loop_home(job->thread->loop),
        .done = on_hosts,
        .domain = buffer_slice(&s->domain),
        .rules = is_mx ? &d->options.rules : &d->any_host,
        .is_host = !is_mx,
        .random = job->run->id.value ^ job->thread->last_id,
    };
    dns_mx_lookup(d->options.dns, &s->lookup);
}

/* Looks for a host to open a new connection to. */
static void search(struct smtp_job *job)
{
    const struct delivery_route *r = job->route;
    struct hop_search *s = calloc(1, sizeof *s);
    if (s == NULL) {
        struct outcome failure = outcome_local(OUTCOME_DEFERRED, 3, 0, "no memory");
        end_no_site(job, &failure, slice_make(NULL, 0));
        return;
    }
    job->search = s;
    s->job = job;
    buffer_init(&s->domain, 512);
    bool is_known = false;
    if (r->way != DELIVERY_MX)
        is_known = r->host.data[0] == '/' ? net_address_parse(r->host, &s->fixed)
                                          : net_host_parse(r->host, r->port, &s->fixed);
    if (is_known)
        try_next(job);
    else
        look_up(s);
}

static enum err read_content(struct smtp_client_content *content, uint64_t offset,
                             char *out, size_t len)
{
    struct smtp_job *job = container_of(content, struct smtp_job, content);
    return view_read_whole(job->view, offset, out, len);
}

bool smtp_job_prepare(struct smtp_job *job, const struct connection *c)
{
    struct attempt_run *run = job->run;
    if (job->view == NULL) {
        enum err error =
            message_open(job->thread->delivery->options.source, run->id, &job->view);
        if (error != ERR_OK) {
            struct outcome failure = outcome_unreadable(error);
            buffer_clear(&run->texts);
            run_decide_all(run, &failure);
            run->end = ATTEMPT_KEPT;
            run->connection =
                (struct attempt_connection){ job->thread->index, c->id };
            job_end(job);
            return false;
        }
    }
    const struct message_view *view = job->view;
    buffer_clear(&run->texts);
    job->remote_len = run_keep_text(run, slice_make(c->remote, c->remote_len)) +
                      c->remote_len;
    if (buffer_len(&run->texts) < job->remote_len)
        job->remote_len = 0;
    job->addresses_at = run_keep_addresses(run, view);
    for (size_t i = 0; i < run->recipients_count; i++)
        job->recipients[i].recipient =
            &view->envelope.recipients[run->recipients[i].index];
    job->content = (struct smtp_client_content){
        .read = read_content, .size = view->prefix.len + view->content_size,
    };
    job->transaction = (struct smtp_client_transaction){
        .envelope = &view->envelope,
        .recipients = job->recipients,
        .count = (uint32_t)run->recipients_count,
        .content = &job->content,
        .seven_bit = job->seven_bit == NULL
                         ? NULL : seven_bit_content(job->seven_bit, job->view),
        .texts = &run->texts,
    };
    return true;
}

void smtp_job_done(struct smtp_job *job, const struct connection *c, bool kept)
{
    struct attempt_run *run = job->run;
    struct smtp_client_transaction *t = &job->transaction;
    struct slice remote = slice_part(buffer_slice(&run->texts), 0, job->remote_len);
    if (t->end == SMTP_CLIENT_NOT_STARTED) {
        smtp_job_failed(job, &t->failure, c);
        return;
    }
    for (size_t i = 0; i < run->recipients_count; i++) {
        run->recipients[i].outcome = job->recipients[i].outcome;
        run->recipients[i].outcome.transport = c->security.facts;
        if (run->recipients[i].outcome.kind != OUTCOME_NONE)
            run->recipients[i].outcome.remote = remote;
    }
    run_point_addresses(run, job->view, job->addresses_at);
    run->end = kept ? ATTEMPT_KEPT : ATTEMPT_CLOSED;
    run->connection = (struct attempt_connection){ .id = 0 };
    if (kept)
        run->connection = (struct attempt_connection){ job->thread->index, c->id };
    job_end(job);
}

void smtp_job_failed(struct smtp_job *job, const struct outcome *why,
                     const struct connection *c)
{
    struct slice remote = slice_make(c->remote, c->remote_len);
    struct outcome failure = *why;
    failure.transport = c->security.facts;
    if (job->search == NULL && !job->thread->stopped) {
        search(job); /* a connection of before died: that says nothing of the site */
        return;
    }
    if (job->search == NULL) {
        end_no_site(job, &failure, remote);
        return;
    }
    note_failure(job->search, &failure, remote);
    job->search->clear_because = security_fall_back(&c->security, c->client);
    try_next(job);
}

/* On the loop thread. */
static void run_job(struct task *task)
{
    struct smtp_job *job = container_of(task, struct smtp_job, task);
    struct attempt_run *run = job->run;
    struct connection *c = NULL;
    job->deadline_mono_ms = loop_now(job->thread->loop).mono_ms +
                            job->thread->times.total_ms;
    if (run->connection.id != 0)
        c = connection_find(job->thread, run->connection.id);
    run->connection = (struct attempt_connection){ .id = 0 };
    if (c != NULL)
        connection_take(c, job);
    else
        search(job);
}

static void work_run(struct work *work)
{
    struct smtp_job *job = container_of(work, struct smtp_job, work);
    struct delivery *d = job->thread->delivery;
    job->work_error = seven_bit_make(d->options.source, job->run->id,
                                     job->route->downgrade_signed, &job->seven_bit);
}

/* Nothing was begun: the connection that was named is as it was. */
static void end_undone(struct smtp_job *job, const struct outcome *outcome)
{
    run_decide_all(job->run, outcome);
    job_end(job);
}

static void work_done(struct work *work)
{
    struct smtp_job *job = container_of(work, struct smtp_job, work);
    if (job->work_error == ERR_OK) {
        run_job(&job->task);
        return;
    }
    struct outcome failure = outcome_unreadable(job->work_error);
    end_undone(job, &failure);
}

/* Has the content converted on a worker, should the hop want that, before anything
 * is said to it. */
static void convert_first(struct smtp_job *job)
{
    struct delivery *d = job->thread->delivery;
    job->work.home = loop_home(job->thread->loop);
    job->work.run = work_run;
    job->work.done = work_done;
    if (workers_submit(d->options.workers, &job->work))
        return;
    struct outcome busy = outcome_local(OUTCOME_DEFERRED, 3, 2,
                                        "too many messages are converted at once");
    end_undone(job, &busy);
}

void attempt_smtp_start(struct delivery *d, struct attempt_run *run,
                        struct delivery_routes *routes,
                        const struct delivery_route *route)
{
    struct smtp_job *job =
        calloc(1, sizeof *job + run->recipients_count * sizeof job->recipients[0]);
    if (job == NULL) {
        struct outcome failure = outcome_local(OUTCOME_DEFERRED, 3, 0, "no memory");
        run_decide_all(run, &failure);
        delivery_routes_drop(&routes);
        run_finish(run);
        return;
    }
    uint32_t named = run->connection.thread;
    bool is_named = run->connection.id != 0 && named < d->options.loops_count;
    job->thread = is_named ? &d->threads[named] : delivery_next_thread(d);
    job->task.run = run_job;
    job->run = run;
    job->routes = routes;
    job->route = route;
    if (route->downgrade)
        convert_first(job);
    else
        home_post(loop_home(job->thread->loop), &job->task);
}
