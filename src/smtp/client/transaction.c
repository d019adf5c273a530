/* transaction.c: the life of one transaction: what the hop must offer for it, how a
 * reply becomes a recipient's outcome, and its end.
 *
 * RFC 1870 section 6.1 (message too large for the hop), RFC 6152 section 3 (8-bit
 * content to a hop without 8BITMIME), RFC 3030 section 3 (BINARYMIME), RFC 6531 3.4
 * and 3.6 (SMTPUTF8), RFC 3463 (codes). Nothing is downgraded here: what the hop cannot
 * carry fails, unless the caller has the content in another form.
 */
#include "base/ascii.h"
#include "base/must.h"
#include "base/utf8.h"
#include "smtp/client/client_private.h"

enum { TEXT_MAX = 1000 };

/* Keeps the text as long as there is room; the texts move while the buffer grows, so
 * their places are kept as numbers until the end. */
static void text_keep(struct smtp_client_transaction *t, struct slice text,
                      uint32_t *out_at, uint16_t *out_len)
{
    size_t room = t->texts->overflow ? 0 : t->texts->max - buffer_len(t->texts);
    text = slice_part(text, 0, TEXT_MAX);
    if (text.len > room)
        text.len = 0;
    *out_at = (uint32_t)buffer_len(t->texts);
    buffer_append(t->texts, text);
    *out_len = t->texts->overflow ? 0 : (uint16_t)text.len;
}

static struct slice text_at(const struct smtp_client_transaction *t, uint32_t at,
                            uint16_t len)
{
    return slice_part(buffer_slice(t->texts), at, len);
}

/* The status that the server said if it agrees with the code (RFC 2034 section 4),
 * else what the code alone says (RFC 7504, RFC 7505, RFC 3463). */
static struct smtp_status status_of(const struct smtp_reply *reply)
{
    uint8_t class = (uint8_t)(reply->code / 100);
    if (reply->code == 0 || reply->status.class == class)
        return reply->status;
    switch (reply->code) {
    case 421:
        return (struct smtp_status){ 4, 3, 2 };
    case 521:
        return (struct smtp_status){ 5, 3, 2 };
    case 556:
        return (struct smtp_status){ 5, 1, 10 };
    default:
        return (struct smtp_status){ class, 0, 0 };
    }
}

static enum outcome_kind kind_of(const struct smtp_client *c,
                                 const struct smtp_reply *reply)
{
    if (reply->code == 0)
        return reply->status.class == 5 ? OUTCOME_FAILED : OUTCOME_DEFERRED;
    if (reply->code < 300)
        return c->options.protocol == SMTP_CLIENT_LMTP ? OUTCOME_DELIVERED
                                                       : OUTCOME_RELAYED;
    return reply->code < 500 ? OUTCOME_DEFERRED : OUTCOME_FAILED;
}

static struct outcome outcome_of(const struct smtp_client *c,
                                 const struct smtp_reply *reply, bool is_remote)
{
    return (struct outcome){
        .kind = kind_of(c, reply),
        .code = reply->code,
        .status = status_of(reply),
        .reply_is_remote = is_remote,
    };
}

void recipient_decide(struct smtp_client *c, struct smtp_client_transaction *t,
                      struct smtp_client_recipient *r, const struct smtp_reply *reply)
{
    r->outcome = outcome_of(c, reply, true);
    r->outcome.by_carried = client_offers(c, SMTP_EXTENSION_DELIVERBY);
    r->outcome.dsn_carried =
        client_offers(c, SMTP_EXTENSION_DSN) && r->recipient->notify != 0;
    r->progress = RECIPIENT_DECIDED;
    text_keep(t, reply->text, &r->text_at, &r->text_len);
}

/* Gives all recipients at this progress (or, with `all`, at any but decided) one
 * outcome; its text is kept once. */
static void decide_many(struct smtp_client *c, struct smtp_client_transaction *t,
                        const struct smtp_reply *reply, bool is_remote, bool all)
{
    uint32_t at = 0;
    uint16_t len = 0;
    bool kept = false;
    for (uint32_t i = 0; i < t->count; i++) {
        struct smtp_client_recipient *r = &t->recipients[i];
        if (r->progress == RECIPIENT_DECIDED ||
            (!all && r->progress != RECIPIENT_ACCEPTED))
            continue;
        if (!kept)
            text_keep(t, reply->text, &at, &len);
        kept = true;
        r->outcome = outcome_of(c, reply, is_remote);
        r->outcome.by_carried = client_offers(c, SMTP_EXTENSION_DELIVERBY);
        r->outcome.dsn_carried = is_remote && client_offers(c, SMTP_EXTENSION_DSN) &&
                                 r->recipient->notify != 0;
        r->progress = RECIPIENT_DECIDED;
        r->text_at = at;
        r->text_len = len;
    }
}

void transaction_decide_accepted(struct smtp_client *c,
                                 struct smtp_client_transaction *t,
                                 const struct smtp_reply *reply)
{
    decide_many(c, t, reply, true, false);
}

void transaction_decide_all(struct smtp_client *c, struct smtp_client_transaction *t,
                            const struct smtp_reply *reply, bool is_remote)
{
    decide_many(c, t, reply, is_remote, true);
}

/* Whether the address may stand between < and >: no control may end the line
 * (HOSTILE 51). That it parses was checked where it came in. */
static bool address_is_sendable(struct slice address)
{
    for (size_t i = 0; i < address.len; i++)
        if (ascii_is_control(address.data[i]))
            return false;
    return address.len <= 1000;
}

static void refuse_all(struct smtp_client *c, struct smtp_client_transaction *t,
                       uint16_t subject, uint16_t detail, const char *text)
{
    struct smtp_reply reason =
        smtp_reply_make(0, 5, subject, detail, slice_from_string(text));
    transaction_decide_all(c, t, &reason, false);
}

static void refuse_one(struct smtp_client *c, struct smtp_client_transaction *t,
                       struct smtp_client_recipient *r, uint16_t subject,
                       uint16_t detail, const char *text)
{
    struct smtp_reply reason =
        smtp_reply_make(0, 5, subject, detail, slice_from_string(text));
    r->outcome = outcome_of(c, &reason, false);
    r->progress = RECIPIENT_DECIDED;
    text_keep(t, reason.text, &r->text_at, &r->text_len);
}

/* Of a message that comes back rather than late (RFC 2852 4.1.4.1): why it cannot go on there,
 * or NULL. */
static const char *why_too_late(const struct smtp_client *c,
                                const struct smtp_client_transaction *t)
{
    int64_t left = transaction_by_s(t);
    if (left <= 0)
        return "the time to deliver it in, as the sender has set it, is over";
    if (!client_offers(c, SMTP_EXTENSION_DELIVERBY))
        return "it is to be delivered in time or come back, and the next hop does not offer "
               "DELIVERBY";
    return left < c->extensions.by_min_s ? "the next hop cannot deliver it in time" : NULL;
}

/* What the message needs of the hop; false when it was refused. */
static bool check_content(struct smtp_client *c, struct smtp_client_transaction *t)
{
    const struct envelope *e = t->envelope;
    t->is_binary = e->body == MAIL_BODY_BINARYMIME || e->content_binary;
    t->is_8bit = e->content_8bit;
    if (t->is_8bit && !t->is_binary && t->seven_bit != NULL &&
        !client_offers(c, SMTP_EXTENSION_8BITMIME)) {
        t->content = t->seven_bit;
        t->is_8bit = false;
    }
    /* Without an octet above 127 anywhere the message needs no SMTPUTF8 to travel,
     * whatever the client declared (RFC 6531 3.4). */
    t->is_utf8 = !slice_is_ascii(e->sender) || (e->smtputf8 && t->is_8bit);
    bool needs_tls = e->require_tls && t->lacks_tls != NULL;
    const char *lacks = needs_tls ? t->lacks_tls(t) : NULL;
    const char *late = transaction_has_by(t) && e->by_returns ? why_too_late(c, t) : NULL;
    if (late != NULL)
        refuse_all(c, t, 4, 7, late);
    else if (lacks != NULL)
        refuse_all(c, t, 7, 10, lacks);
    else if (needs_tls && !client_offers(c, SMTP_EXTENSION_REQUIRETLS))
        refuse_all(c, t, 7, 30, "REQUIRETLS is asked for by the sender, and not offered");
    else if (!address_is_sendable(e->sender))
        refuse_all(c, t, 1, 7, "the sender's address cannot be sent");
    else if (t->is_binary && !client_offers(c, SMTP_EXTENSION_BINARYMIME |
                                                   SMTP_EXTENSION_CHUNKING))
        refuse_all(c, t, 6, 3, "the message is binary and the next hop does not "
                               "offer BINARYMIME");
    else if (t->is_8bit && !t->is_binary &&
             !client_offers(c, SMTP_EXTENSION_8BITMIME))
        refuse_all(c, t, 6, 3, "the message holds 8-bit octets and the next hop does "
                               "not offer 8BITMIME");
    else if (t->is_utf8 && !client_offers(c, SMTP_EXTENSION_SMTPUTF8))
        refuse_all(c, t, 6, 7, "the message needs SMTPUTF8 and the next hop does not "
                               "offer it");
    else if (c->extensions.size_max != 0 && t->content->size > c->extensions.size_max)
        refuse_all(c, t, 3, 4, "the message is larger than the next hop takes");
    else
        return true;
    return false;
}

static bool check_recipient(struct smtp_client *c, struct smtp_client_transaction *t,
                            struct smtp_client_recipient *r)
{
    struct slice address = r->recipient->address;
    if (address.len == 0 || !address_is_sendable(address)) {
        refuse_one(c, t, r, 1, 3, "the address cannot be sent");
    } else if (!slice_is_ascii(address)) {
        if (client_offers(c, SMTP_EXTENSION_SMTPUTF8))
            t->is_utf8 = true;
        else
            refuse_one(c, t, r, 6, 7, "the address needs SMTPUTF8 and the next hop "
                                      "does not offer it");
    }
    return r->progress == RECIPIENT_WAITING;
}

void transaction_begin(struct smtp_client *c, struct smtp_client_transaction *t)
{
    t->sending = SENDING_NOTHING;
    if (!check_content(c, t))
        return;
    uint32_t most = c->extensions.recipients_max;
    uint32_t sendable = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        struct smtp_client_recipient *r = &t->recipients[i];
        if (most != 0 && sendable >= most)
            r->progress = RECIPIENT_DECIDED; /* with no outcome: for another time */
        else if (check_recipient(c, t, r))
            sendable++;
    }
    /* LMTP answers the last chunk once for each recipient, and servers differ in
     * what they answer when there is none: chunks only where nothing else will do. */
    t->by_chunk = t->is_binary || (client_offers(c, SMTP_EXTENSION_CHUNKING) &&
                                   c->options.protocol == SMTP_CLIENT_SMTP);
    if (sendable > 0)
        t->sending = SENDING_MAIL;
}

/* The texts lie still now: the outcomes may point to them. */
static void point_at_texts(struct smtp_client_transaction *t)
{
    t->failure.text = text_at(t, t->failure_at, t->failure_len);
    for (uint32_t i = 0; i < t->count; i++) {
        struct smtp_client_recipient *r = &t->recipients[i];
        r->outcome.text = text_at(t, r->text_at, r->text_len);
    }
}

static void finish(struct smtp_client *c, struct smtp_client_transaction *t)
{
    point_at_texts(t);
    list_remove(&t->node);
    c->under_way_count--;
    list_append(&c->done, &t->node);
}

void transaction_settle(struct smtp_client *c, struct smtp_client_transaction *t)
{
    if (t->sending != SENDING_NOTHING || t->awaited > 0)
        return;
    if (t->is_open)
        c->reset_due = true;
    finish(c, t);
    if (list_is_empty(&c->under_way))
        client_enter(c, SMTP_CLIENT_READY);
}

void transaction_abandon(struct smtp_client *c, struct smtp_client_transaction *t,
                         const struct smtp_reply *reply, bool is_remote)
{
    t->uncertain = t->content_left && t->awaited > 0 && !is_remote;
    if (t->mail_answered) {
        transaction_decide_all(c, t, reply, is_remote);
    } else {
        /* What this hop could not carry another one may. */
        for (uint32_t i = 0; i < t->count; i++) {
            t->recipients[i].outcome = (struct outcome){ .kind = OUTCOME_NONE };
            t->recipients[i].text_len = 0;
        }
        t->end = SMTP_CLIENT_NOT_STARTED;
        t->failure = outcome_of(c, reply, is_remote);
        text_keep(t, reply->text, &t->failure_at, &t->failure_len);
    }
    finish(c, t);
}
