/* auth.c: the engine's AUTH, proven by accounts.
 *
 * An answer that must wait (accounts/throttle.h) waits here, whether it is yes or no: one
 * that came sooner would tell which. HOSTILE 29, 33, 34.
 */
#include "session/session_private.h"

static const struct smtp_reply refused = {
    .code = 535, .status = { 5, 7, 8 },
    .text = SLICE_INIT("Authentication credentials invalid"),
};
static const struct smtp_reply malformed = {
    .code = 501, .status = { 5, 5, 2 },
    .text = SLICE_INIT("That is no message of this mechanism"),
};
static const struct smtp_reply fault = {
    .code = 454, .status = { 4, 7, 0 },
    .text = SLICE_INIT("Temporary authentication failure"),
};
static const struct smtp_reply unknown = {
    .code = 504, .status = { 5, 5, 4 },
    .text = SLICE_INIT("Authentication mechanism not supported"),
};

enum { ACCOUNT_MAX = 4 * 512 };

/* What binds the exchange to the TLS session, or nothing. */
static struct slice binding_of(const struct session *s, char out[TLS_BINDING_BYTES])
{
    bool bound = s->stream != NULL && stream_tls(s->stream) != NULL &&
                 tls_binding(stream_tls(s->stream), out);
    return slice_make(out, bound ? TLS_BINDING_BYTES : 0);
}

/* The addresses of the client's certificate, in the thread's scratch: until the next gate
 * is asked. */
static struct slice certified(struct session *s)
{
    struct buffer *out = &s->host->scratch;
    buffer_clear(out);
    if (s->stream != NULL && stream_tls(s->stream) != NULL)
        tls_client_addresses(stream_tls(s->stream), out);
    return out->overflow ? slice_make(NULL, 0) : buffer_slice(out);
}

void session_offer_auth(struct session *s)
{
    const struct config_listener *l = s->profile->listener;
    const struct session_host_options *o = &s->host->options;
    char bytes[TLS_BINDING_BYTES];
    bool secured = smtp_server_is_secured(s->engine);
    struct smtp_server_auth auth = {
        .after_tls = s->profile->tls != NULL,
        .is_required = l->auth == CONFIG_AUTH_REQUIRED && !s->trusted,
    };
    if (o->sasl == NULL || l->auth == CONFIG_AUTH_NONE)
        return;
    if (secured || l->auth_in_clear)
        auth.mechanisms = sasl_mechanisms(o->sasl, session_config(s),
                                          binding_of(s, bytes).len > 0,
                                          certified(s).len > 0);
    smtp_server_offer_auth(s->engine, &auth);
}

bool session_take_account(struct session *s, struct slice account)
{
    buffer_free(&s->account);
    buffer_init(&s->account, ACCOUNT_MAX);
    buffer_append(&s->account, account);
    return !s->account.overflow;
}

static void tell(struct session *s, enum mail_event_kind kind, struct slice account)
{
    struct mail_event event;
    char bytes[NET_ADDRESS_TEXT_MAX];
    struct buffer peer = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    if (s->host->options.events == NULL)
        return;
    net_address_append(&peer, &s->client);
    event = (struct mail_event){
        .kind = kind, .at = session_now(s), .session_id = s->id,
        .peer = buffer_slice(&peer), .helo = smtp_server_helo(s->engine),
        .account = account, .text = slice_from_string(s->mechanism),
    };
    event_emit(s->host->options.events, &event);
}

static const struct smtp_reply *judged(struct session *s, struct slice account)
{
    struct session_judge *judge = s->host->options.judge;
    return judge == NULL ? NULL : judge->judge(judge, s->id, &s->client, account);
}

/* Says it, now that it may be said. */
static void answer(struct session *s)
{
    struct slice account = sasl_account(s->auth);
    enum sasl_result result = s->auth_result;
    const struct smtp_reply *reply = NULL;
    if (result == SASL_CHALLENGE) { /* that tells the client that it was right */
        s->auth_told = true;
        smtp_server_challenge(s->engine, sasl_challenge(s->auth));
        return;
    }
    switch (result) {
    case SASL_GRANTED:
        reply = judged(s, account);
        if (reply == NULL && !session_take_account(s, account))
            reply = &fault;
        break;
    case SASL_REFUSED:
        reply = &refused;
        break;
    case SASL_MALFORMED:
        reply = &malformed;
        break;
    case SASL_FAULT:
    case SASL_CHALLENGE:
    case SASL_WAITING:
        reply = &fault;
        break;
    }
    tell(s, reply == NULL ? MAIL_LOGIN : MAIL_LOGIN_FAILED, account);
    sasl_end(&s->auth);
    smtp_server_answer(s->engine, reply);
}

static void on_delay_over(struct timer *timer)
{
    struct session *s = container_of(timer, struct session, delay);
    s->wait = WAIT_INPUT;
    answer(s);
    session_go_on(s);
}

/* The exchange has ended, or its next challenge tells how it will. False: the answer comes
 * later. */
static bool settle(struct session *s, enum sasl_result result)
{
    struct throttle *throttle = s->host->options.throttle;
    struct throttle_try this = {
        .client = &s->client, .account = sasl_account(s->auth),
        .rules = &session_config(s)->login, .now = session_now(s),
    };
    int64_t delay = 0;
    s->auth_result = result;
    if (result == SASL_REFUSED ||
        ((result == SASL_GRANTED || result == SASL_CHALLENGE) && !s->auth_told))
        delay = throttle_delay_ms(throttle, &this);
    if (result == SASL_REFUSED)
        throttle_failed(throttle, &this);
    if (result == SASL_GRANTED)
        throttle_succeeded(throttle, &this);
    if (delay == 0) {
        s->wait = WAIT_INPUT;
        answer(s);
        return true;
    }
    s->wait = WAIT_DELAY;
    timer_init(&s->delay, s->host->options.loop, on_delay_over);
    timer_set(&s->delay, delay);
    return false;
}

static void on_answered(void *context, enum sasl_result result)
{
    struct session *s = context;
    if (settle(s, result))
        session_go_on(s);
}

static bool begin(struct session *s, struct slice mechanism)
{
    char bytes[TLS_BINDING_BYTES];
    struct sasl_peer peer = {
        .config = session_config(s), .binding = binding_of(s, bytes),
        .certified = certified(s),
        .client = &s->client, .is_secured = smtp_server_is_secured(s->engine),
        .loop = s->host->options.loop, .answered = on_answered, .context = s,
    };
    struct slice name = slice_part(mechanism, 0, sizeof s->mechanism - 1);
    sasl_end(&s->auth);
    s->auth_told = false;
    s->auth = sasl_begin(s->host->options.sasl, mechanism, &peer);
    if (s->auth == NULL)
        return false;
    memcpy(s->mechanism, name.data, name.len);
    s->mechanism[name.len] = '\0';
    return true;
}

bool session_ask_auth(struct session *s, const struct smtp_question *q)
{
    struct slice response = q->response;
    if (q->text.len > 0 && !begin(s, q->text)) {
        smtp_server_answer(s->engine, &unknown);
        return true;
    }
    enum sasl_result result = sasl_step(s->auth, q->has_response ? &response : NULL);
    switch (result) {
    case SASL_CHALLENGE:
        if (sasl_is_proven(s->auth))
            break;
        smtp_server_challenge(s->engine, sasl_challenge(s->auth));
        return true;
    case SASL_WAITING:
        s->wait = WAIT_AUTH;
        return false;
    case SASL_GRANTED:
    case SASL_REFUSED:
    case SASL_MALFORMED:
    case SASL_FAULT:
        break;
    }
    return settle(s, result);
}
