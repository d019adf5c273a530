/* check_source.c: a question answered at once: out of a zone, or by the resolver, whose
 * loop runs until the answer is there. */
#include "cli/check_private.h"

#include "cli/tool.h"
#include "dns/dns.h"
#include "event/loop.h"

#include <stdlib.h>
#include <sysexits.h>

enum {
    ANSWER_MAX = 16 * 1024 * 1024,
    TIMEOUT_MS = 10000, /* of one question */
};

struct check_dns {
    struct loop *loop;
    struct dns *dns;
    struct dns_query query;
};

static void close_dns(struct check_dns **dns)
{
    struct check_dns *d = *dns;
    *dns = NULL;
    if (d == NULL)
        return;
    dns_close(&d->dns);
    loop_close(&d->loop);
    free(d);
}

static int open_dns(const char *server, struct check_dns **out)
{
    struct net_address address;
    struct dns_options options = { .timeout_ms = TIMEOUT_MS };
    if (server != NULL) {
        if (!net_address_parse(slice_from_string(server), &address)) {
            cli_complain("--dns: '%s' is no address with a port, as in 192.0.2.1:53",
                         server);
            return EX_USAGE;
        }
        options.upstreams = &address;
        options.upstreams_count = 1;
    }
    struct check_dns *d = calloc(1, sizeof *d);
    enum err error = d == NULL ? ERR_MEMORY : loop_open(&d->loop);
    if (error == ERR_OK)
        error = dns_open(&options, &d->dns);
    if (error == ERR_OK) {
        *out = d;
        return 0;
    }
    close_dns(&d);
    cli_complain("the DNS cannot be asked: %s", err_text(error));
    return EX_UNAVAILABLE;
}

static enum lookup_kind kind_of(enum dns_kind kind)
{
    switch (kind) {
    case DNS_OK:
        return LOOKUP_FOUND;
    case DNS_NODATA:
        return LOOKUP_NODATA;
    case DNS_NXDOMAIN:
    case DNS_INVALID:
        return LOOKUP_NXDOMAIN;
    case DNS_SERVFAIL:
    case DNS_BOGUS:
    case DNS_TIMEOUT:
    case DNS_CANCELLED:
        break;
    }
    return LOOKUP_FAILED;
}

static void on_answer(struct dns_query *query)
{
    loop_stop(container_of(query, struct check_dns, query)->loop);
}

static void ask_dns(struct check_dns *d, const struct lookup_question *question,
                    void (*take)(void *, const struct lookup_answer *), void *context)
{
    d->query = (struct dns_query){ .home = loop_home(d->loop), .done = on_answer,
                                   .name = question->name, .type = question->type };
    dns_query(d->dns, &d->query);
    loop_run(d->loop);
    const struct dns_answer *got = &d->query.answer;
    struct lookup_answer answer = { .kind = kind_of(got->kind), .secure = got->secure,
                                    .ttl_s = got->ttl_s };
    if (answer.kind == LOOKUP_FOUND) {
        answer.records = got->records;
        answer.records_count = got->records_count;
    }
    take(context, &answer);
    dns_query_clear(&d->query);
}

static int ask_zone(const json_t *zone, const struct lookup_question *question,
                    void (*take)(void *, const struct lookup_answer *), void *context)
{
    struct arena arena;
    struct lookup_answer answer;
    arena_init(&arena, ANSWER_MAX);
    bool fits = check_zone_answer(zone, question, &arena, &answer);
    if (fits)
        take(context, &answer);
    arena_free(&arena);
    if (!fits)
        cli_complain("an answer of the zone is too large, or memory is out");
    return fits ? 0 : EX_OSERR;
}

int check_ask(struct check_source *source, const struct lookup_question *question,
              void (*take)(void *, const struct lookup_answer *), void *context)
{
    if (source->zone != NULL)
        return ask_zone(source->zone, question, take, context);
    if (source->dns == NULL) {
        int code = open_dns(source->server, &source->dns);
        if (code != 0)
            return code;
    }
    ask_dns(source->dns, question, take, context);
    return 0;
}

void check_source_close(struct check_source *source)
{
    close_dns(&source->dns);
}
