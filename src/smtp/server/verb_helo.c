/* verb_helo.c: HELO and EHLO, and what this server offers (LIMITS: RFC 9422).
 *
 * RFC 5321 4.1.1.1: either one, at any time, drops the transaction. One that is refused
 * changes nothing (RFC 5321 4.1.4): the name becomes the session's when it is accepted.
 */
#include "smtp/server/server_private.h"

#include "wire/smtp/address.h"
#include "wire/smtp/parameter.h"

static void say_hello(struct smtp_server *s, struct slice argument)
{
    struct smtp_helo helo;
    if (argument.len == 0) {
        server_say_text(s, 501, 5, 5, 4, SLICE("A host name must follow"));
        return;
    }
    if (argument.len > HELO_MAX || !smtp_helo_parse(argument, &helo)) {
        server_say_text(s, 501, 5, 5, 4, SLICE("That is not a host name"));
        return;
    }
    memcpy(s->helo_asked, argument.data, argument.len);
    s->question.text = slice_make(s->helo_asked, argument.len);
    server_ask(s, SMTP_ASK_HELO);
}

void verb_helo(struct smtp_server *s, struct slice argument)
{
    say_hello(s, argument);
}

void verb_ehlo(struct smtp_server *s, struct slice argument)
{
    say_hello(s, argument);
}

static void offer(struct smtp_server *s, const char *extension)
{
    buffer_append(s->out, SLICE("250-"));
    buffer_append_string(s->out, extension);
    buffer_append(s->out, SLICE("\r\n"));
}

/* Neither the greeting nor this reply carries an enhanced code (RFC 2034 3). */
void helo_accepted(struct smtp_server *s, const struct smtp_reply *reply)
{
    (void)reply;
    memcpy(s->helo, s->question.text.data, s->question.text.len);
    s->helo_len = (uint8_t)s->question.text.len;
    s->esmtp = s->verb->run == verb_ehlo;
    server_enter(s, SMTP_PHASE_READY);
    buffer_append_string(s->out, s->esmtp ? "250-" : "250 ");
    buffer_append(s->out, s->options->hostname);
    buffer_append(s->out, SLICE("\r\n"));
    if (!s->esmtp)
        return;
    if (s->options->offers_tls && !s->secured)
        offer(s, "STARTTLS");
    if (s->auth.mechanisms.len > 0) {
        buffer_append(s->out, SLICE("250-AUTH "));
        buffer_append(s->out, s->auth.mechanisms);
        buffer_append(s->out, SLICE("\r\n"));
    }
    offer(s, "PIPELINING");
    buffer_append(s->out, SLICE("250-SIZE "));
    buffer_append_number(s->out, s->options->message_bytes_max);
    buffer_append(s->out, SLICE("\r\n"));
    offer(s, "8BITMIME");
    offer(s, "SMTPUTF8");
    offer(s, "CHUNKING");
    offer(s, "BINARYMIME");
    offer(s, "DSN");
    if (s->may_etrn)
        offer(s, "ETRN");
    offer(s, "MT-PRIORITY");
    offer(s, "DELIVERBY");
    if (s->secured)
        offer(s, "REQUIRETLS");
    if (s->release.seconds > 0) {
        buffer_append_format(s->out, "250-FUTURERELEASE %u ", s->release.seconds);
        smtp_date_time_append(s->out, s->release.until_wall_ms);
        buffer_append(s->out, SLICE("\r\n"));
    }
    buffer_append(s->out, SLICE("250-LIMITS RCPTMAX="));
    buffer_append_number(s->out, s->options->recipients_max);
    buffer_append(s->out, SLICE("\r\n"));
    if (s->may_xclient)
        offer(s, "XCLIENT NAME ADDR PORT PROTO HELO LOGIN");
    offer(s, "ENHANCEDSTATUSCODES");
    buffer_append(s->out, SLICE("250 HELP\r\n"));
}
