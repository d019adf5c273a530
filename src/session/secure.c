/* secure.c: the session goes over to TLS, after STARTTLS or before the greeting.
 *
 * RFC 3207 4.2, RFC 8314 3.3. The deadline of a command holds for the handshake as a
 * whole (HOSTILE 45).
 */
#include "session/session_private.h"

#include "base/must.h"
#include "log/log.h"

static void begin(struct session *s)
{
    if (stream_secure(s->stream, s->profile->tls) != ERR_OK)
        session_lost(s);
}

void session_secure(struct session *s)
{
    session_flush(s);
    s->wait = WAIT_TLS;
    if (s->stream != NULL && stream_queued(s->stream) == 0)
        begin(s);
}

void session_secure_drained(struct session *s)
{
    if (stream_tls(s->stream) == NULL)
        begin(s);
}

void session_secured(struct session *s)
{
    must(buffer_len(&s->input) == 0); /* HOSTILE 25 */
    s->wait = WAIT_INPUT;
    if (s->engine == NULL) {
        session_greet(s);
    } else {
        smtp_server_secured(s->engine);
        buffer_free(&s->account);
        session_offer_auth(s);
        session_go_on(s);
    }
}

void session_not_secured(struct session *s)
{
    struct log_line line;
    char bytes[NET_ADDRESS_TEXT_MAX];
    struct buffer peer = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    if (stream_tls(s->stream) != NULL && log_wants(LOG_INFO)) {
        net_address_append(&peer, &s->client);
        log_begin(&line, LOG_INFO, "tls-failed");
        log_number(&line, "session", (int64_t)s->id);
        log_text(&line, "peer", buffer_slice(&peer));
        log_text(&line, "text", tls_failure(stream_tls(s->stream)));
        log_end(&line);
    }
    session_lost(s);
}
