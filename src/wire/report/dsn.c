/* dsn.c: the frame of a report and its part for machines: RFC 3464 section 2, RFC 6522
 * section 3, RFC 6533 sections 3 and 4. */
#include "wire/report/dsn.h"

#include "base/ascii.h"
#include "base/must.h"
#include "base/utf8.h"
#include "wire/message/date.h"
#include "wire/report/dsn_private.h"
#include "wire/smtp/parameter.h"

enum { COLUMN_MAX = 76 };

bool dsn_needs_smtputf8(const struct dsn *dsn)
{
    return !slice_is_ascii(dsn->sender) ||
           (dsn->original != DSN_ORIGINAL_NONE && dsn->original_is_utf8);
}

bool dsn_is_8bit(const struct dsn *dsn)
{
    return dsn_needs_smtputf8(dsn) ||
           (dsn->original != DSN_ORIGINAL_NONE && dsn->original_is_8bit);
}

/* The length of the character at the front if it may be shown, else 0. */
static size_t showable(struct slice s, bool utf8)
{
    if (!ascii_is_high(s.data[0]))
        return ascii_is_control(s.data[0]) ? 0 : 1;
    return utf8 && !utf8_is_control(s) ? utf8_sequence_len(s) : 0;
}

void dsn_append_clean(struct buffer *out, struct slice text, bool utf8)
{
    while (text.len > 0) {
        size_t len = showable(text, utf8);
        buffer_append(out, len == 0 ? SLICE("?") : slice_part(text, 0, len));
        text = slice_from(text, len == 0 ? 1 : len);
    }
}

static bool is_gap(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void dsn_append_wrapped(struct buffer *out, struct slice text, struct slice indent,
                        size_t column, bool utf8)
{
    struct slice rest = slice_part(text, 0, DSN_TEXT_MAX);
    bool is_first = true;
    for (;;) {
        while (rest.len > 0 && is_gap(rest.data[0]))
            rest = slice_from(rest, 1);
        if (rest.len == 0)
            break;
        size_t len = 0;
        while (len < rest.len && !is_gap(rest.data[len]) && len < COLUMN_MAX - 8)
            len++;
        while (utf8 && len > 1 && len < rest.len && ((unsigned char)rest.data[len] & 0xc0u) == 0x80u)
            len--; /* not inside of a character */
        if (!is_first && column + 1 + len > COLUMN_MAX) {
            buffer_append(out, SLICE("\r\n"));
            buffer_append(out, indent);
            column = indent.len;
        } else if (!is_first) {
            buffer_append_byte(out, ' ');
            column++;
        }
        dsn_append_clean(out, slice_part(rest, 0, len), utf8);
        column += len;
        rest = slice_from(rest, len);
        is_first = false;
    }
    if (text.len > DSN_TEXT_MAX)
        buffer_append(out, SLICE(" ..."));
}

struct smtp_status dsn_status(const struct dsn_recipient *recipient)
{
    if (recipient->status.class != 0)
        return recipient->status;
    uint8_t class = 2;
    if (recipient->action == DSN_FAILED)
        class = 5;
    else if (recipient->action == DSN_DELAYED)
        class = 4;
    return (struct smtp_status){ .class = class };
}

struct slice dsn_remote_host(struct slice remote)
{
    size_t open = slice_find(remote, '[');
    if (slice_find(remote, '/') != SLICE_NOT_FOUND)
        return slice_make(NULL, 0);
    if (open == SLICE_NOT_FOUND)
        return slice_part(remote, 0, slice_find(remote, ':'));
    if (open > 0)
        return slice_part(remote, 0, open);
    size_t close = slice_find(remote, ']');
    return close == SLICE_NOT_FOUND ? slice_make(NULL, 0) : slice_part(remote, 0, close + 1);
}

/* utf-8-addr-xtext of RFC 6533 section 3: 7-bit always. What is not UTF-8 is '?'. */
static void append_utf8_xtext(struct buffer *out, struct slice address)
{
    while (address.len > 0) {
        size_t len = utf8_sequence_len(address);
        char first = address.data[0];
        if (len <= 1) {
            bool plain = first > ' ' && first < 0x7f && strchr("\\+=", first) == NULL;
            if (plain)
                buffer_append_byte(out, first);
            else if (len == 1 && !ascii_is_control(first))
                buffer_append_format(out, "\\x{%02X}", (unsigned)first);
            else
                buffer_append_byte(out, '?');
            address = slice_from(address, 1);
            continue;
        }
        unsigned point = (unsigned char)first & (0x7fu >> len);
        for (size_t i = 1; i < len; i++)
            point = point << 6 | ((unsigned char)address.data[i] & 0x3fu);
        buffer_append_format(out, "\\x{%02X}", point);
        address = slice_from(address, len);
    }
}

static void append_typed_address(struct buffer *out, struct slice type, struct slice address)
{
    if (!slice_is_ascii(address) || slice_equal_nocase(type, SLICE("utf-8"))) {
        buffer_append(out, SLICE("utf-8; "));
        append_utf8_xtext(out, address);
    } else {
        dsn_append_clean(out, type, false);
        buffer_append(out, SLICE("; "));
        dsn_append_clean(out, address, false);
    }
    buffer_append(out, SLICE("\r\n"));
}

static void append_original_recipient(struct buffer *out, struct slice orcpt)
{
    struct smtp_orcpt parsed;
    if (!smtp_orcpt_parse(orcpt, &parsed))
        return;
    struct buffer address;
    buffer_init(&address, SMTP_ORCPT_MAX * 4);
    smtp_orcpt_append_address(&address, &parsed);
    buffer_append(out, SLICE("Original-Recipient: "));
    append_typed_address(out, parsed.type, buffer_slice(&address));
    buffer_free(&address);
}

static void append_date_field(struct buffer *out, struct slice name, int64_t wall_ms,
                              const struct dsn *dsn)
{
    if (wall_ms == 0)
        return;
    buffer_append(out, name);
    date_append(out, wall_ms, dsn->zone_minutes);
    buffer_append(out, SLICE("\r\n"));
}

static struct slice action_name(enum dsn_action action)
{
    switch (action) {
    case DSN_FAILED:
        return SLICE("failed");
    case DSN_DELAYED:
        return SLICE("delayed");
    case DSN_DELIVERED:
        return SLICE("delivered");
    case DSN_RELAYED:
        return SLICE("relayed");
    case DSN_EXPANDED:
        return SLICE("expanded");
    }
    return SLICE("failed");
}

/* Diagnostic-Code: type "smtp" for what the other side replied, a type of our own for
 * what we found ourselves (RFC 3464 2.3.6). */
static void append_diagnostic(struct buffer *out, const struct dsn_recipient *r)
{
    bool is_reply = r->text_is_remote && r->code != 0;
    size_t before = buffer_len(out);
    if (r->text.len == 0 && !is_reply)
        return;
    buffer_append(out, is_reply ? SLICE("Diagnostic-Code: smtp; ")
                                : SLICE("Diagnostic-Code: x-godwit; "));
    if (is_reply) {
        buffer_append_number(out, r->code);
        buffer_append_byte(out, ' ');
        if (r->status.class != 0) {
            smtp_status_append(out, r->status);
            buffer_append_byte(out, ' ');
        }
    }
    dsn_append_wrapped(out, r->text, SLICE("    "), buffer_len(out) - before, false);
    buffer_append(out, SLICE("\r\n"));
}

static void append_recipient(struct buffer *out, const struct dsn *dsn,
                             const struct dsn_recipient *r)
{
    buffer_append(out, SLICE("\r\n"));
    append_original_recipient(out, r->orcpt);
    buffer_append(out, SLICE("Final-Recipient: "));
    append_typed_address(out, SLICE("rfc822"), r->address);
    buffer_append(out, SLICE("Action: "));
    buffer_append(out, action_name(r->action));
    buffer_append(out, SLICE("\r\nStatus: "));
    smtp_status_append(out, dsn_status(r));
    buffer_append(out, SLICE("\r\n"));
    struct slice host = dsn_remote_host(r->remote);
    if (host.len > 0) {
        buffer_append(out, SLICE("Remote-MTA: dns; "));
        dsn_append_clean(out, slice_part(host, 0, 255), false);
        buffer_append(out, SLICE("\r\n"));
    }
    append_diagnostic(out, r);
    append_date_field(out, SLICE("Last-Attempt-Date: "), r->last_attempt_wall_ms, dsn);
    if (r->action == DSN_DELAYED)
        append_date_field(out, SLICE("Will-Retry-Until: "), r->retry_until_wall_ms, dsn);
}

/* delivery-status-content = per-message-fields 1*( CRLF per-recipient-fields ) */
static void append_status(struct buffer *out, const struct dsn *dsn)
{
    if (smtp_envid_is_valid(dsn->envid)) {
        buffer_append(out, SLICE("Original-Envelope-Id: "));
        (void)smtp_xtext_decode(dsn->envid, out);
        buffer_append(out, SLICE("\r\n"));
    }
    buffer_append(out, SLICE("Reporting-MTA: dns; "));
    dsn_append_clean(out, dsn->host, false);
    buffer_append(out, SLICE("\r\n"));
    append_date_field(out, SLICE("Arrival-Date: "), dsn->arrival_wall_ms, dsn);
    append_date_field(out, SLICE("Deliver-By-Date: "), dsn->deliver_by_wall_ms, dsn);
    if (!slice_is_empty(dsn->hold_request)) {
        buffer_append(out, SLICE("Future-Release-Request: "));
        dsn_append_clean(out, dsn->hold_request, false);
        buffer_append(out, SLICE("\r\n"));
    }
    for (size_t i = 0; i < dsn->recipients_count; i++)
        append_recipient(out, dsn, &dsn->recipients[i]);
}

/* The worst that happened names the report. */
static struct slice subject(const struct dsn *dsn)
{
    bool delayed = false;
    for (size_t i = 0; i < dsn->recipients_count; i++) {
        if (dsn->recipients[i].action == DSN_FAILED)
            return SLICE("Your message could not be delivered");
        delayed |= dsn->recipients[i].action == DSN_DELAYED;
    }
    return delayed ? SLICE("Your message is delayed, and still being tried")
                   : SLICE("Your message was delivered");
}

static void append_id_field(struct buffer *out, struct slice name, struct slice id)
{
    buffer_append(out, name);
    buffer_append_byte(out, '<');
    dsn_append_clean(out, slice_part(id, 0, 900), false);
    buffer_append(out, SLICE(">\r\n"));
}

static void append_header(struct buffer *out, const struct dsn *dsn)
{
    buffer_append(out, SLICE("Date: "));
    date_append(out, dsn->wall_ms, dsn->zone_minutes);
    buffer_append(out, SLICE("\r\nFrom: Mail Delivery System <mailer-daemon@"));
    dsn_append_clean(out, dsn->host, false);
    buffer_append(out, SLICE(">\r\nTo: <"));
    dsn_append_clean(out, dsn->sender, true);
    buffer_append(out, SLICE(">\r\nSubject: "));
    buffer_append(out, subject(dsn));
    buffer_append(out, SLICE("\r\n"));
    append_id_field(out, SLICE("Message-ID: "), dsn->message_id);
    if (dsn->original_id.len > 0 && dsn->original_id.len <= 900 &&
        slice_is_ascii(dsn->original_id)) {
        append_id_field(out, SLICE("In-Reply-To: "), dsn->original_id);
        append_id_field(out, SLICE("References: "), dsn->original_id);
    }
    buffer_append(out, SLICE("Auto-Submitted: auto-replied\r\n"
                             "MIME-Version: 1.0\r\n"
                             "Content-Type: multipart/report; report-type=delivery-status;\r\n"
                             "\tboundary=\""));
    buffer_append(out, dsn->boundary);
    buffer_append(out, SLICE("\"\r\n"));
    if (dsn_is_8bit(dsn))
        buffer_append(out, SLICE("Content-Transfer-Encoding: 8bit\r\n"));
    buffer_append(out, SLICE("\r\nThis is a delivery report in MIME format.\r\n"));
}

static void append_part(struct buffer *out, const struct dsn *dsn, struct slice type,
                        bool is_8bit)
{
    buffer_append(out, SLICE("\r\n--"));
    buffer_append(out, dsn->boundary);
    buffer_append(out, SLICE("\r\nContent-Type: "));
    buffer_append(out, type);
    if (is_8bit)
        buffer_append(out, SLICE("\r\nContent-Transfer-Encoding: 8bit"));
    buffer_append(out, SLICE("\r\n\r\n"));
}

static void append_original_opening(struct buffer *out, const struct dsn *dsn)
{
    bool is_8bit = dsn->original_is_8bit || dsn->original_is_utf8;
    switch (dsn->original) {
    case DSN_ORIGINAL_NONE:
        return;
    case DSN_ORIGINAL_HEADER:
        append_part(out, dsn, dsn->original_is_utf8 ? SLICE("message/global-headers")
                                                    : SLICE("text/rfc822-headers"), is_8bit);
        return;
    case DSN_ORIGINAL_WHOLE:
        append_part(out, dsn, dsn->original_is_utf8 ? SLICE("message/global")
                                                    : SLICE("message/rfc822"), is_8bit);
        return;
    }
}

void dsn_append_head(struct buffer *out, const struct dsn *dsn)
{
    must(dsn->recipients_count > 0 && dsn->boundary.len > 0 && dsn->boundary.len <= 70);
    bool utf8 = dsn_needs_smtputf8(dsn);
    append_header(out, dsn);
    append_part(out, dsn, utf8 ? SLICE("text/plain; charset=utf-8")
                               : SLICE("text/plain; charset=us-ascii"), utf8);
    dsn_append_text(out, dsn);
    append_part(out, dsn, SLICE("message/delivery-status"), false);
    append_status(out, dsn);
    append_original_opening(out, dsn);
}

void dsn_append_tail(struct buffer *out, const struct dsn *dsn)
{
    buffer_append(out, SLICE("\r\n--"));
    buffer_append(out, dsn->boundary);
    buffer_append(out, SLICE("--\r\n"));
}
