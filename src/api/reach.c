/* reach.c: the name looked up, then asked. */
#include "api/reach.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKUPS = 2, LOOKUPS_WAITING_MAX = 1000, HOST_MAX = 300 };

struct reach {
    struct loop *loop;
    enum reach_range range;
    struct http *http;
    struct workers *workers;
    struct list under_way;
};

static void end(struct reach_ask *ask)
{
    list_remove(&ask->node);
    ask->done(ask);
}

static void fail(struct reach_ask *ask, enum http_result result, const char *text)
{
    ask->http.result = result;
    snprintf(ask->http.trouble, sizeof ask->http.trouble, "%s", text);
    end(ask);
}

static void on_answered(struct http_request *request)
{
    end(container_of(request, struct reach_ask, http));
}

/* Names that no resolver is asked for (RFC 6761 6.3). */
static bool is_localhost(struct slice host)
{
    return slice_equal_nocase(host, SLICE("localhost")) ||
           slice_ends_with_nocase(host, SLICE(".localhost"));
}

/* On a thread of the pool. Where nothing leaves this machine, no name does either. */
static void run_lookup(struct work *work)
{
    struct reach_ask *ask = container_of(work, struct reach_ask, work);
    bool stays = ask->reach->range <= REACH_LOOPBACK && !ask->http.is_of_operator &&
                 !is_localhost(buffer_slice(&ask->host));
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC,
                                    .ai_flags = stays ? AI_NUMERICHOST : 0 };
    struct addrinfo *found = NULL;
    if (getaddrinfo(ask->host.memory, NULL, &hints, &found) != 0)
        return;
    for (struct addrinfo *a = found; a != NULL && ask->addresses_count < HTTP_ADDRESSES_MAX;
         a = a->ai_next) {
        struct net_address *to = &ask->addresses[ask->addresses_count];
        if (a->ai_addrlen > sizeof to->storage)
            continue;
        memcpy(&to->storage, a->ai_addr, a->ai_addrlen);
        to->len = a->ai_addrlen;
        ask->addresses_count++;
    }
    freeaddrinfo(found);
}

static void on_lookup(struct work *work)
{
    struct reach_ask *ask = container_of(work, struct reach_ask, work);
    if (ask->addresses_count == 0) {
        fail(ask, HTTP_UNREACHABLE, "the host has no address");
        return;
    }
    ask->http.home = loop_home(ask->reach->loop);
    ask->http.done = on_answered;
    ask->http.addresses = ask->addresses;
    ask->http.addresses_count = ask->addresses_count;
    http_ask(ask->reach->http, &ask->http);
}

static void run_refusal(struct task *task)
{
    struct work *work = container_of(task, struct work, task);
    end(container_of(work, struct reach_ask, work));
}

/* Told on the next turn. */
static void refuse(struct reach_ask *ask, enum http_result result, const char *text)
{
    ask->http.result = result;
    snprintf(ask->http.trouble, sizeof ask->http.trouble, "%s", text);
    ask->work.task.run = run_refusal;
    home_post(loop_home(ask->reach->loop), &ask->work.task);
}

/* The threads, when there is something to be asked. */
static enum err start(struct reach *r)
{
    struct http_options http = { .egress = {
        .allow_loopback = r->range >= REACH_LOOPBACK, .allow_private = r->range >= REACH_PRIVATE,
        .refuse_public = r->range < REACH_ANY,
    } };
    enum err error = r->http != NULL ? ERR_OK : http_open(&http, &r->http);
    return error != ERR_OK || r->workers != NULL
               ? error : workers_open(LOOKUPS, LOOKUPS_WAITING_MAX, &r->workers);
}

void reach_begin(struct reach *reach, struct reach_ask *ask)
{
    bool is_off = reach->range == REACH_NONE && !ask->http.is_of_operator;
    ask->reach = reach;
    ask->addresses_count = 0;
    ask->work = (struct work){ .home = loop_home(reach->loop), .run = run_lookup,
                               .done = on_lookup };
    ask->http.allows_clear = true;
    buffer_init(&ask->host, HOST_MAX);
    list_append(&reach->under_way, &ask->node);
    if (is_off)
        refuse(ask, HTTP_REFUSED, "nothing may be asked: see --egress");
    else if (!http_host(ask->http.url, true, &ask->host))
        refuse(ask, HTTP_INVALID, "this is no URL that can be asked");
    else if (start(reach) != ERR_OK)
        refuse(ask, HTTP_UNREACHABLE, "there is no thread for it");
    else if (!workers_submit(reach->workers, &ask->work))
        refuse(ask, HTTP_UNREACHABLE, "too many are asked at once");
}

void reach_ask_clear(struct reach_ask *ask)
{
    http_request_clear(&ask->http);
    buffer_free(&ask->host);
}

enum reach_range reach_range(const struct reach *reach)
{
    return reach->range;
}

enum err reach_open(struct loop *loop, enum reach_range range, struct reach **out)
{
    struct reach *r = calloc(1, sizeof *r);
    if (r == NULL)
        return ERR_MEMORY;
    r->loop = loop;
    r->range = range;
    list_init(&r->under_way);
    *out = r;
    return ERR_OK;
}

/* The loop has ended: what was posted to it is run by nobody. */
void reach_close(struct reach **reach)
{
    struct reach *r = *reach;
    struct list_node *node;
    if (r == NULL)
        return;
    workers_close(&r->workers);
    http_close(&r->http);
    while ((node = list_first(&r->under_way)) != NULL)
        fail(container_of(node, struct reach_ask, node), HTTP_CANCELLED, "it was given up");
    free(r);
    *reach = NULL;
}
