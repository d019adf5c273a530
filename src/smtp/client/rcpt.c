/* rcpt.c: RCPT, once for each recipient, each with a reply of its own
 * (RFC 5321 4.1.1.3, RFC 3461 4.1 and 4.2, RFC 6533 3). */
#include "smtp/client/client_private.h"
#include "wire/smtp/parameter.h"

/* NOTIFY=NEVER / 1#( "SUCCESS" / "FAILURE" / "DELAY" ) */
static void append_notify(uint8_t notify, struct buffer *out)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } names[] = {
        { DSN_NOTIFY_NEVER, "NEVER" },
        { DSN_NOTIFY_SUCCESS, "SUCCESS" },
        { DSN_NOTIFY_FAILURE, "FAILURE" },
        { DSN_NOTIFY_DELAY, "DELAY" },
    };
    const char *before = " NOTIFY=";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((notify & names[i].bit) == 0)
            continue;
        buffer_append_string(out, before);
        buffer_append_string(out, names[i].name);
        before = ",";
    }
}

/* A hop that knows nothing of the time to deliver in is asked to tell of delays at least
 * (RFC 2852 4.1.4.2). */
static uint8_t notify_of(const struct smtp_client *c, const struct smtp_client_transaction *t,
                         const struct envelope_recipient *r)
{
    if (!transaction_has_by(t) || t->envelope->by_returns ||
        client_offers(c, SMTP_EXTENSION_DELIVERBY) || (r->notify & DSN_NOTIFY_NEVER) != 0)
        return r->notify;
    return r->notify == 0 ? DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY
                          : (uint8_t)(r->notify | DSN_NOTIFY_DELAY);
}

static void append_dsn(const struct smtp_client *c, const struct smtp_client_transaction *t,
                       const struct envelope_recipient *r, struct buffer *out)
{
    append_notify(notify_of(c, t, r), out);
    if (r->orcpt.len == 0)
        return;
    /* An ORCPT that is not ASCII may go as it is only where SMTPUTF8 was asked for. */
    struct buffer orcpt;
    buffer_init(&orcpt, SMTP_ORCPT_MAX);
    if (t->is_utf8)
        buffer_append(&orcpt, r->orcpt);
    else
        smtp_unicode_embed(r->orcpt, false, &orcpt);
    if (!orcpt.overflow) { /* it is information: too long, it is left out */
        buffer_append(out, SLICE(" ORCPT="));
        buffer_append(out, buffer_slice(&orcpt));
    }
    buffer_free(&orcpt);
}

/* The next recipient at this progress, from *place on, which is moved behind it. */
static struct smtp_client_recipient *next_at(struct smtp_client_transaction *t,
                                             uint32_t *place, uint8_t progress)
{
    while (*place < t->count) {
        struct smtp_client_recipient *r = &t->recipients[(*place)++];
        if (r->progress == progress)
            return r;
    }
    return NULL;
}

/* rcpt = "RCPT TO:" Forward-path [SP Rcpt-parameters] CRLF */
bool rcpt_build(struct smtp_client *c, struct smtp_client_transaction *t,
                struct buffer *out)
{
    struct smtp_client_recipient *r = NULL;
    if (!t->refused)
        r = next_at(t, &t->to_send, RECIPIENT_WAITING);
    if (r == NULL) {
        t->sending = SENDING_DATA;
        return false;
    }
    buffer_append(out, SLICE("RCPT TO:<"));
    buffer_append(out, r->recipient->address);
    buffer_append_byte(out, '>');
    if (client_offers(c, SMTP_EXTENSION_DSN))
        append_dsn(c, t, r->recipient, out);
    buffer_append(out, SLICE("\r\n"));
    r->progress = RECIPIENT_SENT;
    client_await(c, STEP_RCPT, t, 1);
    return true;
}

void rcpt_on_reply(struct smtp_client *c, struct smtp_client_transaction *t,
                   const struct smtp_reply *reply)
{
    if (t->refused)
        return; /* the reply to MAIL decided them */
    struct smtp_client_recipient *r = next_at(t, &t->to_answer, RECIPIENT_SENT);
    if (reply_is_done(reply)) {
        r->progress = RECIPIENT_ACCEPTED;
        t->accepted++;
    } else if (reply_is_refusal(reply)) {
        struct smtp_reply said = *reply;
        /* RFC 5321 4.5.3.1.10: a bare 552 here means too many recipients. */
        if (said.code == 552 && said.status.class == 0)
            said.code = 452, said.status = (struct smtp_status){ 4, 5, 3 };
        recipient_decide(c, t, r, &said);
    } else {
        client_fail_protocol(c, "the reply to RCPT does not fit");
    }
}
