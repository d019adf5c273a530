/* fetch.c: the addresses of "mta-sts.DOMAIN", the request to one of them, and whether what
 * came is a policy: status 200, text/plain, within size and time (RFC 8461 3.2, 3.3). */
#include "transport/mtasts/fetch.h"

#include "dns/lookup.h"

#include "base/must.h"

#include <stdio.h>

enum { FETCH_MS = 60 * 1000, NAME_MAX_BYTES = DNS_NAME_MAX + 16, URL_MAX_BYTES = 400 };

static void end(struct fetch *f, const char *why)
{
    if (why != NULL)
        snprintf(f->trouble, sizeof f->trouble, "%s", why);
    fetch_clear(f);
    f->done(f);
}

/* media-type = type "/" subtype *( OWS ";" OWS parameter ) */
static bool is_plain_text(struct slice type)
{
    struct slice name = slice_trim(slice_part(type, 0, slice_find(type, ';')));
    return slice_equal_nocase(name, SLICE("text/plain"));
}

static const char *judge(struct fetch *f)
{
    const struct http_request *r = &f->request;
    if (r->result == HTTP_UNTRUSTED)
        f->result = "sts-webpki-invalid";
    if (r->result != HTTP_ANSWERED)
        return r->trouble;
    if (r->status != 200) {
        bool is_elsewhere = r->status >= 300 && r->status < 400;
        snprintf(f->trouble, sizeof f->trouble, "the policy host answers with %u%s", r->status,
                 is_elsewhere ? ", which is not followed" : "");
        return f->trouble;
    }
    f->result = "sts-policy-invalid";
    if (!is_plain_text(buffer_slice(&r->type)))
        return "the policy is not text/plain";
    return mtasts_policy_read(buffer_slice(&r->answer), &f->policy);
}

static void on_answer(struct http_request *request)
{
    struct fetch *f = container_of(request, struct fetch, request);
    const char *why = judge(f);
    end(f, why == f->trouble ? NULL : why);
}

static void on_address(struct dns_query *query)
{
    struct fetch *f = query->type == DNS_TYPE_A ? container_of(query, struct fetch, v4)
                                                : container_of(query, struct fetch, v6);
    if (--f->waiting > 0)
        return;
    bool fails = dns_is_temporary(f->v4.answer.kind) && dns_is_temporary(f->v6.answer.kind);
    f->addresses_count = dns_take_addresses(&f->v6.answer, f->addresses, HTTP_ADDRESSES_MAX);
    f->addresses_count += dns_take_addresses(&f->v4.answer, f->addresses + f->addresses_count,
                                             HTTP_ADDRESSES_MAX - f->addresses_count);
    if (f->addresses_count == 0) {
        end(f, fails ? "the addresses of the policy host cannot be looked up now"
                     : "the policy host has no address");
        return;
    }
    f->request = (struct http_request){
        .home = f->home, .done = on_answer, .url = buffer_slice(&f->url),
        .addresses = f->addresses, .addresses_count = f->addresses_count,
        .answer_max = MTASTS_POLICY_MAX, .timeout_ms = FETCH_MS,
    };
    http_ask(f->http, &f->request);
}

void fetch_begin(struct fetch *f, struct dns *dns, struct http *http)
{
    f->dns = dns;
    f->http = http;
    f->policy = NULL;
    f->result = "sts-policy-fetch-error";
    f->trouble[0] = '\0';
    f->addresses_count = 0;
    f->waiting = 2;
    buffer_init(&f->host, NAME_MAX_BYTES);
    buffer_init(&f->url, URL_MAX_BYTES);
    buffer_append_string(&f->host, "mta-sts.");
    buffer_append(&f->host, f->domain);
    buffer_append_string(&f->url, "https://mta-sts.");
    buffer_append(&f->url, f->domain);
    buffer_append_string(&f->url, "/.well-known/mta-sts.txt");
    f->v4 = (struct dns_query){ .home = f->home, .done = on_address,
                                .name = buffer_slice(&f->host), .type = DNS_TYPE_A };
    f->v6 = (struct dns_query){ .home = f->home, .done = on_address,
                                .name = buffer_slice(&f->host), .type = DNS_TYPE_AAAA };
    dns_query(dns, &f->v4);
    dns_query(dns, &f->v6);
}

void fetch_clear(struct fetch *f)
{
    dns_query_clear(&f->v4);
    dns_query_clear(&f->v6);
    http_request_clear(&f->request);
    buffer_free(&f->host);
    buffer_free(&f->url);
}
