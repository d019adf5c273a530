/* open.c: from accept to greeting: PROXY, limits, early talkers, the connect gates.
 *
 * HOSTILE 43, 44, 46.
 */
#include "session/session_private.h"

#include "net/proxy.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

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
    if (s->trusted || stream_tls(s->stream) != NULL ||
        !session_config(s)->refuse_early_talkers ||
        s->profile->listener->role != CONFIG_ROLE_RELAY)
        return false;
    return ioctl(stream_descriptor(s->stream), FIONREAD, &waiting) == 0 && waiting > 0;
}

bool session_enter(struct session *s)
{
    session_trust(s);
    s->counted = !s->trusted &&
                 limiter_enter(s->host->options.limiter, &s->client,
                               session_config(s)->limits.connections_per_client);
    return s->trusted || s->counted;
}

/* Says why and goes. */
static void refuse(struct session *s, const struct smtp_reply *reply)
{
    smtp_server_greet(s->engine, reply);
    session_go_on(s);
}

void session_greet(struct session *s)
{
    static const struct smtp_reply early = {
        .code = 554, .status = { 5, 5, 1 },
        .text = SLICE_INIT("You spoke before the greeting"),
    };
    s->engine = smtp_server_new(&s->profile->engine, &s->host->out);
    if (s->engine == NULL) {
        session_lost(s);
        return;
    }
    if (stream_tls(s->stream) != NULL)
        smtp_server_secured(s->engine);
    session_trust(s);
    session_emit(s, MAIL_SESSION_OPENED, (struct mail_id){ 0 }, NULL);
    if (!s->counted && !session_enter(s)) {
        refuse(s, &too_many);
        return;
    }
    if (talks_early(s)) {
        refuse(s, &early);
        return;
    }
    session_offer_auth(s);
    session_ask_gates(s, GATE_CONNECT, slice_make(NULL, 0));
}

/* Greets, or shakes hands first: who never comes to the end of that counts as well, or one
 * client could take all connections. */
static void open_up(struct session *s)
{
    if (s->profile->tls == NULL || s->profile->listener->tls != CONFIG_TLS_IMPLICIT)
        session_greet(s);
    else if (session_enter(s))
        session_secure(s);
    else
        session_lost(s); /* nothing can be said in clear */
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
    session_look_for_stress(s->host);
    if (!s->counted_in_all) {
        stream_write(s->stream, SLICE("421 4.3.2 Too many connections, try later\r\n"));
        stream_finish(&s->stream);
        session_over(s);
    } else if (!s->proxy_wanted) {
        open_up(s);
    }
}

/* Nothing behind the header may be taken out of the socket: it is the client's
 * handshake. So it is looked at first, and only what belongs to the header is read. */
void session_read_proxy(struct session *s)
{
    struct proxy_header header;
    char bytes[PROXY_HEADER_MAX];
    size_t kept = buffer_len(&s->input);
    ssize_t seen = recv(stream_descriptor(s->stream), bytes, sizeof bytes - kept, MSG_PEEK);
    if (seen <= 0) {
        if (seen == 0 || (errno != EAGAIN && errno != EINTR))
            session_lost(s);
        return;
    }
    buffer_append(&s->input, slice_make(bytes, (size_t)seen));
    enum proxy_result result = proxy_parse(buffer_slice(&s->input), &header);
    size_t wanted = result == PROXY_DONE ? header.len - kept : (size_t)seen;
    size_t len;
    if (result == PROXY_INVALID || s->input.overflow ||
        stream_read(s->stream, bytes, wanted, &len) != STREAM_READ_SOME || len != wanted) {
        session_lost(s);
        return;
    }
    if (result == PROXY_MORE)
        return;
    buffer_free(&s->input);
    if (header.has_client)
        s->client = header.client;
    s->proxy_wanted = false;
    open_up(s);
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
        open_up(s);
        return !s->over;
    case PROXY_INVALID:
        break;
    }
    session_lost(s);
    return false;
}
