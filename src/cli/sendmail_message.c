/* sendmail_message.c: from what a program wrote to a message that may be sent.
 *
 * RFC 5322 3.6, RFC 6409 8. Bcc, Return-Path and Content-Length never stay. A message
 * whose first line is no field has no header: all of it is body.
 */
#include "cli/compose.h"
#include "cli/sendmail_private.h"
#include "wire/message/header.h"

#include <sysexits.h>

enum field_use {
    USE_KEEP,
    USE_DROP,
    USE_ADDRESSES,   /* words alone get the domain */
    USE_RECIPIENTS,  /* and with -t they are the recipients */
    USE_BLIND,       /* recipients, but not kept */
};

struct field_rule {
    struct slice name;
    enum field_use use;
    bool is_resent;  /* for recipients: when there is one, only these count */
};

static const struct field_rule rules[] = {
    { SLICE_INIT("To"), USE_RECIPIENTS, false },
    { SLICE_INIT("Cc"), USE_RECIPIENTS, false },
    { SLICE_INIT("Bcc"), USE_BLIND, false },
    { SLICE_INIT("From"), USE_ADDRESSES, false },
    { SLICE_INIT("Sender"), USE_ADDRESSES, false },
    { SLICE_INIT("Reply-To"), USE_ADDRESSES, false },
    { SLICE_INIT("Resent-To"), USE_RECIPIENTS, true },
    { SLICE_INIT("Resent-Cc"), USE_RECIPIENTS, true },
    { SLICE_INIT("Resent-Bcc"), USE_BLIND, true },
    { SLICE_INIT("Resent-From"), USE_ADDRESSES, true },
    { SLICE_INIT("Resent-Sender"), USE_ADDRESSES, true },
    { SLICE_INIT("Return-Path"), USE_DROP, false },
    { SLICE_INIT("Content-Length"), USE_DROP, false },
};

struct making {
    const struct sendmail *sendmail;
    struct slice domain;
    struct addressees *to;
    struct buffer *out;
    bool is_resent;
    bool has_date;
    bool has_from;
    bool has_message_id;
};

static struct field_rule rule_of(struct slice name)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (slice_equal_nocase(name, rules[i].name))
            return rules[i];
    return (struct field_rule){ .use = USE_KEEP };
}

/* The mailbox format's first line, which some programs put before the header. */
static struct slice without_from_line(struct slice input)
{
    size_t end = slice_find(input, '\n');
    if (end != SLICE_NOT_FOUND && slice_equal(slice_part(input, 0, 5), SLICE("From ")))
        return slice_from(input, end + 1);
    return input;
}

static bool has_resent_recipients(struct slice input)
{
    struct cursor c = cursor_over(input);
    struct header_field field;
    while (header_next(&c, &field) == HEADER_FIELD) {
        struct field_rule rule = rule_of(field.name);
        if (rule.is_resent && (rule.use == USE_RECIPIENTS || rule.use == USE_BLIND))
            return true;
    }
    return false;
}

static int add_recipients(struct making *m, const struct header_field *field)
{
    enum err error = addressees_add(m->to, field->value, m->domain);
    if (error == ERR_OK)
        return 0;
    if (error == ERR_INVALID)
        cli_complain("sendmail: something in %.*s is no mail address",
                     (int)field->name.len, field->name.data);
    else
        cli_complain("sendmail: too many recipients");
    return EX_DATAERR;
}

static void keep_addresses(struct making *m, const struct header_field *field)
{
    buffer_append(m->out, field->name);
    buffer_append_byte(m->out, ':');
    addressees_qualify(field->value, m->domain, m->out);
    buffer_append(m->out, SLICE("\r\n"));
}

static void note(struct making *m, const struct header_field *field)
{
    enum header_kind kind = header_kind_of(field->name);
    m->has_date |= kind == HEADER_DATE;
    m->has_from |= kind == HEADER_FROM;
    m->has_message_id |= kind == HEADER_MESSAGE_ID;
}

static int take_field(struct making *m, const struct header_field *field)
{
    struct field_rule rule = rule_of(field->name);
    bool names_recipients = rule.use == USE_RECIPIENTS || rule.use == USE_BLIND;
    int code = 0;
    note(m, field);
    if (names_recipients && m->sendmail->reads_header && rule.is_resent == m->is_resent)
        code = add_recipients(m, field);
    switch (rule.use) {
    case USE_KEEP:
        buffer_append(m->out, field->whole);
        break;
    case USE_ADDRESSES:
    case USE_RECIPIENTS:
        keep_addresses(m, field);
        break;
    case USE_DROP:
    case USE_BLIND:
        break;
    }
    return code;
}

/* Copies the header, and leaves the cursor at the body. */
static int take_header(struct making *m, struct cursor *c)
{
    struct header_field field;
    for (;;) {
        struct cursor before = *c;
        enum header_result result = header_next(c, &field);
        if (result == HEADER_MALFORMED)
            *c = before; /* no empty line came before the body */
        if (result != HEADER_FIELD)
            return 0;
        int code = take_field(m, &field);
        if (code != 0)
            return code;
    }
}

static bool add_missing(struct making *m, struct slice sender)
{
    bool done = true;
    const char *name = m->sendmail->name == NULL ? "" : m->sendmail->name;
    struct buffer from;
    buffer_init(&from, 1024);
    buffer_append(&from, sender);
    if (sender.len == 0) {
        buffer_append(&from, SLICE("MAILER-DAEMON@"));
        buffer_append(&from, m->domain);
    }
    if (!m->has_date)
        compose_date(m->out);
    if (!m->has_message_id)
        compose_message_id(m->out, m->domain);
    if (!m->has_from)
        done = compose_from(m->out, slice_from_string(name), buffer_slice(&from));
    buffer_free(&from);
    return done;
}

int sendmail_message(const struct sendmail *s, struct slice input, struct slice domain,
                     struct slice sender, struct addressees *to, struct buffer *out)
{
    input = without_from_line(input);
    struct making m = { .sendmail = s, .domain = domain, .to = to, .out = out,
                        .is_resent = has_resent_recipients(input) };
    struct cursor c = cursor_over(input);
    int code = take_header(&m, &c);
    if (code != 0)
        return code;
    if (!add_missing(&m, sender)) {
        cli_complain("sendmail -F: the name is not UTF-8");
        return EX_USAGE;
    }
    buffer_append(out, SLICE("\r\n"));
    buffer_append(out, cursor_rest(&c));
    if (!out->overflow)
        return 0;
    cli_complain("sendmail: the message is too large");
    return EX_DATAERR;
}
