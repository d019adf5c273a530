/* search.c: hosts and their addresses, tried one after the other.
 *
 * In order, those that were dead lately last. What the first host of several says for good
 * is not believed while another may take it: the site has failed when all have, and for
 * good only when all said so. Where TLS failed and clear text will do, the same address is
 * tried once more in clear. Before the first address of a host is tried, it is known what
 * the host promises. RFC 5321 5.1, RFC 7672 2.2, RFC 8461 5.1.
 */
#include "delivery/search.h"

#include "base/must.h"
#include "delivery/promise.h"

#include <stdio.h>
#include <stdlib.h>

/* Where a job that needs a new connection looks. */
struct hop_search {
    struct dns_mx_lookup lookup;
    struct smtp_job *job;
    struct dane_lookup dane;
    struct dns_hosts *hosts;       /* NULL for a hop whose address is known */
    struct net_address fixed;
    uint32_t host;                 /* the next candidate */
    uint32_t address;
    bool late;                     /* the second round: those that were dead lately */
    uint8_t tried[DNS_HOSTS_MAX];  /* a bit for each address of a host */
    struct dane *danes[DNS_HOSTS_MAX]; /* of the hosts; NULL: not asked for */
    struct net_address last;       /* the candidate being tried */
    struct slice last_host;
    const char *clear_because;     /* it is to be tried again, in clear */
    const char *in_clear;          /* so it is now */
    struct outcome failure;        /* the mildest so far; NONE at first */
    size_t failure_text_len;
    size_t failure_remote_len;
    char failure_text[FAILURE_TEXT_MAX];
    char failure_remote[REMOTE_MAX];
};

void search_free(struct hop_search **search)
{
    struct hop_search *s = *search;
    if (s == NULL)
        return;
    free(s->hosts);
    for (size_t i = 0; i < DNS_HOSTS_MAX; i++)
        dane_drop(&s->danes[i]);
    free(s);
    *search = NULL;
}

size_t search_keep(char *into, size_t max, struct slice text)
{
    size_t len = text.len < max ? text.len : max;
    if (len > 0)
        memcpy(into, text.data, len);
    return len;
}

/* A failure for now outweighs one for good; of equals the first stays. */
static void note_failure(struct hop_search *s, const struct outcome *failure,
                         struct slice remote)
{
    if (s->failure.kind == OUTCOME_DEFERRED ||
        (s->failure.kind == OUTCOME_FAILED && failure->kind == OUTCOME_FAILED))
        return;
    s->failure = *failure;
    s->failure_text_len = search_keep(s->failure_text, sizeof s->failure_text, failure->text);
    s->failure_remote_len =
        search_keep(s->failure_remote, sizeof s->failure_remote, remote);
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
static bool take_candidate(struct smtp_job *job)
{
    struct hop_search *s = job->search;
    s->in_clear = s->clear_because;
    s->clear_because = NULL;
    return s->in_clear != NULL || next_candidate(job, &s->last, &s->last_host);
}

/* ---- what the candidate promises ---- */

/* Of which host its TLSA records are asked for: not where the way to it could be anybody's
 * (RFC 7672 2.2.1). */
static bool may_have_dane(const struct smtp_job *job)
{
    const struct hop_search *s = job->search;
    return s->hosts != NULL && s->hosts->secure && s->last_host.len > 0 &&
           atomic_load(&job->thread->delivery->heeds_dane) && promise_is_heeded(job->route);
}

static struct dane *dane_of(const struct hop_search *s)
{
    return s->hosts == NULL ? NULL : s->danes[s->host];
}

/* The host is not to be used now: as if it could not be reached (RFC 7672 2.1.2, RFC 8461
 * 8.4). */
static void refuse(struct hop_search *s, const struct security_peer *peer)
{
    const struct promise *promise = &peer->promise;
    char text[300];
    struct buffer remote;
    bool is_dns = promise->kind == TRANSPORT_DANE;
    snprintf(text, sizeof text, "%s: %s", promise->why, promise->refusal);
    struct outcome failure = is_dns ? outcome_local(OUTCOME_DEFERRED, 4, 3, text)
                                    : outcome_local(OUTCOME_DEFERRED, 7, 5, text);
    failure.transport = (struct transport_facts){
        .wanted = promise->level, .had = TRANSPORT_CLEAR, .promise = promise->kind,
        .why = promise->why, .trouble = promise->refusal,
        .failure = is_dns ? TRANSPORT_DNSSEC_INVALID : TRANSPORT_VALIDATION_FAILURE,
    };
    security_tell_refusal(s->job->thread, peer, &failure.transport);
    buffer_init(&remote, REMOTE_MAX);
    buffer_append(&remote, s->last_host);
    net_address_append(&remote, &s->last);
    note_failure(s, &failure, buffer_slice(&remote));
    buffer_free(&remote);
}

/* Begins to connect to the candidate; false: on to the next. */
static bool try_candidate(struct smtp_job *job)
{
    struct hop_search *s = job->search;
    struct promise promise = { .kind = TRANSPORT_NO_PROMISE };
    bool is_mx = job->route->way == DELIVERY_MX;
    struct slice host = s->last_host.len > 0 ? s->last_host : buffer_slice(&job->domain);
    if (promise_is_heeded(job->route))
        promise_judge(dane_of(s), job->policy, host, &promise);
    struct security_peer peer = {
        .host = s->last_host,
        .domain = is_mx ? buffer_slice(&job->domain) : slice_make(NULL, 0),
        .hosts = s->hosts, .dane = dane_of(s), .promise = promise,
        .address = &s->last, .clear_because = s->in_clear, .policy = job->policy,
    };
    if (promise.refusal != NULL) {
        refuse(s, &peer);
        return false;
    }
    enum err error = connection_open(job, &peer);
    if (error == ERR_OK)
        return true;
    struct outcome failure =
        outcome_local(OUTCOME_DEFERRED, 4, 1, local_fault_text(error));
    note_failure(s, &failure, slice_make(NULL, 0));
    return false;
}

static void try_next(struct smtp_job *job);

static void on_dane(struct dane_lookup *lookup)
{
    struct hop_search *s = container_of(lookup, struct hop_search, dane);
    s->danes[s->host] = lookup->dane;
    if (lookup->dane == NULL) { /* without memory nothing is known, and nothing is risked */
        struct outcome failure = outcome_local(OUTCOME_DEFERRED, 3, 0, "no memory");
        note_failure(s, &failure, slice_make(NULL, 0));
        try_next(s->job);
    } else if (!may_try(s->job) || !try_candidate(s->job)) {
        try_next(s->job);
    }
}

static void ask_dane(struct smtp_job *job)
{
    struct hop_search *s = job->search;
    s->dane = (struct dane_lookup){
        .home = loop_home(job->thread->loop), .done = on_dane,
        .host = &s->hosts->hosts[s->host], .port = net_address_port(&s->last),
    };
    dane_look_up(job->thread->delivery->options.dns, &s->dane);
}

static void try_next(struct smtp_job *job)
{
    struct hop_search *s = job->search;
    while (may_try(job) && take_candidate(job)) {
        if (may_have_dane(job) && dane_of(s) == NULL) {
            ask_dane(job);
            return;
        }
        if (try_candidate(job))
            return;
    }
    if (!may_try(job)) { /* those not tried may take it another time */
        struct outcome stopped = outcome_local(OUTCOME_DEFERRED, 3, 2,
                                               "delivery was stopped or took too long");
        note_failure(s, &stopped, slice_make(NULL, 0));
    }
    must(s->failure.kind != OUTCOME_NONE);
    struct outcome last = s->failure;
    smtp_job_end_no_site(job, &last, slice_make(s->failure_remote, s->failure_remote_len));
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
    bool is_mx = s->job->route->way == DELIVERY_MX;
    if (s->hosts == NULL) {
        defer_if_named(s->job, &lookup->outcome);
        smtp_job_end_no_site(s->job, &lookup->outcome, slice_make(NULL, 0));
    } else if (is_mx && s->hosts->secure != site_is_secure(&s->job->run->site)) {
        smtp_job_end_moved(s->job);
    } else {
        try_next(s->job);
    }
}

static void look_up(struct hop_search *s)
{
    struct smtp_job *job = s->job;
    struct delivery *d = job->thread->delivery;
    bool is_mx = job->route->way == DELIVERY_MX;
    s->lookup = (struct dns_mx_lookup){
        .home = loop_home(job->thread->loop),
        .done = on_hosts,
        .domain = buffer_slice(&job->domain),
        .rules = is_mx ? &d->options.rules : &d->any_host,
        .is_host = !is_mx,
        .random = job->run->id.value ^ job->thread->last_id,
    };
    dns_mx_lookup(d->options.dns, &s->lookup);
}

void search_begin(struct smtp_job *job)
{
    const struct delivery_route *r = job->route;
    struct hop_search *s = calloc(1, sizeof *s);
    if (s == NULL) {
        struct outcome failure = outcome_local(OUTCOME_DEFERRED, 3, 0, "no memory");
        smtp_job_end_no_site(job, &failure, slice_make(NULL, 0));
        return;
    }
    job->search = s;
    s->job = job;
    bool is_known = false;
    if (r->way != DELIVERY_MX)
        is_known = r->host.data[0] == '/' ? net_address_parse(r->host, &s->fixed)
                                          : net_host_parse(r->host, r->port, &s->fixed);
    if (is_known)
        try_next(job);
    else
        look_up(s);
}

void search_go_on(struct smtp_job *job, const struct outcome *failure, struct slice remote,
                  const char *clear_because)
{
    note_failure(job->search, failure, remote);
    job->search->clear_because = clear_because;
    try_next(job);
}
