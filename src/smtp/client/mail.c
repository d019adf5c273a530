/* mail.c: MAIL and its parameters (RFC 5321 4.1.1.2, RFC 1870, RFC 6152, RFC 3030,
 * RFC 6531 3.4, RFC 3461 4.3 and 4.4). */
#include "smtp/client/client_private.h"

static const char *body_name(const struct smtp_client *c,
                             const struct smtp_client_transaction *t)
{
    if (t->is_binary)
        return " BODY=BINARYMIME";
    if (client_offers(c, SMTP_EXTENSION_8BITMIME) &&
        (t->is_8bit || t->envelope->body == MAIL_BODY_8BITMIME))
        return " BODY=8BITMIME";
    return "";
}

static void append_dsn(const struct envelope *e, struct buffer *out)
{
    if (e->ret == DSN_RET_FULL)
        buffer_append(out, SLICE(" RET=FULL"));
    else if (e->ret == DSN_RET_HEADERS)
        buffer_append(out, SLICE(" RET=HDRS"));
    if (e->envid.len > 0) {
        buffer_append(out, SLICE(" ENVID="));
        buffer_append(out, e->envid);
    }
}

/* mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF */
bool mail_build(struct smtp_client *c, struct smtp_client_transaction *t,
                struct buffer *out)
{
    buffer_append(out, SLICE("MAIL FROM:<"));
    buffer_append(out, t->envelope->sender);
    buffer_append_byte(out, '>');
    if (client_offers(c, SMTP_EXTENSION_SIZE)) {
        buffer_append(out, SLICE(" SIZE="));
        buffer_append_number(out, t->content->size);
    }
    buffer_append_string(out, body_name(c, t));
    if (t->is_utf8)
        buffer_append(out, SLICE(" SMTPUTF8"));
    if (client_offers(c, SMTP_EXTENSION_DSN))
        append_dsn(t->envelope, out);
    if (transaction_has_by(t) && client_offers(c, SMTP_EXTENSION_DELIVERBY))
        buffer_append_format(out, " BY=%lld;%s%s", (long long)transaction_by_s(t),
                             t->envelope->by_returns ? "R" : "N",
                             t->envelope->by_traces ? "T" : "");
    if (t->envelope->require_tls && t->lacks_tls != NULL)
        buffer_append(out, SLICE(" REQUIRETLS"));
    if (client_offers(c, SMTP_EXTENSION_MT_PRIORITY) && t->envelope->priority != 0)
        buffer_append_format(out, " MT-PRIORITY=%d", t->envelope->priority);
    buffer_append(out, SLICE("\r\n"));
    client_await(c, STEP_MAIL, t, 1);
    t->sending = SENDING_RCPT;
    return true;
}

void mail_on_reply(struct smtp_client *c, struct smtp_client_transaction *t,
                   const struct smtp_reply *reply)
{
    if (reply_is_done(reply)) {
        t->mail_answered = true;
        t->is_open = true;
    } else if (reply_is_refusal(reply)) {
        t->mail_answered = true;
        t->refused = true;
        transaction_decide_all(c, t, reply, true);
        if (t->awaited == 0)
            t->sending = SENDING_NOTHING;
    } else {
        client_fail_protocol(c, "the reply to MAIL does not fit");
    }
}
