/* resolve.c: to which site a domain belongs. Only mail hosts need the DNS; a fixed hop
 * and a mailbox are known at once. */
#include "base/must.h"
#include "delivery/delivery_private.h"
#include "delivery/promise.h"
#include "wire/smtp/address.h"

#include <stdlib.h>

enum {
    VALID_MIN_MS = MINUTE_MS,
    VALID_MAX_MS = HOUR_MS,
};

struct resolving {
    struct task task;
    struct delivery_thread *thread;
    struct attempt_resolve *job;
    struct delivery_routes *routes;
    const struct delivery_route *route;
    struct buffer domain;        /* as the DNS knows it */
    struct dns_mx_lookup lookup;
    struct mtasts_lookup policy;
};

static void run_done(struct task *task)
{
    struct attempt_resolve *job = container_of(task, struct attempt_resolve, task);
    job->done(job);
}

static void answer(struct attempt_resolve *job)
{
    job->task.run = run_done;
    home_post(job->home, &job->task);
}

static void answer_failed(struct attempt_resolve *job, struct outcome outcome)
{
    job->resolved = false;
    job->outcome = outcome;
    answer(job);
}

static int64_t valid_ms(uint32_t ttl_s)
{
    int64_t ms = (int64_t)ttl_s * SECOND_MS;
    if (ms < VALID_MIN_MS)
        return VALID_MIN_MS;
    return ms > VALID_MAX_MS ? VALID_MAX_MS : ms;
}

static void resolving_free(struct resolving *r)
{
    delivery_routes_drop(&r->routes);
    free(r->lookup.hosts);
    mtasts_policy_drop(&r->policy.policy);
    buffer_free(&r->domain);
    free(r);
}

static void set_host(struct attempt_resolve *job, struct slice name)
{
    name = slice_part(name, 0, sizeof job->host.text);
    job->host.len = (uint8_t)name.len;
    if (name.len > 0)
        memcpy(job->host.text, name.data, name.len);
}

static void answer_site(struct resolving *r)
{
    struct attempt_resolve *job = r->job;
    const struct dns_name *first = &r->lookup.hosts->hosts[0].name;
    set_host(job, first->len == 0 ? job->domain : dns_name_slice(first));
    site_of_hosts(r->route, r->lookup.hosts, r->policy.policy, job->domain, &job->site);
    job->resolved = true;
    job->valid_ms = valid_ms(r->lookup.hosts->ttl_s);
    answer(job);
    resolving_free(r);
}

static void on_policy(struct mtasts_lookup *lookup)
{
    answer_site(container_of(lookup, struct resolving, policy));
}

static void on_hosts(struct dns_mx_lookup *lookup)
{
    struct resolving *r = container_of(lookup, struct resolving, lookup);
    struct delivery *d = r->thread->delivery;
    if (lookup->hosts == NULL) {
        answer_failed(r->job, lookup->outcome);
        resolving_free(r);
        return;
    }
    if (d->options.mtasts == NULL || !atomic_load(&d->heeds_mtasts) ||
        !promise_is_heeded(r->route)) {
        answer_site(r);
        return;
    }
    r->policy = (struct mtasts_lookup){ .home = loop_home(r->thread->loop),
                                        .done = on_policy,
                                        .domain = buffer_slice(&r->domain) };
    mtasts_look_up(d->options.mtasts, &r->policy);
}

/* On a loop thread: the answers of the DNS come there. */
static void run_lookup(struct task *task)
{
    struct resolving *r = container_of(task, struct resolving, task);
    struct delivery *d = r->thread->delivery;
    r->lookup = (struct dns_mx_lookup){
        .home = loop_home(r->thread->loop),
        .done = on_hosts,
        .domain = buffer_slice(&r->domain),
        .rules = &d->options.rules,
        .random = r->thread->last_id + (uint64_t)loop_now(r->thread->loop).mono_ms,
    };
    dns_mx_lookup(d->options.dns, &r->lookup);
}

static void look_up(struct delivery *d, struct attempt_resolve *job,
                    struct delivery_routes *routes, const struct delivery_route *route)
{
    struct resolving *r = malloc(sizeof *r);
    if (r == NULL) {
        delivery_routes_drop(&routes);
        answer_failed(job, outcome_local(OUTCOME_DEFERRED, 3, 0, "no memory"));
        return;
    }
    r->lookup.hosts = NULL;
    r->policy.policy = NULL;
    r->job = job;
    r->routes = routes;
    r->route = route;
    r->thread = delivery_next_thread(d);
    r->task.run = run_lookup;
    buffer_init(&r->domain, 512);
    if (!smtp_domain_canonical(job->domain, &r->domain)) {
        resolving_free(r);
        answer_failed(job, outcome_local(OUTCOME_FAILED, 1, 2,
                                         "this is not a name of a domain"));
        return;
    }
    home_post(loop_home(r->thread->loop), &r->task);
}

void resolve_start(struct delivery *d, struct attempt_resolve *job,
                   struct delivery_routes *routes, const struct delivery_route *route)
{
    job->outcome = (struct outcome){ .kind = OUTCOME_NONE };
    job->host.len = 0;
    if (route->way == DELIVERY_MX) {
        look_up(d, job, routes, route);
        return;
    }
    site_of_route(route, job->domain, &job->site);
    set_host(job, route->host);
    job->resolved = true;
    job->valid_ms = VALID_MAX_MS;
    delivery_routes_drop(&routes);
    answer(job);
}
