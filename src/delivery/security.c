/* security.c: the policy of one connection, its handshake, and who we say we are.
 *
 * The names that a certificate may have: of a hop that the operator named, that name. Of
 * mail hosts, those that nobody on the way could have chosen: the domain itself and what
 * lies below it, and the host's name where the DNS or the domain's policy has vouched for
 * it; who does not insist is told about the host's name. RFC 3207 4.1, RFC 7435 3, RFC 7672
 * 3.2.2, RFC 8314 3.3, RFC 8461 4.2, RFC 4954 4.
 */
#include "delivery/security.h"

#include "base/must.h"
#include "crypto/sasl_client.h"

#include <assert.h>

static_assert((int)SMTP_AUTH_SCRAM_SHA_256 == (int)SASL_SCRAM_SHA_256 &&
                  (int)SMTP_AUTH_SCRAM_SHA_1 == (int)SASL_SCRAM_SHA_1 &&
                  (int)SMTP_AUTH_PLAIN == (int)SASL_PLAIN &&
                  (int)SMTP_AUTH_LOGIN == (int)SASL_LOGIN &&
                  (int)SMTP_AUTH_OAUTHBEARER == (int)SASL_OAUTHBEARER &&
                  (int)SMTP_AUTH_XOAUTH2 == (int)SASL_XOAUTH2,
              "what is offered and what can be done are the same bits");

static size_t copy(char *into, size_t max, struct slice text)
{
    size_t len = text.len <= max ? text.len : 0;
    if (len > 0)
        memcpy(into, text.data, len);
    return len;
}

/* "mx.example.com:25"; an address is its own. */
static void set_place(struct security *s, const struct security_peer *peer)
{
    struct buffer text = { .memory = s->place, .capacity = sizeof s->place,
                           .max = sizeof s->place };
    if (peer->host.len > 0) {
        buffer_append(&text, peer->host);
        buffer_append_format(&text, ":%u", net_address_port(peer->address));
    } else {
        net_address_append(&text, peer->address);
    }
    s->place_len = text.overflow ? 0 : buffer_len(&text);
}

static void set_host(struct security *s, const struct security_peer *peer)
{
    struct buffer text = { .memory = s->host, .capacity = sizeof s->host,
                           .max = sizeof s->host };
    if (peer->host.len > 0)
        buffer_append(&text, peer->host);
    else if (peer->address->any.sa_family != AF_UNIX)
        net_host_append(&text, peer->address);
    s->host_len = text.overflow ? 0 : buffer_len(&text);
    s->domain[0] = '.';
    s->domain_len = copy(s->domain + 1, sizeof s->domain - 1, peer->domain);
}

static void add_name(struct transport_policy *policy, struct slice name)
{
    for (size_t i = 0; i < policy->names_count; i++)
        if (slice_equal_nocase(policy->names[i], name))
            return;
    if (name.len > 0)
        policy->names[policy->names_count++] = name;
}

static bool is_by_dane(const struct security *s)
{
    return s->dane != NULL && s->dane->kind == DANE_USABLE;
}

/* The base domain, then the next hop as it was named and as the DNS expanded that (RFC 7672
 * 3.2.2). */
static void set_dane_names(struct security *s, const struct security_peer *peer)
{
    bool is_mx = s->route->way == DELIVERY_MX;
    if (is_mx && peer->hosts != NULL)
        s->expanded = peer->hosts->domain;
    add_name(&s->policy, dns_name_slice(&s->dane->base));
    add_name(&s->policy, is_mx ? slice_make(s->domain + 1, s->domain_len)
                               : slice_make(s->host, s->host_len));
    add_name(&s->policy, dns_name_slice(&s->expanded));
}

static void set_names(struct security *s, const struct security_peer *peer)
{
    struct transport_policy *p = &s->policy;
    struct slice host = slice_make(s->host, s->host_len);
    p->names_count = 0;
    if (is_by_dane(s)) {
        set_dane_names(s, peer);
        return;
    }
    if (s->route->security.name.len > 0) {
        add_name(p, s->route->security.name);
        return;
    }
    bool is_secure = (peer->hosts != NULL && peer->hosts->secure) ||
                     s->promise.kind == TRANSPORT_STS;
    bool chosen_by_dns = s->route->way == DELIVERY_MX && !is_secure;
    if (chosen_by_dns && s->route->security.level == TRANSPORT_VERIFIED) {
        add_name(p, slice_make(s->domain + 1, s->domain_len));
        add_name(p, slice_make(s->domain, s->domain_len == 0 ? 0 : s->domain_len + 1));
        return;
    }
    add_name(p, host);
}

/* What the host has shown before, where less is to be refused. */
static void raise_level(struct security *s)
{
    struct delivery *d = s->thread->delivery;
    if (!atomic_load(&d->heeds_shown) || s->policy.level != TRANSPORT_OPPORTUNISTIC)
        return;
    enum transport_level before =
        shown_find(d->shown, slice_make(s->place, s->place_len),
                   loop_now(s->thread->loop).wall_ms);
    if (before <= TRANSPORT_OPPORTUNISTIC)
        return;
    s->policy.level = before;
    s->policy.why = "what the host has shown before";
    s->facts.before = before; /* until it has shown as much again */
}

/* RFC 8460 4.3.1 */
static enum transport_failure failure_of(const struct tls_session *session)
{
    switch (tls_peer_fault(session)) {
    case TLS_FAULT_NONE:
        return TRANSPORT_NO_FAILURE;
    case TLS_FAULT_NAME:
        return TRANSPORT_CERTIFICATE_HOST_MISMATCH;
    case TLS_FAULT_DATE:
        return TRANSPORT_CERTIFICATE_EXPIRED;
    case TLS_FAULT_ISSUER:
        return TRANSPORT_CERTIFICATE_NOT_TRUSTED;
    case TLS_FAULT_NOT_SEEN:
        break;
    }
    return TRANSPORT_VALIDATION_FAILURE;
}

/* What is promised is counted where it is not kept; without a promise there is nothing to
 * be kept but TLS itself. */
static void note_failure(struct security *s, enum transport_failure failure)
{
    if (s->promise.kind == TRANSPORT_DANE_UNUSABLE)
        s->facts.failure = TRANSPORT_TLSA_INVALID;
    else if (failure == TRANSPORT_NO_FAILURE && s->promise.doubt != NULL)
        s->facts.failure = TRANSPORT_VALIDATION_FAILURE;
    else if (s->promise.kind != TRANSPORT_NO_PROMISE ||
             failure == TRANSPORT_STARTTLS_NOT_SUPPORTED)
        s->facts.failure = failure;
}

void security_missed(struct security *s)
{
    note_failure(s, TRANSPORT_STARTTLS_NOT_SUPPORTED);
}

/* The strictest holds. */
static void take_promise(struct security *s, const struct security_peer *peer)
{
    s->promise = peer->promise;
    s->facts.promise = s->promise.kind;
    if (peer->dane != NULL && s->promise.kind == TRANSPORT_DANE)
        s->dane = dane_hold(peer->dane);
    if (peer->policy != NULL)
        s->sts = mtasts_policy_hold(peer->policy);
    s->told = peer->clear_because != NULL; /* of this host, just now */
    promise_raise(&s->promise, &s->policy.level, &s->policy.why);
}

bool security_keeps(const struct security *s, const struct mtasts_policy *policy)
{
    if (policy == NULL || mtasts_policy_mode(policy) != MTASTS_ENFORCE)
        return true;
    return s->promise.kind == TRANSPORT_DANE ||
           (s->promise.kind == TRANSPORT_STS &&
            mtasts_policy_has(policy, slice_make(s->host, s->host_len)));
}

void security_plan(struct security *s, struct delivery_thread *thread,
                   struct delivery_routes *routes, const struct delivery_route *route,
                   const struct security_peer *peer)
{
    s->thread = thread;
    s->routes = delivery_routes_hold(routes);
    s->route = route;
    s->policy = (struct transport_policy){
        .level = route->security.level, .is_implicit = route->security.is_implicit,
        .why = "the route",
    };
    set_place(s, peer);
    set_host(s, peer);
    take_promise(s, peer);
    set_names(s, peer);
    s->is_vouched = route->way != DELIVERY_MX || s->promise.kind == TRANSPORT_STS ||
                    s->promise.kind == TRANSPORT_DANE ||
                    (peer->hosts != NULL && peer->hosts->secure) ||
                    route->security.level == TRANSPORT_VERIFIED;
    raise_level(s);
    s->facts.wanted = s->policy.level;
    s->facts.why = s->policy.why;
    s->facts.had = TRANSPORT_CLEAR;
    if (peer->clear_because != NULL && s->policy.level == TRANSPORT_OPPORTUNISTIC) {
        s->facts.trouble = peer->clear_because;
        note_failure(s, TRANSPORT_VALIDATION_FAILURE);
        s->policy.level = TRANSPORT_CLEAR;
    }
}

void security_free(struct security *s)
{
    sasl_client_close(&s->sasl);
    dane_drop(&s->dane);
    mtasts_policy_drop(&s->sts);
    delivery_routes_drop(&s->routes);
}

const char *security_begin(struct security *s, struct stream *stream)
{
    struct net_address address;
    struct slice host = is_by_dane(s) ? dns_name_slice(&s->dane->base)
                                      : slice_make(s->host, s->host_len);
    bool is_address = host.len == 0 || net_host_parse(host, 0, &address);
    struct tls_expected expected = {
        .server_name = is_address ? slice_make(NULL, 0) : host,
        .names = s->policy.names, .names_count = s->policy.names_count,
        .insists = s->policy.level == TRANSPORT_VERIFIED,
        .associations = is_by_dane(s) ? s->dane->associations : NULL,
        .associations_count = is_by_dane(s) ? s->dane->associations_count : 0,
        .sessions = s->thread->sessions,
        .place = slice_make(s->place, s->place_len),
    };
    if (stream_queued(stream) > 0)
        return "the other side answered before it was asked";
    enum err error = stream_secure_to(stream, s->route->security.tls, &expected);
    s->may_fall_back = error == ERR_OK || error == ERR_INVALID;
    if (error == ERR_OK)
        return NULL;
    s->failure = error == ERR_INVALID ? "the name of the host cannot be asked for"
                                      : "there is no memory for it";
    s->facts.trouble = s->failure;
    return s->failure;
}

void security_done(struct security *s, const struct stream *stream)
{
    struct tls_facts facts;
    const struct tls_session *session = stream_tls(stream);
    tls_describe(session, &facts);
    s->facts.version = facts.version;
    s->facts.cipher = facts.cipher;
    s->facts.is_resumed = facts.resumed;
    s->facts.trouble = tls_peer_trouble(session);
    s->facts.had = s->facts.trouble == NULL ? TRANSPORT_VERIFIED : TRANSPORT_REQUIRED;
    if (s->facts.trouble == NULL)
        s->facts.trouble = s->promise.doubt;
    note_failure(s, failure_of(session));
}

const char *security_failed(struct security *s, const struct stream *stream)
{
    const char *kind = stream == NULL ? "the handshake took too long"
                                      : tls_failure_kind(stream_tls(stream));
    s->failure = kind != NULL ? kind : "the connection broke in the handshake";
    /* HOSTILE 114: what was sent in clear in its place may be anybody's. */
    if (stream != NULL && tls_peer_speaks_other(stream_tls(stream)))
        s->may_fall_back = false;
    s->facts.trouble = s->failure;
    enum transport_failure failure =
        stream == NULL ? TRANSPORT_NO_FAILURE : failure_of(stream_tls(stream));
    note_failure(s, failure != TRANSPORT_NO_FAILURE ? failure : TRANSPORT_VALIDATION_FAILURE);
    return s->failure;
}

const char *security_fall_back(const struct security *s, const struct smtp_client *client)
{
    if (s->policy.level != TRANSPORT_OPPORTUNISTIC || s->policy.is_implicit)
        return NULL;
    if (client != NULL && smtp_client_was_refused_tls(client))
        return "STARTTLS was offered and then refused";
    return s->failure != NULL && s->may_fall_back ? s->failure : NULL;
}

const char *security_lacks(const struct security *s)
{
    if (s->facts.had == TRANSPORT_CLEAR)
        return "TLS is required by the sender (REQUIRETLS), and cannot be had";
    if (s->facts.had != TRANSPORT_VERIFIED)
        return "TLS is required by the sender (REQUIRETLS), and the certificate is not good";
    return s->is_vouched ? NULL : "TLS is required by the sender (REQUIRETLS), and neither "
                                  "DNSSEC nor MTA-STS vouches for the host";
}

static void keep(struct security *s, int64_t wall_ms)
{
    char bytes[64];
    struct buffer text = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    struct delivery_keeper *keeper = s->thread->delivery->options.keeper;
    shown_describe(s->facts.had, wall_ms, &text);
    if (keeper != NULL)
        keeper->keep(keeper, slice_make(s->place, s->place_len), buffer_slice(&text));
}

/* TLS, or less of it than the host has shown before. */
void security_judge(struct security *s)
{
    struct delivery *d = s->thread->delivery;
    struct slice place = slice_make(s->place, s->place_len);
    int64_t now = loop_now(s->thread->loop).wall_ms;
    if (s->judged)
        return;
    s->judged = true;
    s->facts.is_authenticated = s->route->auth.secret.len > 0;
    sasl_client_close(&s->sasl);
    if (s->facts.wanted <= TRANSPORT_CLEAR || place.len == 0)
        return;
    if (s->facts.had == TRANSPORT_CLEAR && s->facts.trouble == NULL) {
        s->facts.trouble = "STARTTLS was not offered";
        security_missed(s);
    }
    enum transport_level before = shown_find(d->shown, place, now);
    s->facts.before = before > s->facts.had ? before : TRANSPORT_UNSAID;
    if (s->facts.had >= TRANSPORT_REQUIRED &&
        shown_note(d->shown, place, s->facts.had, now))
        keep(s, now);
}

static void tell(struct delivery_thread *thread, struct mtasts_policy *policy,
                 struct delivery_tls_session *session)
{
    enum { POLICY_TEXT_MAX = 64 * 1024 };
    struct delivery_tls_watcher *watcher = thread->delivery->options.tls_watcher;
    struct buffer text;
    if (watcher == NULL || session->domain.len == 0)
        return;
    buffer_init(&text, POLICY_TEXT_MAX);
    if (policy != NULL)
        mtasts_policy_write(policy, &text);
    session->policy = buffer_slice(&text);
    session->wall_ms = loop_now(thread->loop).wall_ms;
    watcher->session(watcher, session);
    buffer_free(&text);
}

void security_tell(struct security *s, const struct net_address *address,
                   const struct outcome *failure)
{
    bool is_missed = failure != NULL && failure->status.subject == 7 &&
                     failure->status.detail == 4; /* it cannot be had: RFC 3463 */
    struct delivery_tls_session session = {
        .domain = s->domain_len == 0 ? slice_make(NULL, 0)
                                     : slice_make(s->domain + 1, s->domain_len),
        .host = slice_make(s->host, s->host_len), .address = address, .facts = &s->facts,
        .dane = s->dane,
    };
    if (s->told || s->facts.wanted <= TRANSPORT_CLEAR)
        return;
    if (is_missed)
        note_failure(s, TRANSPORT_STARTTLS_NOT_SUPPORTED);
    if (!s->judged && s->facts.failure == TRANSPORT_NO_FAILURE)
        return; /* it never came to that */
    s->told = true;
    tell(s->thread, s->sts, &session);
}

void security_tell_refusal(struct delivery_thread *thread, const struct security_peer *peer,
                           const struct transport_facts *facts)
{
    struct delivery_tls_session session = {
        .domain = peer->domain, .host = peer->host, .facts = facts, .dane = peer->dane,
    };
    tell(thread, peer->policy, &session);
}

/* ---- who we are ---- */

static const char *auth_begin(struct smtp_client_auth *auth, uint32_t offered,
                              const char **out_mechanism, struct buffer *out_first,
                              bool *out_says)
{
    struct security *s = container_of(auth, struct security, auth);
    const struct delivery_auth *a = &s->route->auth;
    if (s->facts.had < a->over)
        return a->over == TRANSPORT_VERIFIED
                   ? "the password is not said: the other side's certificate is not good"
                   : "the password is not said in clear";
    sasl_client_close(&s->sasl);
    enum err error =
        sasl_client_open(a->user, a->secret, offered & a->mechanisms, &s->sasl);
    if (error == ERR_ABSENT)
        return "the other side offers no way to authenticate that may be used";
    if (error != ERR_OK)
        return "the user's name and password cannot be said";
    *out_mechanism = sasl_client_mechanism(s->sasl);
    *out_says = sasl_client_begin(s->sasl, out_first);
    return NULL;
}

static bool auth_answer(struct smtp_client_auth *auth, struct slice challenge,
                        struct buffer *out)
{
    struct security *s = container_of(auth, struct security, auth);
    return s->sasl != NULL && sasl_client_answer(s->sasl, challenge, out);
}

static bool auth_is_done(struct smtp_client_auth *auth)
{
    struct security *s = container_of(auth, struct security, auth);
    return s->sasl != NULL && sasl_client_is_done(s->sasl);
}

void security_options(struct security *s, struct smtp_client_options *out)
{
    static const enum smtp_client_tls ways[] = {
        [TRANSPORT_UNSAID] = SMTP_CLIENT_TLS_NEVER,
        [TRANSPORT_CLEAR] = SMTP_CLIENT_TLS_NEVER,
        [TRANSPORT_OPPORTUNISTIC] = SMTP_CLIENT_TLS_IF_OFFERED,
        [TRANSPORT_REQUIRED] = SMTP_CLIENT_TLS_REQUIRED,
        [TRANSPORT_VERIFIED] = SMTP_CLIENT_TLS_REQUIRED,
    };
    out->tls = ways[s->policy.level];
    out->is_secured = s->policy.is_implicit;
    s->auth = (struct smtp_client_auth){ auth_begin, auth_answer, auth_is_done };
    if (s->route->auth.secret.len > 0)
        out->auth = &s->auth;
}
