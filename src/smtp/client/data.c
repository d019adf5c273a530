/* data.c: DATA, BDAT, the final dot, and what their replies decide.
 *
 * RFC 5321 4.1.1.4, RFC 2920 3.1 (DATA behind recipients that were all refused),
 * RFC 3030 section 2 and 4.2 (BDAT), RFC 2033 section 4.2 (a reply a recipient).
 */
#include "smtp/client/client_private.h"

/* A small message goes out behind its envelope at once; with a larger one it pays
 * to hear first whether anybody is there to take it. */
enum { CHUNK_AT_ONCE_MAX = SMTP_CLIENT_OUTPUT_BYTES };

static bool send_bdat(struct smtp_client *c, struct smtp_client_transaction *t,
                      struct buffer *out)
{
    bool at_once = t->content->size <= CHUNK_AT_ONCE_MAX &&
                   c->options.protocol == SMTP_CLIENT_SMTP;
    if (!at_once && t->awaited > 0)
        return false;
    buffer_append(out, SLICE("BDAT "));
    buffer_append_number(out, t->content->size);
    buffer_append(out, SLICE(" LAST\r\n"));
    client_await(c, STEP_BDAT, t,
                 c->options.protocol == SMTP_CLIENT_LMTP ? t->accepted : 1);
    t->sending = SENDING_CONTENT;
    return true;
}

/* data = "DATA" CRLF; bdat-cmd = "BDAT" SP chunk-size [ SP "LAST" ] CRLF */
bool data_build(struct smtp_client *c, struct smtp_client_transaction *t,
                struct buffer *out)
{
    if (t->refused || (t->awaited == 0 && t->accepted == 0)) {
        t->sending = SENDING_NOTHING;
        return false;
    }
    if (t->by_chunk)
        return send_bdat(c, t, out);
    buffer_append(out, SLICE("DATA\r\n"));
    client_await(c, STEP_DATA, t, 1);
    t->sending = SENDING_PAUSE;
    return true;
}

void data_on_reply(struct smtp_client *c, struct smtp_client_transaction *t,
                   const struct smtp_reply *reply)
{
    if (reply_is_refusal(reply)) {
        transaction_decide_accepted(c, t, reply);
        t->sending = SENDING_NOTHING;
    } else if (reply_is_done(reply)) {
        client_fail_protocol(c, "the reply to DATA does not fit");
    } else if (t->accepted > 0) {
        content_encoder_init(&c->encoder, LINE_END_REJECT);
        t->sending = SENDING_CONTENT;
    } else {
        t->sending = SENDING_END; /* a dot alone: there is nobody to send it to */
    }
}

bool end_build(struct smtp_client *c, struct smtp_client_transaction *t,
               struct buffer *out)
{
    struct slice end = SLICE(".\r\n");
    if (t->accepted > 0 &&
        content_encode_last(&c->encoder, &end) != CONTENT_END) {
        client_fail_protocol(c, "the message does not end in whole lines");
        return false;
    }
    buffer_append(out, end);
    t->sending = SENDING_NOTHING;
    t->content_left = t->accepted > 0;
    client_await(c, STEP_END, t,
                 c->options.protocol == SMTP_CLIENT_LMTP ? t->accepted : 1);
    return true;
}

/* The reply to the end of data: of SMTP for all that were accepted, of LMTP for one
 * after the other. */
static void decide_by_end(struct smtp_client *c, struct smtp_client_transaction *t,
                          const struct smtp_reply *reply)
{
    if (c->options.protocol == SMTP_CLIENT_SMTP) {
        transaction_decide_accepted(c, t, reply);
        return;
    }
    while (t->recipients[t->to_finish].progress != RECIPIENT_ACCEPTED)
        t->to_finish++;
    recipient_decide(c, t, &t->recipients[t->to_finish], reply);
}

void end_on_reply(struct smtp_client *c, struct smtp_client_transaction *t,
                  const struct smtp_reply *reply)
{
    if (!reply_is_done(reply) && !reply_is_refusal(reply)) {
        client_fail_protocol(c, "the reply to the end of data does not fit");
        return;
    }
    t->is_open = false;
    if (t->accepted > 0)
        decide_by_end(c, t, reply);
}

void bdat_on_reply(struct smtp_client *c, struct smtp_client_transaction *t,
                   const struct smtp_reply *reply)
{
    if (!reply_is_done(reply) && !reply_is_refusal(reply)) {
        client_fail_protocol(c, "the reply to BDAT does not fit");
        return;
    }
    if (t->sending == SENDING_CONTENT) {
        /* The server gave up before it had the whole chunk. */
        if (reply_is_refusal(reply))
            transaction_decide_accepted(c, t, reply);
        client_fail_protocol(c, "the other side answered before the chunk had left");
        return;
    }
    /* After a refused chunk the server wants RSET (RFC 3030 section 2). */
    t->is_open = !reply_is_done(reply);
    if (t->accepted > 0)
        decide_by_end(c, t, reply);
}
