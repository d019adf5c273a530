/* open.c: from accept to greeting: PROXY, limits, early talkers, the connect gates.
 *
 * HOSTILE 43, 44, 46.
 */
#include "session/session_private.h"

#include "net/proxy.h"

#include <sys/ioctl.h>

static const struct smtp_reply too_many = {
    .code = 421, .status = { 4, 7, 0 },
    .text = SLICE_INIT("Too many connections from your address"),
};

void session_trust(struct session *s)
{
    const struct config *c = session_config(s);
    s->trusted = networks_have(c->relay_clients, c->relay_clients_count, &s->client);
    if (s->engine != NULL)
        smtp_server_trust(s->engine,
                          networks_have(c->xclient_from, c->xclient_from_count, &s->peer));
}

static bool talks_early(const struct session *s)
{
    int waiting = 0;
    if (s->trusted || s->proxy_wanted || !session_config(s)->refuse_early_talkers ||
        s->profile->listener->role != CONFIG_ROLE_RELAY)
        return false;
    return ioctl(stream_descriptor(s->stream), FIONREAD, &waiting) == 0 && waiting > 0;
}

/* Says why and goes. */
static void refuse(struct session *s, const struct smtp_reply *reply)
{
    smtp_server_greet(s->engine, reply);
    session_go_on(s);
}

static void greet(struct session *s)
{
    static const struct smtp_reply early = {
        .code = 554, .status = { 5, 5, 1 },
        .text = SLICE_INIT("You spoke before the greeting"),
    };
    const struct config *c = session_config(s);
    s->engine = smtp_server_new(&s->profile->engine, &s->host->out);
    if (s->engine == NULL) {
        session_lost(s);
        return;
    }
    session_trust(s);
    session_emit(s, MAIL_SESSION_OPENED, (struct mail_id){ 0 }, NULL);
    if (!s->trusted) {
        s->counted = limiter_enter(s->host->options.limiter, &s->client,
                                   c->limits.connections_per_client);
        if (!s->counted) {
            refuse(s, &too_many);
            return;
        }
    }
    if (talks_early(s)) {
        refuse(s, &early);
        return;
    }
    session_ask_gates(s, GATE_CONNECT, slice_make(NULL, 0));
}

void session_begin(struct session *s)
{
    const struct config *c = session_config(s);
    s->proxy_wanted = s->profile->listener->proxy &&
                      networks_have(c->proxy_from, c->proxy_from_count, &s->peer);
    s->reading = true;
    stream_reading(s->stream, true);
    session_deadline(s, true);
    s->counted_in_all = limiter_enter_all(s->host->options.limiter, c->limits.connections);
    if (!s->counted_in_all) {
        stream_write(s->stream, SLICE("421 4.3.2 Too many connections, try later\r\n"));
        stream_finish(&s->stream);
        session_over(s);
    } else if (!s->proxy_wanted) {
        greet(s);
    }
}

bool session_take_proxy(struct session *s, struct slice *input)
{
    struct proxy_header header;
    switch (proxy_parse(*input, &header)) {
    case PROXY_MORE:
        return false;
    case PROXY_DONE:
        *input = slice_from(*input, header.len);
        if (header.has_client)
            s->client = header.client;
        s->proxy_wanted = false;
        greet(s);
        return !s->over;
    case PROXY_INVALID:
        break;
    }
    session_lost(s);
    return false;
}
