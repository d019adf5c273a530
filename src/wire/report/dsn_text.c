/* dsn_text.c: the part for people (RFC 6522 section 3, first part). It says which
 * recipient, what happened, what the other side said, and what to do. */
#include "base/utf8.h"
#include "wire/message/date.h"
#include "wire/report/dsn_private.h"

static const struct slice indent = SLICE_INIT("    ");

static void append_paragraph(struct buffer *out, struct slice text)
{
    dsn_append_wrapped(out, text, SLICE(""), 0, false);
    buffer_append(out, SLICE("\r\n"));
}

static void append_indented(struct buffer *out, struct slice text)
{
    buffer_append(out, indent);
    dsn_append_wrapped(out, text, indent, indent.len, false);
    buffer_append(out, SLICE("\r\n"));
}

static size_t count_action(const struct dsn *dsn, enum dsn_action action)
{
    size_t count = 0;
    for (size_t i = 0; i < dsn->recipients_count; i++)
        count += dsn->recipients[i].action == action;
    return count;
}

static struct slice opening(const struct dsn *dsn)
{
    size_t failed = count_action(dsn, DSN_FAILED);
    size_t delayed = count_action(dsn, DSN_DELAYED);
    if (failed == dsn->recipients_count)
        return failed == 1
            ? SLICE("Your message could not be delivered. The reason stands below, and what you can do.")
            : SLICE("Your message could not be delivered to any of the recipients below. The "
                    "reason stands with each of them, and what you can do.");
    if (failed > 0)
        return SLICE("Your message could not be delivered to some of its recipients. What "
                     "happened to each of them stands below.");
    if (delayed > 0)
        return SLICE("Your message has not been delivered yet. This is only a notice: it is "
                     "still being tried, and you need not send it again.");
    return SLICE("Your message has arrived. You asked to be told.");
}

static struct slice what_happened(enum dsn_action action)
{
    switch (action) {
    case DSN_FAILED:
        return SLICE("was not delivered, and will not be tried again.");
    case DSN_DELAYED:
        return SLICE("has not been reached yet. We go on trying.");
    case DSN_DELIVERED:
        return SLICE("The message was delivered.");
    case DSN_RELAYED:
        return SLICE("The message was handed over to a mail server that sends no further "
                     "reports, so this is the last you hear of it from us.");
    case DSN_EXPANDED:
        return SLICE("The message was delivered to a list, and passed on to its members.");
    }
    return SLICE("");
}

static void append_said(struct buffer *out, const struct dsn_recipient *r, bool utf8)
{
    bool is_reply = r->text_is_remote && r->code != 0;
    if (r->text.len == 0 && !is_reply)
        return;
    struct slice host = dsn_remote_host(r->remote);
    if (r->text_is_remote && host.len > 0) {
        buffer_append(out, SLICE("    The mail server "));
        dsn_append_clean(out, slice_part(host, 0, 255), false);
        buffer_append(out, SLICE(" said:\r\n        "));
    } else if (r->text_is_remote) {
        buffer_append(out, SLICE("    The mail server of the recipient said:\r\n        "));
    } else {
        buffer_append(out, SLICE("    The reason:\r\n        "));
    }
    size_t before = buffer_len(out);
    if (is_reply) {
        buffer_append_number(out, r->code);
        buffer_append_byte(out, ' ');
        if (r->status.class != 0) {
            smtp_status_append(out, r->status);
            buffer_append_byte(out, ' ');
        }
    }
    dsn_append_wrapped(out, r->text, SLICE("        "), 8 + buffer_len(out) - before, utf8);
    buffer_append(out, SLICE("\r\n"));
}

static void append_recipient(struct buffer *out, const struct dsn *dsn,
                             const struct dsn_recipient *r, bool utf8)
{
    buffer_append(out, SLICE("\r\n<"));
    dsn_append_clean(out, slice_part(r->address, 0, 400), utf8);
    buffer_append(out, SLICE(">\r\n"));
    append_indented(out, what_happened(r->action));
    append_said(out, r, utf8);
    if (r->action == DSN_DELAYED && r->retry_until_wall_ms != 0) {
        buffer_append(out, SLICE("    We try until "));
        date_append(out, r->retry_until_wall_ms, dsn->zone_minutes);
        buffer_append(out, SLICE(".\r\n"));
    }
    if (r->action == DSN_FAILED) {
        buffer_append(out, SLICE("    What you can do:\r\n        "));
        dsn_append_wrapped(out, dsn_advice(r), SLICE("        "), 8, false);
        buffer_append(out, SLICE("\r\n"));
    }
}

static void append_reference(struct buffer *out, const struct dsn *dsn)
{
    if (dsn->arrival_wall_ms != 0) {
        buffer_append(out, SLICE("\r\nThe message reached us on "));
        date_append(out, dsn->arrival_wall_ms, dsn->zone_minutes);
        buffer_append(out, SLICE(".\r\n"));
    }
    if (dsn->queue_id.len > 0) {
        buffer_append(out, SLICE("If you ask somebody for help, name the message "));
        dsn_append_clean(out, slice_part(dsn->queue_id, 0, 64), false);
        buffer_append(out, SLICE(",\r\nor forward this report whole.\r\n"));
    }
}

void dsn_append_text(struct buffer *out, const struct dsn *dsn)
{
    bool utf8 = dsn_needs_smtputf8(dsn);
    buffer_append(out, SLICE("This is the mail system at "));
    dsn_append_clean(out, dsn->host, false);
    buffer_append(out, SLICE(".\r\n\r\n"));
    append_paragraph(out, opening(dsn));
    for (size_t i = 0; i < dsn->recipients_count; i++)
        append_recipient(out, dsn, &dsn->recipients[i], utf8);
    append_reference(out, dsn);
}
