/* lookup.c: asks for the TLSA records of one host. Runs on the thread that asked.
 *
 * RFC 7672 2.2.2: a host is asked for by its own name; an alias that was validated all
 * through by what it leads to, then by its own name; one that leads to where nothing is
 * signed by its own name, where the alias itself is signed.
 */
#include "base/must.h"
#include "transport/dane/dane.h"

enum { NAME_MAX_BYTES = DNS_NAME_MAX + 16 };

static void ask(struct dane_lookup *l);

static void end(struct dane_lookup *l)
{
    buffer_free(&l->name);
    l->done(l);
}

static void on_answer(struct dns_query *query)
{
    struct dane_lookup *l = container_of(query, struct dane_lookup, query);
    bool is_decided = dane_take(l->dane, l->candidates[l->candidate], &query->answer);
    dns_query_clear(query);
    if (!is_decided && ++l->candidate < l->candidates_count)
        ask(l);
    else
        end(l);
}

/* "_25._tcp.mx.example.com" (RFC 6698 3) */
static void ask(struct dane_lookup *l)
{
    buffer_clear(&l->name);
    buffer_append_format(&l->name, "_%u._tcp.", l->port);
    buffer_append(&l->name, dns_name_slice(l->candidates[l->candidate]));
    l->query = (struct dns_query){ .home = l->home, .done = on_answer,
                                   .name = buffer_slice(&l->name), .type = DNS_TYPE_TLSA };
    dns_query(l->dns, &l->query);
}

static void on_alias(struct dns_query *query)
{
    struct dane_lookup *l = container_of(query, struct dane_lookup, query);
    const struct dns_answer *answer = &query->answer;
    bool fails = dns_is_temporary(answer->kind);
    bool is_secure = answer->kind == DNS_OK && answer->secure;
    dns_query_clear(query);
    if (fails) {
        l->dane->kind = DANE_FAILED;
        l->dane->why = "the DNS does not say whether its name is signed";
        end(l);
    } else if (is_secure) {
        l->candidates[l->candidates_count++] = &l->host->name;
        ask(l);
    } else {
        end(l);
    }
}

static void ask_alias(struct dane_lookup *l)
{
    l->query = (struct dns_query){ .home = l->home, .done = on_alias,
                                   .name = dns_name_slice(&l->host->name),
                                   .type = DNS_TYPE_CNAME };
    dns_query(l->dns, &l->query);
}

static void run_end(struct task *task)
{
    end(container_of(task, struct dane_lookup, task));
}

void dane_look_up(struct dns *dns, struct dane_lookup *l)
{
    const struct dns_host *h = l->host;
    bool is_alias = h->canonical.len > 0 &&
                    !slice_equal(dns_name_slice(&h->canonical), dns_name_slice(&h->name));
    l->dns = dns;
    l->candidate = l->candidates_count = 0;
    l->dane = dane_make();
    l->query.memory = NULL;
    l->task.run = run_end;
    buffer_init(&l->name, NAME_MAX_BYTES);
    if (l->dane == NULL || h->name.len == 0 || (!h->secure && !is_alias)) {
        home_post(l->home, &l->task);
        return;
    }
    if (!h->secure) {
        ask_alias(l);
        return;
    }
    if (is_alias)
        l->candidates[l->candidates_count++] = &h->canonical;
    l->candidates[l->candidates_count++] = &h->name;
    ask(l);
}
