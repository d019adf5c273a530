/* attempt_smtp.c: one message to one site, by SMTP or LMTP.
 *
 * What the domain promises by MTA-STS is known before anything else. A job then uses the
 * connection that it named, where that is good enough, or searches for another one.
 * RFC 8461 5.1.
 */
#include "base/must.h"
#include "delivery/connection.h"
#include "delivery/promise.h"
#include "delivery/sealed.h"
#include "delivery/search.h"
#include "delivery/seven_bit.h"
#include "mail/srs.h"
#include "wire/smtp/address.h"

#include <stdlib.h>

enum { SEAL_MAX = 256 * 1024, SENDER_MAX = 2048 };

void smtp_job_end(struct smtp_job *job)
{
    struct attempt_run *run = job->run;
    seven_bit_free(&job->seven_bit);
    buffer_free(&job->seal);
    buffer_free(&job->sender);
    message_close(&job->view);
    search_free(&job->search);
    mtasts_policy_drop(&job->policy);
    delivery_routes_drop(&job->routes);
    free(job);
    run_finish(run);
}

void smtp_job_end_no_site(struct smtp_job *job, const struct outcome *failure,
                          struct slice remote)
{
    struct attempt_run *run = job->run;
    char text[FAILURE_TEXT_MAX]; /* it may lie in the very buffer that is cleared */
    size_t text_len = search_keep(text, sizeof text, failure->text);
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
    smtp_job_end(job);
}

static enum err read_content(struct smtp_client_content *content, uint64_t offset,
                             char *out, size_t len)
{
    struct smtp_job *job = container_of(content, struct smtp_job, content);
    struct slice seal = buffer_slice(&job->seal);
    struct slice part = slice_make(NULL, 0);
    if (offset < seal.len)
        part = slice_part(seal, (size_t)offset, len);
    if (part.len > 0)
        memcpy(out, part.data, part.len);
    if (part.len == len)
        return ERR_OK;
    return view_read_whole(job->view, offset + part.len - seal.len, out + part.len,
                           len - part.len);
}

static bool goes_on(const struct smtp_job *job)
{
    return job->route->way == DELIVERY_MX || job->route->way == DELIVERY_SMTP;
}

/* All recipients of a job are forwarded, or none. What cannot be written anew stays as it
 * is: it may arrive all the same. */
static void rewrite_sender(struct smtp_job *job)
{
    const struct delivery_forwarding *how = delivery_routes_forwarding(job->routes);
    if (how == NULL || !job->recipients[0].recipient->forwarded || !goes_on(job))
        return;
    struct srs srs = { .domain = how->domain, .secrets = &how->secret, .secrets_count = 1 };
    buffer_clear(&job->sender);
    if (srs_forward(&srs, job->envelope.sender, srs_day(job->begun_wall_s * SECOND_MS),
                    &job->sender) == ERR_OK)
        job->envelope.sender = buffer_slice(&job->sender);
}

static const char *lacks_tls(const struct smtp_client_transaction *transaction)
{
    const struct smtp_job *job = container_of(transaction, struct smtp_job, transaction);
    return security_lacks(job->security);
}

static int64_t now_wall_ms(const struct smtp_client_transaction *transaction)
{
    const struct smtp_job *job = container_of(transaction, struct smtp_job, transaction);
    return loop_now(job->thread->loop).wall_ms;
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
            smtp_job_end(job);
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
        .read = read_content,
        .size = buffer_len(&job->seal) + view->prefix.len + view->content_size,
    };
    job->envelope = view->envelope;
    rewrite_sender(job);
    job->security = &c->security;
    job->transaction = (struct smtp_client_transaction){
        .lacks_tls = goes_on(job) ? lacks_tls : NULL,
        .now_wall_ms = goes_on(job) ? now_wall_ms : NULL,
        .envelope = &job->envelope,
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
    struct outcome_times times = { .is_reused = true };
    if (!job->is_second)
        times = c->times;
    times.is_reused = job->is_second;
    times.transaction_ms =
        (uint32_t)(loop_now(job->thread->loop).mono_ms - job->given_mono_ms);
    for (size_t i = 0; i < run->recipients_count; i++) {
        run->recipients[i].outcome = job->recipients[i].outcome;
        run->recipients[i].outcome.times = times;
        run->recipients[i].outcome.transport = c->security.facts;
        if (run->recipients[i].outcome.kind != OUTCOME_NONE)
            run->recipients[i].outcome.remote = remote;
    }
    run_point_addresses(run, job->view, job->addresses_at);
    run->end = kept ? ATTEMPT_KEPT : ATTEMPT_CLOSED;
    run->connection = (struct attempt_connection){ .id = 0 };
    if (kept)
        run->connection = (struct attempt_connection){ job->thread->index, c->id };
    smtp_job_end(job);
}

void smtp_job_failed(struct smtp_job *job, const struct outcome *why,
                     const struct connection *c)
{
    struct slice remote = slice_make(c->remote, c->remote_len);
    struct outcome failure = *why;
    failure.transport = c->security.facts;
    if (why->status.subject == 7 && why->status.detail == 4) /* it cannot be had: RFC 3463 */
        failure.transport.failure = TRANSPORT_STARTTLS_NOT_SUPPORTED;
    if (job->search == NULL && !job->thread->stopped) {
        search_begin(job); /* a connection of before died: that says nothing of the site */
        return;
    }
    if (job->search == NULL) {
        smtp_job_end_no_site(job, &failure, remote);
        return;
    }
    search_go_on(job, &failure, remote, security_fall_back(&c->security, c->client));
}

void smtp_job_end_moved(struct smtp_job *job)
{
    job->run->end = ATTEMPT_MOVED;
    smtp_job_end(job);
}

/* The policy, if any, is known. */
static void use_connection(struct smtp_job *job)
{
    struct attempt_run *run = job->run;
    struct connection *c = NULL;
    if (job->route->way == DELIVERY_MX && !site_has_policy(&run->site, job->policy)) {
        smtp_job_end_moved(job);
        return;
    }
    if (run->connection.id != 0)
        c = connection_find(job->thread, run->connection.id);
    run->connection = (struct attempt_connection){ .id = 0 };
    if (c != NULL && !security_keeps(&c->security, job->policy)) {
        connection_quit(c);
        c = NULL;
    }
    if (c != NULL)
        connection_take(c, job);
    else
        search_begin(job);
}

static void on_policy(struct mtasts_lookup *lookup)
{
    struct smtp_job *job = container_of(lookup, struct smtp_job, lookup);
    job->policy = lookup->policy;
    use_connection(job);
}

/* A domain may hold what only the canonical form of a name can be asked by; a host of
 * the configuration is asked as it stands. */
static bool set_domain(struct smtp_job *job)
{
    job->domain = (struct buffer){ .memory = job->domain_bytes,
                                   .capacity = sizeof job->domain_bytes,
                                   .max = sizeof job->domain_bytes };
    if (job->route->way == DELIVERY_MX)
        return smtp_domain_canonical(job->run->domain, &job->domain);
    buffer_append(&job->domain, job->route->host);
    return !job->domain.overflow;
}

/* A host that is named is a domain of its own (RFC 8461 3.4); an address is none. */
static bool may_have_policy(const struct smtp_job *job)
{
    struct delivery *d = job->thread->delivery;
    struct net_address address;
    return d->options.mtasts != NULL && atomic_load(&d->heeds_mtasts) &&
           promise_is_heeded(job->route) && !job->route->security.is_implicit &&
           (job->route->way == DELIVERY_MX ||
            !net_host_parse(job->route->host, job->route->port, &address));
}

/* On the loop thread. */
static void run_job(struct task *task)
{
    struct smtp_job *job = container_of(task, struct smtp_job, task);
    struct moment now = loop_now(job->thread->loop);
    struct mtasts *mtasts = job->thread->delivery->options.mtasts;
    job->deadline_mono_ms = now.mono_ms + job->thread->times.total_ms;
    if (!set_domain(job)) {
        struct outcome failure =
            outcome_local(OUTCOME_FAILED, 1, 2, "this is not a name of a domain");
        smtp_job_end_no_site(job, &failure, slice_make(NULL, 0));
        return;
    }
    if (!may_have_policy(job) ||
        mtasts_find(mtasts, buffer_slice(&job->domain), now, &job->policy)) {
        use_connection(job);
        return;
    }
    job->lookup = (struct mtasts_lookup){ .home = loop_home(job->thread->loop),
                                          .done = on_policy,
                                          .domain = buffer_slice(&job->domain) };
    mtasts_look_up(mtasts, &job->lookup);
}

/* NULL: it is not sealed. Mail that has arrived (LMTP) is not sent on. */
static const struct delivery_sealing *sealing_of(const struct smtp_job *job)
{
    return goes_on(job) ? delivery_routes_sealing(job->routes) : NULL;
}

static void work_run(struct work *work)
{
    struct smtp_job *job = container_of(work, struct smtp_job, work);
    struct delivery *d = job->thread->delivery;
    struct message_source *source = d->options.source;
    const struct delivery_sealing *how = sealing_of(job);
    job->work_error = ERR_OK;
    if (job->route->downgrade)
        job->work_error = seven_bit_make(source, job->run->id, job->route->downgrade_signed,
                                         &job->seven_bit);
    if (job->work_error == ERR_OK && how != NULL)
        job->work_error = sealed_make(source, job->run->id, how, job->begun_wall_s,
                                      &job->seal);
}

/* Nothing was begun: the connection that was named is as it was. */
static void end_undone(struct smtp_job *job, const struct outcome *outcome)
{
    run_decide_all(job->run, outcome);
    smtp_job_end(job);
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

/* Has the content sealed, and converted should the hop want that, on a worker, before
 * anything is said to the hop. What is converted has no seal: it would not hold. */
static void make_first(struct smtp_job *job)
{
    struct delivery *d = job->thread->delivery;
    job->work.home = loop_home(job->thread->loop);
    job->work.run = work_run;
    job->work.done = work_done;
    if (workers_submit(d->options.workers, &job->work))
        return;
    struct outcome busy = outcome_local(OUTCOME_DEFERRED, 3, 2,
                                        "too many messages are made ready at once");
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
    job->begun_wall_s = moment_now().wall_ms / SECOND_MS;
    job->routes = routes;
    job->route = route;
    buffer_init(&job->seal, SEAL_MAX);
    buffer_init(&job->sender, SENDER_MAX);
    if (route->downgrade || sealing_of(job) != NULL)
        make_first(job);
    else
        home_post(loop_home(job->thread->loop), &job->task);
}
