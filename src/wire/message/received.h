/* received.h: the trace field that we put before each message: RFC 5321 4.4, RFC 3848,
 * RFC 6531 3.7.3, RFC 8314 4.3. Pure; any thread. */
#ifndef GODWIT_WIRE_MESSAGE_RECEIVED_H
#define GODWIT_WIRE_MESSAGE_RECEIVED_H

#include "base/buffer.h"

/* How a message came: the registered name for "with". */
struct received_protocol {
    bool esmtp;  /* EHLO was said; all below imply it */
    bool lmtp;
    bool utf8;   /* the transaction used SMTPUTF8 */
    bool tls;
    bool auth;
};

/* "SMTP", "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA", and so with LMTP, UTF8SMTP and
 * UTF8LMTP; static storage. */
struct slice received_protocol_name(struct received_protocol protocol);

/* Any slice may be empty, and anything a peer said may hold anything: what does not
 * belong becomes '?', what is too long is cut. */
struct received {
    struct slice helo;           /* as the client said it; a literal with its brackets */
    struct slice client_name;    /* by reverse look-up, checked; or empty */
    struct slice client_address; /* "192.0.2.1" or "2001:db8::1"; empty: not by network */
    struct slice by;             /* our name */
    struct received_protocol protocol;
    struct slice tls_version;    /* "TLSv1.3", or empty */
    struct slice tls_cipher;     /* "TLS_AES_256_GCM_SHA384", or empty */
    struct slice id;
    struct slice recipient;      /* the only one of the transaction, or empty: with more
                                    than one it would tell them of each other */
    int8_t priority;             /* RFC 6710 4.1; 0: not said */
    int64_t wall_ms;
    int zone_minutes;
};

/* Appends the field: folded, lines far below 998 octets, with its final CRLF. */
void received_append(struct buffer *out, const struct received *received);

#endif
