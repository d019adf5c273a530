/* verb_auth.c: AUTH. RFC 4954; HOSTILE 29 to 31, 35.
 *
 *   auth-command = "AUTH" SP sasl-mech [SP initial-response] CRLF
 *   initial-response = base64 / "="
 *
 * The engine carries octets only: what they mean, and whether they prove anything, is
 * asked. While an exchange runs the client's lines are responses and nothing else.
 */
#include "smtp/server/server_private.h"

#include "base/base64.h"

static void give_up(struct smtp_server *s)
{
    buffer_free(&s->response);
    s->phase = SMTP_PHASE_READY;
}

/* Decodes and asks. "=" is a response of no octets, where one may be left out. */
static void ask(struct smtp_server *s, struct slice coded, bool may_be_equals)
{
    buffer_free(&s->response);
    buffer_init(&s->response, SMTP_SERVER_AUTH_MAX);
    bool is_nothing = may_be_equals && slice_equal(coded, SLICE("="));
    if (!is_nothing && !base64_decode(coded, &s->response)) {
        give_up(s);
        server_say_text(s, 501, 5, 5, 2, SLICE("That is not base64"));
        return;
    }
    if (s->response.overflow) {
        give_up(s);
        server_say_text(s, 454, 4, 7, 0, SLICE("Out of memory, try later"));
        return;
    }
    s->question.response = buffer_slice(&s->response);
    s->question.has_response = true;
    s->phase = SMTP_PHASE_AUTH;
    server_ask(s, SMTP_ASK_AUTH);
}

/* In clear, where there would be AUTH with TLS, or nowhere. */
static void say_not_offered(struct smtp_server *s)
{
    static const struct smtp_reply in_clear = {
        .code = 538, .status = { 5, 7, 11 },
        .text = SLICE_INIT("Encryption required: use STARTTLS first"),
    };
    if (s->auth.after_tls && !s->secured)
        server_say(s, &in_clear);
    else
        verb_unimplemented(s, slice_make(NULL, 0));
}

void verb_auth(struct smtp_server *s, struct slice argument)
{
    struct slice mechanism;
    if (s->auth.mechanisms.len == 0) {
        say_not_offered(s);
    } else if (s->authenticated) {
        server_say_text(s, 503, 5, 5, 1, SLICE("Already authenticated"));
    } else if (!slice_split(&argument, ' ', &mechanism) || mechanism.len == 0 ||
               mechanism.len > sizeof s->mechanism ||
               slice_find(argument, ' ') != SLICE_NOT_FOUND) {
        server_say_text(s, 501, 5, 5, 4, SLICE("Syntax: AUTH mechanism [initial-response]"));
    } else {
        memcpy(s->mechanism, mechanism.data, mechanism.len);
        s->question.text = slice_make(s->mechanism, mechanism.len);
        if (argument.len > 0) {
            ask(s, argument, true);
            return;
        }
        s->phase = SMTP_PHASE_AUTH;
        server_ask(s, SMTP_ASK_AUTH);
    }
}

void auth_line(struct smtp_server *s, struct slice line)
{
    if (slice_equal(line, SLICE("*"))) {
        give_up(s);
        server_say_text(s, 501, 5, 7, 0, SLICE("Authentication cancelled"));
    } else {
        ask(s, line, false);
    }
}

void auth_line_too_long(struct smtp_server *s)
{
    give_up(s);
    server_say_text(s, 500, 5, 5, 6, SLICE("Authentication exchange line is too long"));
}

void smtp_server_challenge(struct smtp_server *s, struct slice challenge)
{
    if (s->closing)
        return;
    s->question = (struct smtp_question){ .ask = SMTP_ASK_NOTHING };
    buffer_append(s->out, SLICE("334 "));
    base64_append(s->out, challenge);
    buffer_append(s->out, SLICE("\r\n"));
}

void auth_accepted(struct smtp_server *s, const struct smtp_reply *reply)
{
    static const struct smtp_reply ok = {
        .code = 235, .status = { 2, 7, 0 }, .text = SLICE_INIT("Authentication successful"),
    };
    give_up(s);
    s->authenticated = true;
    server_say(s, reply == NULL ? &ok : reply);
}

void auth_refused(struct smtp_server *s, const struct smtp_reply *reply)
{
    static const struct smtp_reply enough = {
        .code = 421, .status = { 4, 7, 0 },
        .text = SLICE_INIT("Too many failed log-ins, closing"),
    };
    give_up(s);
    server_say(s, reply);
    if (reply->code == 535 && ++s->auth_failures >= s->options->auth_failures_max)
        server_say_and_close(s, &enough);
}

void smtp_server_offer_auth(struct smtp_server *s, const struct smtp_server_auth *auth)
{
    s->auth = *auth;
}

void smtp_server_set_authenticated(struct smtp_server *s, bool authenticated)
{
    s->authenticated = authenticated;
}

bool smtp_server_is_authenticated(const struct smtp_server *s)
{
    return s->authenticated;
}
