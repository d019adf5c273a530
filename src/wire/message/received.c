/* received.c: RFC 5321 4.4.
 *
 *   Received: from helo.example (rdns.example [192.0.2.1])
 *       by mx.example with ESMTPS (TLSv1.3)
 *       id 0123456789abc
 *       for <b@example.com>
 *       tls TLS_AES_256_GCM_SHA384;
 *       Tue, 1 Jul 2003 10:52:37 +0200
 */
#include "wire/message/received.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "wire/message/date.h"

enum {
    NAME_MAX_OCTETS = 255,
    MAILBOX_MAX_OCTETS = 320,
};

struct slice received_protocol_name(struct received_protocol p)
{
    static const struct slice names[4][4] = {
        { SLICE_INIT("ESMTP"), SLICE_INIT("ESMTPS"), SLICE_INIT("ESMTPA"), SLICE_INIT("ESMTPSA") },
        { SLICE_INIT("LMTP"), SLICE_INIT("LMTPS"), SLICE_INIT("LMTPA"), SLICE_INIT("LMTPSA") },
        { SLICE_INIT("UTF8SMTP"), SLICE_INIT("UTF8SMTPS"), SLICE_INIT("UTF8SMTPA"), SLICE_INIT("UTF8SMTPSA") },
        { SLICE_INIT("UTF8LMTP"), SLICE_INIT("UTF8LMTPS"), SLICE_INIT("UTF8LMTPA"), SLICE_INIT("UTF8LMTPSA") },
    };
    if (!p.esmtp && !p.lmtp && !p.utf8 && !p.tls && !p.auth)
        return SLICE("SMTP");
    return names[(p.utf8 ? 2 : 0) + (p.lmtp ? 1 : 0)][(p.auth ? 2 : 0) + (p.tls ? 1 : 0)];
}

/* Names, literals, ids, ciphers: nothing that ends a comment or a clause. */
static void append_token(struct buffer *out, struct slice s)
{
    s = slice_part(s, 0, NAME_MAX_OCTETS);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        bool fits = ascii_is_alnum(c) || (!ascii_is_high(c) && c != '\0' &&
                                          strchr(".-_:[]+/", c) != NULL);
        buffer_append_byte(out, fits ? c : '?');
    }
}

/* A mailbox that was parsed; what is left to fear is length and control bytes. */
static void append_mailbox(struct buffer *out, struct slice s)
{
    bool whole = s.len <= MAILBOX_MAX_OCTETS && utf8_is_valid(s);
    s = slice_part(s, 0, MAILBOX_MAX_OCTETS);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        bool fits = !ascii_is_control(c) && c != '<' && c != '>' && (whole || !ascii_is_high(c));
        buffer_append_byte(out, fits ? c : '?');
    }
}

/* from-domain TCP-info: (Domain FWS address-literal) or (address-literal) */
static void append_client(struct buffer *out, const struct received *r)
{
    buffer_append(out, SLICE("from "));
    append_token(out, r->helo.len > 0 ? r->helo : SLICE("unknown"));
    if (r->client_address.len == 0)
        return;
    buffer_append(out, SLICE(" ("));
    if (r->client_name.len > 0) {
        append_token(out, r->client_name);
        buffer_append_byte(out, ' ');
    }
    bool is_ipv6 = slice_find(r->client_address, ':') != SLICE_NOT_FOUND;
    buffer_append(out, is_ipv6 ? SLICE("[IPv6:") : SLICE("["));
    append_token(out, r->client_address);
    buffer_append(out, SLICE("])"));
}

/* Stamp = From-domain By-domain Opt-info [CFWS] ";" FWS date-time */
void received_append(struct buffer *out, const struct received *received)
{
    buffer_append(out, SLICE("Received: "));
    if (received->helo.len > 0 || received->client_address.len > 0) {
        append_client(out, received);
        buffer_append(out, SLICE("\r\n\t"));
    }
    buffer_append(out, SLICE("by "));
    append_token(out, received->by);
    buffer_append(out, SLICE(" with "));
    buffer_append(out, received_protocol_name(received->protocol));
    if (received->tls_version.len > 0) {
        buffer_append(out, SLICE(" ("));
        append_token(out, received->tls_version);
        buffer_append_byte(out, ')');
    }
    if (received->id.len > 0) {
        buffer_append(out, SLICE("\r\n\tid "));
        append_token(out, received->id);
    }
    if (received->recipient.len > 0) {
        buffer_append(out, SLICE("\r\n\tfor <"));
        append_mailbox(out, received->recipient);
        buffer_append_byte(out, '>');
    }
    if (received->tls_cipher.len > 0) {
        buffer_append(out, SLICE("\r\n\ttls "));
        append_token(out, received->tls_cipher);
    }
    if (received->priority != 0)
        buffer_append_format(out, "\r\n\tPRIORITY %d", received->priority);
    buffer_append(out, SLICE(";\r\n\t"));
    date_append(out, received->wall_ms, received->zone_minutes);
    buffer_append(out, SLICE("\r\n"));
}
