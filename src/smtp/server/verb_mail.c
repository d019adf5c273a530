/* verb_mail.c: MAIL FROM and its parameters.
 *
 * RFC 5321 4.1.1.2, RFC 1870, 6152, 3030, 3461 4.3-4.4, 6531 3.4, 4865 4.2, 6710 4.1, 8689 2, 2852 4. A space after the
 * colon is let pass, as other servers do.
 */
#include "smtp/server/server_private.h"

#include "wire/smtp/address.h"
#include "wire/smtp/parameter.h"

#include <stdio.h>

static bool fail(struct smtp_server *s, uint16_t code, uint16_t subject,
                 uint16_t detail, struct slice text)
{
    server_say_text(s, code, 5, subject, detail, text);
    return false;
}

static bool take_size(struct smtp_server *s, struct slice value)
{
    uint64_t size;
    if (!smtp_size_parse(value, &size))
        return fail(s, 501, 5, 4, SLICE("SIZE is not a number"));
    if (size > s->options->message_bytes_max)
        return fail(s, 552, 3, 4, SLICE("Message too big"));
    s->txn.declared_size = size;
    return true;
}

static bool take_body(struct smtp_server *s, struct slice value)
{
    enum smtp_body body;
    if (!smtp_body_parse(value, &body))
        return fail(s, 501, 5, 4, SLICE("Unknown BODY type"));
    switch (body) {
    case SMTP_BODY_7BIT:
        s->txn.envelope.body = MAIL_BODY_7BIT;
        break;
    case SMTP_BODY_8BITMIME:
        s->txn.envelope.body = MAIL_BODY_8BITMIME;
        break;
    case SMTP_BODY_BINARYMIME:
        s->txn.envelope.body = MAIL_BODY_BINARYMIME;
        break;
    }
    return true;
}

static bool take_ret(struct smtp_server *s, struct slice value)
{
    enum smtp_ret ret;
    if (!smtp_ret_parse(value, &ret))
        return fail(s, 501, 5, 4, SLICE("RET is FULL or HDRS"));
    s->txn.envelope.ret = ret == SMTP_RET_FULL ? DSN_RET_FULL : DSN_RET_HEADERS;
    return true;
}

static bool take_envid(struct smtp_server *s, struct slice value)
{
    if (!smtp_envid_is_valid(value))
        return fail(s, 501, 5, 4, SLICE("ENVID is not xtext of 1 to 100 characters"));
    if (!arena_copy(&s->txn.arena, value, &s->txn.envelope.envid))
        return fail(s, 452, 3, 1, SLICE("Out of memory"));
    return true;
}

/* Who first submitted it, as the client says (RFC 4954 5). Nobody is trusted to know that,
 * so it goes no further. */
static bool take_auth(struct smtp_server *s, struct slice value)
{
    struct buffer decoded;
    struct slice mailbox;
    buffer_init(&decoded, 4096);
    bool good = smtp_auth_parse(value, &decoded, &mailbox) && !decoded.overflow;
    buffer_free(&decoded);
    return good || fail(s, 501, 5, 4, SLICE("AUTH is neither <> nor a mailbox in xtext"));
}

/* hold-param = "HOLDFOR=" seconds / "HOLDUNTIL=" date-time; one only. */
static bool take_hold(struct smtp_server *s, const struct smtp_parameter *p)
{
    struct transaction *t = &s->txn;
    bool is_for = p->keyword == SMTP_KEYWORD_HOLDFOR;
    char request[64];
    if (!slice_is_empty(t->envelope.hold_request))
        return fail(s, 501, 5, 4, SLICE("HOLDFOR or HOLDUNTIL, not both"));
    if (is_for ? !smtp_hold_for_parse(p->value, &t->hold_for_s)
               : !smtp_date_time_parse(p->value, &t->hold_until_wall_ms))
        return fail(s, 501, 5, 4, is_for ? SLICE("HOLDFOR is no number of seconds")
                                         : SLICE("HOLDUNTIL is no date-time in UTC"));
    if (is_for ? t->hold_for_s > s->release.seconds
               : t->hold_until_wall_ms > s->release.until_wall_ms)
        return fail(s, 501, 5, 4, SLICE("That is longer than EHLO says"));
    int len = snprintf(request, sizeof request, "%s%.*s", is_for ? "for;" : "until;",
                       (int)slice_part(p->value, 0, 40).len, p->value.data);
    if (!arena_copy(&t->arena, slice_make(request, (size_t)len), &t->envelope.hold_request))
        return fail(s, 452, 3, 1, SLICE("Out of memory"));
    return true;
}

static bool take_by(struct smtp_server *s, struct slice value)
{
    struct smtp_by by;
    if (!smtp_by_parse(value, &by))
        return fail(s, 501, 5, 4, SLICE("BY is a number of seconds, ';', and N or R"));
    s->txn.has_by = true;
    s->txn.by_s = by.seconds;
    s->txn.envelope.by_returns = by.returns;
    s->txn.envelope.by_traces = by.traces;
    return true;
}

static bool take_parameter(struct smtp_server *s, const struct smtp_parameter *p)
{
    bool has_auth = s->auth.mechanisms.len > 0 || s->authenticated;
    if (p->keyword == SMTP_KEYWORD_SMTPUTF8) {
        if (p->has_value)
            return fail(s, 501, 5, 4, SLICE("SMTPUTF8 takes no value"));
        s->txn.envelope.smtputf8 = true;
        return true;
    }
    if (p->keyword == SMTP_KEYWORD_SIZE)
        return take_size(s, p->value);
    if (p->keyword == SMTP_KEYWORD_BODY)
        return take_body(s, p->value);
    if (p->keyword == SMTP_KEYWORD_RET)
        return take_ret(s, p->value);
    if (p->keyword == SMTP_KEYWORD_ENVID)
        return take_envid(s, p->value);
    if (p->keyword == SMTP_KEYWORD_AUTH && has_auth)
        return take_auth(s, p->value);
    if (p->keyword == SMTP_KEYWORD_BY)
        return take_by(s, p->value);
    if (p->keyword == SMTP_KEYWORD_REQUIRETLS && s->secured) {
        s->txn.envelope.require_tls = true;
        return !p->has_value || fail(s, 501, 5, 4, SLICE("REQUIRETLS takes no value"));
    }
    if (p->keyword == SMTP_KEYWORD_MT_PRIORITY)
        return smtp_priority_parse(p->value, &s->txn.envelope.priority) ||
               fail(s, 501, 5, 2, SLICE("MT-PRIORITY is a number from -9 to 9"));
    if ((p->keyword == SMTP_KEYWORD_HOLDFOR || p->keyword == SMTP_KEYWORD_HOLDUNTIL) &&
        s->release.seconds > 0)
        return take_hold(s, p);
    return fail(s, 555, 5, 4, SLICE("MAIL parameter not recognized or not implemented"));
}

static bool take_parameters(struct smtp_server *s, struct cursor *c)
{
    uint32_t seen = 0;
    struct smtp_parameter p;
    enum smtp_parameter_result result;
    while ((result = smtp_parameter_next(c, &p)) == SMTP_PARAMETER_TAKEN) {
        bool again = p.keyword != SMTP_KEYWORD_UNKNOWN &&
                     (seen & smtp_keyword_bit(p.keyword)) != 0;
        if (again)
            return fail(s, 501, 5, 4, SLICE("Parameter given twice"));
        seen |= smtp_keyword_bit(p.keyword);
        if (!take_parameter(s, &p))
            return false;
    }
    if (result == SMTP_PARAMETER_SYNTAX)
        return fail(s, 501, 5, 4, SLICE("Syntax error in parameters"));
    return true;
}

void verb_mail(struct smtp_server *s, struct slice argument)
{
    struct cursor c = cursor_over(argument);
    struct smtp_address sender;
    if (!cursor_take_literal(&c, SLICE("FROM:"))) {
        server_say_text(s, 501, 5, 5, 4, SLICE("Syntax: MAIL FROM:<address>"));
        return;
    }
    cursor_skip_blanks(&c);
    enum smtp_path_result result = smtp_reverse_path_parse(&c, SMTP_UTF8_ALLOWED, &sender);
    if (result != SMTP_PATH_OK) {
        struct smtp_reply reply = smtp_path_reply(result, SMTP_PATH_SENDER);
        server_say(s, &reply);
        return;
    }
    transaction_drop(s);
    bool good = take_parameters(s, &c);
    if (good && sender.utf8 && !s->txn.envelope.smtputf8)
        good = fail(s, 553, 6, 7, SLICE("Address is not ASCII: SMTPUTF8 is needed"));
    if (good && !arena_copy(&s->txn.arena, sender.text, &s->txn.envelope.sender)) {
        server_say_text(s, 452, 4, 3, 1, SLICE("Out of memory"));
        good = false;
    }
    if (!good) {
        transaction_drop(s);
        return;
    }
    s->question.declared_size = s->txn.declared_size;
    server_ask(s, SMTP_ASK_MAIL);
}

void mail_accepted(struct smtp_server *s, const struct smtp_reply *reply)
{
    static const struct smtp_reply ok = {
        .code = 250, .status = { 2, 1, 0 }, .text = SLICE_INIT("Sender ok"),
    };
    char text[64];
    struct smtp_reply changed = { .code = 250, .status = { 2, 3, 6 } };
    server_enter(s, SMTP_PHASE_MAIL);
    if (reply == NULL && s->txn.priority_changed) {
        int len = snprintf(text, sizeof text, "%d is the priority of this message",
                           s->txn.envelope.priority);
        changed.text = slice_make(text, (size_t)len);
        reply = &changed;
    }
    server_say(s, reply == NULL ? &ok : reply);
}
