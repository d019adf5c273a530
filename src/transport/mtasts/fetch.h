/* fetch.h: one policy, from the policy host of a domain (RFC 8461 3.3).
 *
 * Floor-internal, for mtasts.c. Runs on the thread that asked; the resolver and the HTTP
 * client only bring answers.
 */
#ifndef GODWIT_TRANSPORT_MTASTS_FETCH_H
#define GODWIT_TRANSPORT_MTASTS_FETCH_H

#include "dns/dns.h"
#include "http/http.h"
#include "transport/mtasts/policy.h"

struct fetch {
    struct home *home;
    void (*done)(struct fetch *fetch);
    struct slice domain;           /* lives until done() */
    /* the answer: a reference, or NULL and why */
    struct mtasts_policy *policy;
    char trouble[HTTP_TROUBLE_MAX];
    const char *result;            /* the same in the words of RFC 8460 4.3.2.2; static */
    /* For the fetch alone. */
    struct dns *dns;
    struct http *http;
    struct buffer host;
    struct buffer url;
    struct dns_query v4;
    struct dns_query v6;
    unsigned waiting;
    size_t addresses_count;
    struct net_address addresses[HTTP_ADDRESSES_MAX];
    struct http_request request;
};

/* done() follows exactly once, never from inside this call. */
void fetch_begin(struct fetch *fetch, struct dns *dns, struct http *http);

/* Frees what it holds but for the policy, when resolver and client are closed and will not
 * answer any more; harmless when done. */
void fetch_clear(struct fetch *fetch);

#endif
