/* verb_rcpt.c: RCPT TO and its parameters.
 *
 * RFC 5321 4.1.1.3 and 4.5.3.1.10 (452 when there are too many), RFC 3461 4.1-4.2,
 * RFC 6531 3.4. What the path means (local, relayed, unknown) is not known here.
 */
#include "smtp/server/server_private.h"

#include "base/utf8.h"
#include "wire/smtp/address.h"
#include "wire/smtp/parameter.h"

static bool fail(struct smtp_server *s, uint16_t code, struct slice text)
{
    server_say_text(s, code, 5, 5, 4, text);
    return false;
}

static bool take_orcpt(struct smtp_server *s, struct slice value,
                       struct envelope_recipient *r)
{
    struct smtp_orcpt orcpt;
    if (!smtp_orcpt_parse(value, &orcpt) ||
        (!slice_is_ascii(value) && !s->txn.envelope.smtputf8))
        return fail(s, 501, SLICE("ORCPT is not type;xtext"));
    r->orcpt = value;
    return true;
}

static bool take_parameters(struct smtp_server *s, struct cursor *c,
                            struct envelope_recipient *r)
{
    uint32_t seen = 0;
    struct smtp_parameter p;
    enum smtp_parameter_result result;
    while ((result = smtp_parameter_next(c, &p)) == SMTP_PARAMETER_TAKEN) {
        if (p.keyword != SMTP_KEYWORD_NOTIFY && p.keyword != SMTP_KEYWORD_ORCPT)
            return fail(s, 555, SLICE("RCPT parameter not recognized or not implemented"));
        if ((seen & smtp_keyword_bit(p.keyword)) != 0)
            return fail(s, 501, SLICE("Parameter given twice"));
        seen |= smtp_keyword_bit(p.keyword);
        if (p.keyword == SMTP_KEYWORD_ORCPT && !take_orcpt(s, p.value, r))
            return false;
        if (p.keyword == SMTP_KEYWORD_NOTIFY && !smtp_notify_parse(p.value, &r->notify))
            return fail(s, 501, SLICE("NOTIFY is NEVER, or of SUCCESS, FAILURE, DELAY"));
    }
    if (result == SMTP_PARAMETER_SYNTAX)
        return fail(s, 501, SLICE("Syntax error in parameters"));
    return true;
}

void verb_rcpt(struct smtp_server *s, struct slice argument)
{
    struct cursor c = cursor_over(argument);
    struct smtp_address address;
    struct transaction *t = &s->txn;
    if (!cursor_take_literal(&c, SLICE("TO:"))) {
        server_say_text(s, 501, 5, 5, 4, SLICE("Syntax: RCPT TO:<address>"));
        return;
    }
    cursor_skip_blanks(&c);
    enum smtp_path_result result = smtp_forward_path_parse(
        &c, t->envelope.smtputf8 ? SMTP_UTF8_ALLOWED : SMTP_UTF8_REFUSED, &address);
    if (result != SMTP_PATH_OK) {
        struct smtp_reply reply = smtp_path_reply(result, SMTP_PATH_RECIPIENT);
        t->recipients_refused++;
        server_say(s, &reply);
        return;
    }
    if (t->envelope.recipients_count >= s->options->recipients_max) {
        server_say_text(s, 452, 4, 5, 3, SLICE("Too many recipients"));
        return;
    }
    struct envelope_recipient recipient = { .address = address.text };
    if (!take_parameters(s, &c, &recipient)) {
        t->recipients_refused++;
        return;
    }
    /* Added before the question, so that its parts live while it is parked. */
    if (!transaction_add(t, &recipient)) {
        server_say_text(s, 452, 4, 3, 1, SLICE("Out of memory"));
        return;
    }
    t->envelope.recipients_count--;
    s->question.recipient = &t->recipients[t->envelope.recipients_count];
    s->question.declared_size = t->declared_size;
    server_ask(s, SMTP_ASK_RCPT);
}

void rcpt_accepted(struct smtp_server *s, const struct smtp_reply *reply)
{
    static const struct smtp_reply ok = {
        .code = 250, .status = { 2, 1, 5 }, .text = SLICE_INIT("Recipient ok"),
    };
    s->txn.envelope.recipients_count++;
    server_enter(s, SMTP_PHASE_RCPT);
    server_say(s, reply == NULL ? &ok : reply);
}
