/* tls_policy_find.c: the questions of a delivery, one after the other, without one. */
#include "cli/tls_policy_private.h"

#include "cli/tool.h"
#include "event/loop.h"

#include <stdlib.h>
#include <sysexits.h>

struct world {
    const struct finding *how;
    struct found *found;
    struct loop *loop;
    struct dns *dns;
    struct http *http;
    struct mtasts *mtasts;
    struct dns_mx_lookup mx;
    struct mtasts_lookup sts;
    struct dane_lookup dane;
};

static enum err world_open(struct world *w)
{
    struct dns_options dns = { .upstreams = w->how->servers,
                               .upstreams_count = w->how->servers_count,
                               .trust_anchor_file = w->how->trust_anchor };
    struct http_options http = { .egress = { .allow_loopback = w->how->rules.allow_loopback,
                                             .allow_private = w->how->rules.allow_private } };
    enum err error = loop_open(&w->loop);
    if (error == ERR_OK)
        error = dns_open(&dns, &w->dns);
    if (error == ERR_OK)
        error = http_open(&http, &w->http);
    struct mtasts_options sts = { .loop = w->loop, .dns = w->dns, .http = w->http,
                                  .domains_max = 1 };
    return error == ERR_OK ? mtasts_open(&sts, &w->mtasts) : error;
}

static void world_close(struct world *w)
{
    http_close(&w->http);
    dns_close(&w->dns);
    mtasts_close(&w->mtasts);
    loop_close(&w->loop);
}

static void on_mx(struct dns_mx_lookup *lookup)
{
    loop_stop(container_of(lookup, struct world, mx)->loop);
}

static void on_sts(struct mtasts_lookup *lookup)
{
    loop_stop(container_of(lookup, struct world, sts)->loop);
}

static void on_dane(struct dane_lookup *lookup)
{
    loop_stop(container_of(lookup, struct world, dane)->loop);
}

static void find_hosts(struct world *w)
{
    static const struct dns_mx_rules any = { .allow_loopback = true, .allow_private = true };
    struct found *f = w->found;
    bool is_mx = f->route.way == DELIVERY_MX;
    w->mx = (struct dns_mx_lookup){
        .home = loop_home(w->loop), .done = on_mx,
        .domain = is_mx ? f->domain : f->route.host, .is_host = !is_mx,
        .rules = is_mx ? &w->how->rules : &any,
    };
    dns_mx_lookup(w->dns, &w->mx);
    loop_run(w->loop);
    f->mx = w->mx;
}

static void find_policy(struct world *w)
{
    struct found *f = w->found;
    w->sts = (struct mtasts_lookup){ .home = loop_home(w->loop), .done = on_sts,
                                     .domain = w->mx.domain };
    mtasts_look_up(w->mtasts, &w->sts);
    loop_run(w->loop);
    f->sts = w->sts;
    f->has_asked_sts = true;
}

static void judge(struct world *w, uint32_t i)
{
    struct found *f = w->found;
    struct found_host *h = &f->hosts[i];
    const struct dns_host *host = &f->mx.hosts->hosts[i];
    bool is_heeded = promise_is_heeded(&f->route);
    if (is_heeded && w->how->heeds_dane && f->mx.hosts->secure && host->name.len > 0) {
        w->dane = (struct dane_lookup){
            .home = loop_home(w->loop), .done = on_dane, .host = host,
            .port = f->route.way == DELIVERY_MX ? w->how->smtp_port : f->route.port,
        };
        dane_look_up(w->dns, &w->dane);
        loop_run(w->loop);
        h->dane = w->dane.dane;
    }
    if (is_heeded)
        promise_judge(h->dane, f->sts.policy, dns_name_slice(&host->name), &h->promise);
    h->level = f->route.security.level;
    h->by = "the route";
    promise_raise(&h->promise, &h->level, &h->by);
}

int tls_policy_find(const struct finding *how, struct found *found)
{
    struct world w = { .how = how, .found = found };
    enum err error = world_open(&w);
    if (error != ERR_OK) {
        cli_complain("the DNS cannot be asked: %s", err_text(error));
        world_close(&w);
        return EX_OSERR;
    }
    find_hosts(&w);
    if (found->mx.hosts != NULL && how->heeds_mtasts && promise_is_heeded(&found->route) &&
        !found->route.security.is_implicit)
        find_policy(&w);
    for (uint32_t i = 0; found->mx.hosts != NULL && i < found->mx.hosts->count; i++)
        judge(&w, i);
    world_close(&w);
    return 0;
}

void tls_policy_free(struct found *found)
{
    for (size_t i = 0; i < DNS_HOSTS_MAX; i++)
        dane_drop(&found->hosts[i].dane);
    mtasts_policy_drop(&found->sts.policy);
    free(found->mx.hosts);
    found->mx.hosts = NULL;
}
