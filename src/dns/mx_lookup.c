/* mx_lookup.c: asks for the MX of a domain, then for the addresses of all its hosts
 * at once. Runs on the thread that asked; the resolver only brings answers. */
#include "base/must.h"
#include "dns/mx.h"

#include <stdlib.h>

struct dns_mx_query {
    struct dns_query query;
    struct dns_mx_lookup *lookup;
};

static struct outcome no_memory(void)
{
    return (struct outcome){ .kind = OUTCOME_DEFERRED, .status = { 4, 3, 0 },
                             .text = SLICE("no memory to look up the domain") };
}

/* Ends it: with the hosts as they stand, or with the outcome alone. */
static void end(struct dns_mx_lookup *l, bool found)
{
    free(l->queries);
    l->queries = NULL;
    if (!found) {
        free(l->hosts);
        l->hosts = NULL;
    }
    l->done(l);
}

static void on_address(struct dns_query *query)
{
    struct dns_mx_lookup *l = container_of(query, struct dns_mx_query, query)->lookup;
    if (--l->waiting > 0)
        return;
    for (uint32_t i = 0; i < l->hosts->count; i++) {
        struct dns_query *v4 = &l->queries[2 * i].query;
        struct dns_query *v6 = &l->queries[2 * i + 1].query;
        dns_host_take_addresses(l->hosts, &l->hosts->hosts[i], &v4->answer, &v6->answer,
                                l->rules);
        dns_query_clear(v4);
        dns_query_clear(v6);
    }
    end(l, dns_hosts_settle(l->hosts, &l->outcome));
}

static bool ask_addresses(struct dns_mx_lookup *l)
{
    l->waiting = 2 * l->hosts->count;
    l->queries = calloc(l->waiting, sizeof *l->queries);
    if (l->queries == NULL)
        return false;
    uint32_t count = l->waiting; /* the last answer may come before the loop ends */
    for (uint32_t i = 0; i < count; i++) {
        struct dns_mx_query *q = &l->queries[i];
        q->lookup = l;
        q->query.home = l->home;
        q->query.done = on_address;
        q->query.name = dns_name_slice(&l->hosts->hosts[i / 2].name);
        q->query.type = i % 2 == 0 ? DNS_TYPE_A : DNS_TYPE_AAAA;
        dns_query(l->dns, &q->query);
    }
    return true;
}

static void take_mx(struct dns_mx_lookup *l, const struct dns_answer *answer)
{
    bool found = dns_mx_read(answer, l->domain, l->rules, l->random, l->hosts,
                             &l->outcome);
    dns_query_clear(&l->mx);
    if (!found) {
        end(l, false);
    } else if (!ask_addresses(l)) {
        l->outcome = no_memory();
        end(l, false);
    }
}

static void on_mx(struct dns_query *query)
{
    struct dns_mx_lookup *l = container_of(query, struct dns_mx_lookup, mx);
    take_mx(l, &query->answer);
}

/* What needs no question for MX, yet must not answer from inside the call. */
static void run_at_once(struct task *task)
{
    struct dns_mx_lookup *l = container_of(task, struct dns_mx_lookup, task);
    struct dns_answer without_mx = { .kind = DNS_NODATA, .secure = true };
    if (l->outcome.kind != OUTCOME_NONE || l->hosts->count > 0)
        end(l, l->outcome.kind == OUTCOME_NONE);
    else
        take_mx(l, &without_mx);
}

void dns_mx_lookup(struct dns *dns, struct dns_mx_lookup *lookup)
{
    lookup->dns = dns;
    lookup->queries = NULL;
    lookup->mx.memory = NULL;
    lookup->outcome = (struct outcome){ .kind = OUTCOME_NONE };
    lookup->task.run = run_at_once;
    lookup->hosts = calloc(1, sizeof *lookup->hosts);
    if (lookup->hosts == NULL) {
        lookup->outcome = no_memory();
        home_post(lookup->home, &lookup->task);
    } else if (dns_literal_read(lookup->domain, lookup->rules, lookup->hosts,
                                &lookup->outcome) ||
               lookup->is_host) {
        home_post(lookup->home, &lookup->task);
    } else {
        lookup->mx = (struct dns_query){ .home = lookup->home, .done = on_mx,
                                         .name = lookup->domain, .type = DNS_TYPE_MX };
        dns_query(dns, &lookup->mx);
    }
}
