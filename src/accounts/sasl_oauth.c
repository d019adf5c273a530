/* sasl_oauth.c: OAUTHBEARER (RFC 7628) and XOAUTH2: the token is shown to the authorization
 * server (RFC 7662), which says whose it is.
 *
 * The server's name is looked up with our own resolver, and one of its addresses asked. A
 * token that is none costs the client what a wrong password costs.
 */
#include "accounts/oauth.h"
#include "accounts/sasl_private.h"

#include "dns/lookup.h"
#include "wire/smtp/address.h"

#include <stdlib.h>

enum { PATIENCE_MS = 10 * 1000, BODY_MAX = 4 * OAUTH_TOKEN_MAX, FIELD_MAX = 32 * 1024 };

struct sasl_oauth {
    struct sasl_exchange *exchange;
    struct dns_query query;
    struct http_request request;
    struct net_address addresses[HTTP_ADDRESSES_MAX];
    size_t addresses_count;
    struct slice host;           /* in the configuration */
    struct slice fields[3];
    struct buffer client;        /* wiped, as the body */
    struct buffer body;
    struct buffer user;          /* whom the client named, or empty */
};

static void wipe(struct buffer *b)
{
    if (b->memory != NULL)
        explicit_bzero(b->memory, b->capacity);
    buffer_free(b);
}

void sasl_oauth_free(struct sasl_oauth **oauth)
{
    struct sasl_oauth *o = *oauth;
    *oauth = NULL;
    if (o == NULL)
        return;
    dns_query_clear(&o->query);
    http_request_clear(&o->request);
    wipe(&o->client);
    wipe(&o->body);
    buffer_free(&o->user);
    free(o);
}

/* ---- the answer ---- */

static bool is_whom_it_says(struct sasl_exchange *x, struct slice user)
{
    struct buffer named;
    const struct config_user *other;
    if (login_find(x->config, user, &x->account, &x->user) != ERR_OK || x->user == NULL)
        return false;
    struct slice wanted = buffer_slice(&x->oauth->user);
    if (wanted.len == 0)
        return true;
    buffer_init(&named, 4 * LOGIN_NAME_MAX);
    bool same = login_find(x->config, wanted, &named, &other) == ERR_OK &&
                slice_equal(buffer_slice(&named), buffer_slice(&x->account));
    buffer_free(&named);
    return same;
}

/* RFC 7628 3.2.2; the next message of the client, whatever it is, ends it. */
static enum sasl_result refuse(struct sasl_exchange *x)
{
    buffer_append(&x->challenge, SLICE("{\"status\":\"invalid_token\"}"));
    return SASL_CHALLENGE;
}

static enum sasl_result judge(struct sasl_exchange *x)
{
    const struct config_login *c = &x->config->login;
    const struct http_request *r = &x->oauth->request;
    struct buffer user;
    enum sasl_result result = SASL_FAULT;
    if (r->result != HTTP_ANSWERED || r->status != 200)
        return SASL_FAULT;
    buffer_init(&user, LOGIN_NAME_MAX);
    switch (oauth_read_answer(buffer_slice(&r->answer), c->introspect_scope,
                              loop_now(x->peer.loop).wall_ms / 1000, &user)) {
    case OAUTH_NO_ANSWER:
        break;
    case OAUTH_INACTIVE:
        result = refuse(x);
        break;
    case OAUTH_ACTIVE:
        result = !user.overflow && is_whom_it_says(x, buffer_slice(&user)) ? SASL_GRANTED
                                                                          : refuse(x);
        break;
    }
    buffer_free(&user);
    return result;
}

static void end(struct sasl_exchange *x, enum sasl_result result)
{
    sasl_stop_working(x);
    if (x->is_over) {
        sasl_exchange_free(x);
        return;
    }
    sasl_oauth_free(&x->oauth);
    x->peer.answered(x->peer.context, result);
}

static void on_answer(struct http_request *request)
{
    struct sasl_exchange *x = container_of(request, struct sasl_oauth, request)->exchange;
    end(x, x->is_over ? SASL_FAULT : judge(x));
}

/* ---- the question ---- */

static void ask_server(struct sasl_exchange *x)
{
    struct sasl_oauth *o = x->oauth;
    o->request = (struct http_request){
        .home = loop_home(x->peer.loop), .done = on_answer,
        .url = x->config->login.introspect, .addresses = o->addresses,
        .addresses_count = o->addresses_count, .fields = o->fields, .fields_count = 3,
        .body = buffer_slice(&o->body), .answer_max = OAUTH_ANSWER_MAX,
        .timeout_ms = PATIENCE_MS, .is_of_operator = true,
    };
    http_ask(x->sasl->http, &o->request);
}

static void on_addresses(struct dns_query *query);

static void ask_dns(struct sasl_exchange *x, uint16_t type)
{
    x->oauth->query = (struct dns_query){ .home = loop_home(x->peer.loop), .type = type,
                                          .done = on_addresses, .name = x->oauth->host };
    dns_query(x->sasl->dns, &x->oauth->query);
}

static void on_addresses(struct dns_query *query)
{
    struct sasl_oauth *o = container_of(query, struct sasl_oauth, query);
    bool was_v6 = query->type == DNS_TYPE_AAAA;
    o->addresses_count += dns_take_addresses(&query->answer, o->addresses + o->addresses_count,
                                             HTTP_ADDRESSES_MAX - o->addresses_count);
    dns_query_clear(query);
    if (o->exchange->is_over)
        end(o->exchange, SASL_FAULT);
    else if (!was_v6)
        ask_dns(o->exchange, DNS_TYPE_AAAA);
    else
        ask_server(o->exchange);
}

/* https-URL = "https://" host [ ":" port ] [ "/" ... ], which the configuration has seen to */
static struct slice host_of(struct slice url)
{
    struct slice rest = slice_from(url, sizeof "https://" - 1);
    rest = slice_part(rest, 0, slice_find(rest, '/'));
    if (rest.len > 0 && rest.data[0] == '[')
        return slice_part(rest, 0, slice_find(rest, ']') + 1);
    return slice_part(rest, 0, slice_find(rest, ':'));
}

static bool prepare(struct sasl_exchange *x, const struct oauth_said *said)
{
    struct sasl_oauth *o = calloc(1, sizeof *o);
    struct sasl *s = x->sasl;
    if (o == NULL)
        return false;
    x->oauth = o;
    o->exchange = x;
    o->host = host_of(x->config->login.introspect);
    buffer_init(&o->client, FIELD_MAX);
    buffer_init(&o->body, BODY_MAX);
    buffer_init(&o->user, LOGIN_NAME_MAX);
    buffer_append(&o->user, said->user);
    buffer_reserve(&o->body, BODY_MAX); /* once: no copy stays behind */
    oauth_append_question(said->token, &o->body);
    pthread_mutex_lock(&s->mutex);
    oauth_append_client(x->config->login.introspect_client, buffer_slice(&s->introspect_secret),
                        &o->client);
    pthread_mutex_unlock(&s->mutex);
    o->fields[0] = buffer_slice(&o->client);
    o->fields[1] = SLICE("Content-Type: application/x-www-form-urlencoded");
    o->fields[2] = SLICE("Accept: application/json");
    return !o->client.overflow && !o->body.overflow && !o->user.overflow;
}

static enum sasl_result ask(struct sasl_exchange *x, const struct oauth_said *said)
{
    buffer_clear(&x->account);
    buffer_append(&x->account, slice_part(said->user, 0, LOGIN_NAME_MAX));
    if (x->config->accepts_any_login)
        return SASL_GRANTED;
    if (x->sasl->http == NULL || !prepare(x, said) || !sasl_start_working(x)) {
        sasl_oauth_free(&x->oauth);
        return SASL_FAULT;
    }
    struct sasl_oauth *o = x->oauth;
    if (net_host_parse(o->host, 443, &o->addresses[0])) {
        o->addresses_count = 1;
        ask_server(x);
    } else {
        ask_dns(x, DNS_TYPE_A);
    }
    return SASL_WAITING;
}

static enum sasl_result step(struct sasl_exchange *x, const struct slice *message,
                             bool (*read)(struct slice, struct oauth_said *))
{
    struct oauth_said said;
    if (x->is_refused)
        return SASL_REFUSED; /* the client has read why */
    if (message == NULL)
        return x->steps == 0 ? SASL_CHALLENGE : SASL_MALFORMED; /* an empty one */
    if (!read(*message, &said))
        return SASL_MALFORMED;
    x->is_refused = true; /* unless it is granted, this was all */
    return ask(x, &said);
}

enum sasl_result sasl_oauthbearer_step(struct sasl_exchange *x, const struct slice *message)
{
    return step(x, message, oauth_read_bearer);
}

enum sasl_result sasl_xoauth2_step(struct sasl_exchange *x, const struct slice *message)
{
    return step(x, message, oauth_read_xoauth2);
}
