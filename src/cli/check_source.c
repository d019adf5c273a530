/* check_source.c: a question answered at once: out of a zone, or by the resolver, whose
 * loop runs until the answer is there. */
#include "cli/check_private.h"

#include "base/moment.h"
#include "cli/tool.h"
#include "dns/lookup.h"
#include "event/loop.h"

#include <stdlib.h>

enum {
    ANSWER_MAX = 16 * 1024 * 1024,
    TIMEOUT_MS = 5000,     /* of one question */
    PATIENCE_MS = 15000,   /* of the last one's beginning */
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

static bool open_dns(struct check_source *source)
{
    struct dns_options options = { .upstreams = &source->server,
                                   .upstreams_count = source->has_server ? 1 : 0,
                                   .timeout_ms = TIMEOUT_MS };
    struct check_dns *d = calloc(1, sizeof *d);
    enum err error = d == NULL ? ERR_MEMORY : loop_open(&d->loop);
    if (error == ERR_OK)
        error = dns_open(&options, &d->dns);
    if (error == ERR_OK) {
        source->dns = d;
        return true;
    }
    close_dns(&d);
    cli_complain("the DNS cannot be asked: %s", err_text(error));
    return false;
}

void check_source_begin(struct check_source *source, const json_t *zone)
{
    source->zone = zone;
    source->until_ms = moment_now().mono_ms + PATIENCE_MS;
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
    struct lookup_answer answer = dns_as_lookup(&d->query.answer);
    take(context, &answer);
    dns_query_clear(&d->query);
}

static bool ask_zone(const json_t *zone, const struct lookup_question *question,
                     void (*take)(void *, const struct lookup_answer *), void *context)
{
    struct arena arena;
    struct lookup_answer answer;
    arena_init(&arena, ANSWER_MAX);
    bool fits = zone_answer(zone, question, &arena, &answer);
    if (fits)
        take(context, &answer);
    arena_free(&arena);
    if (!fits)
        cli_complain("an answer of the zone is too large, or memory is out");
    return fits;
}

bool check_ask(struct check_source *source, const struct lookup_question *question,
               void (*take)(void *, const struct lookup_answer *), void *context)
{
    if (source->zone != NULL)
        return ask_zone(source->zone, question, take, context);
    if (source->dns == NULL && !open_dns(source))
        return false;
    if (moment_now().mono_ms < source->until_ms)
        ask_dns(source->dns, question, take, context);
    else
        take(context, &(struct lookup_answer){ .kind = LOOKUP_FAILED });
    return true;
}

void check_source_close(struct check_source *source)
{
    close_dns(&source->dns);
}
