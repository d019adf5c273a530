/* envelope.h: who sends what to whom, apart from the content (RFC 5321 2.3.1). */
#ifndef GODWIT_MAIL_ENVELOPE_H
#define GODWIT_MAIL_ENVELOPE_H

#include "base/slice.h"

/* BODY= of RFC 6152 and RFC 3030. */
enum mail_body {
    MAIL_BODY_7BIT,
    MAIL_BODY_8BITMIME,
    MAIL_BODY_BINARYMIME,
};

/* RET= of RFC 3461 4.3. */
enum dsn_ret {
    DSN_RET_UNSPECIFIED,
    DSN_RET_FULL,
    DSN_RET_HEADERS,
};

/* NOTIFY= of RFC 3461 4.1, a set; 0 when the client did not say. */
enum {
    DSN_NOTIFY_NEVER = 1,
    DSN_NOTIFY_SUCCESS = 2,
    DSN_NOTIFY_FAILURE = 4,
    DSN_NOTIFY_DELAY = 8,
};

struct envelope_recipient {
    struct slice address; /* local-part@domain, checked, as it goes in RCPT TO:<> */
    struct slice orcpt;   /* "addr-type;xtext" as it came, or empty */
    uint8_t notify;       /* DSN_NOTIFY_* */
    bool forwarded;       /* an alias led away from us: the sender is written anew (SRS) */
};

/* Borrowed in all its parts; whoever makes one says for how long. */
struct envelope {
    struct slice sender;  /* local-part@domain, or empty for <> */
    struct slice envid;   /* ENVID= as it came (xtext), or empty */
    enum mail_body body;  /* what the client declared */
    enum dsn_ret ret;
    bool smtputf8;        /* RFC 6531: declared, or needed by what it holds */
    bool content_8bit;    /* the content holds octets above 127 */
    bool content_binary;  /* the content holds bare CR or LF, or NUL */
    bool is_report;       /* a report of our own making (a bounce, a receipt) */
    int8_t priority;      /* MT-PRIORITY= (RFC 6710): -9 to 9, the higher the sooner */
    int64_t deliver_by_wall_ms; /* BY= (RFC 2852): by when it wants to be delivered, or 0 */
    bool by_returns;      /* it comes back when that is over; else its sender is told */
    bool by_traces;       /* its sender is told where it went on to */
    bool require_tls;     /* REQUIRETLS (RFC 8689): only over TLS, only to who keeps to it */
    struct slice hold_request; /* "for;3600", "until;2026-..Z" (RFC 4865 5.1.2), or empty */
    const struct envelope_recipient *recipients;
    size_t recipients_count;
};

/* The part after the last '@', or empty. */
static inline struct slice envelope_domain(struct slice address)
{
    size_t at = slice_find_last(address, '@');
    return at == SLICE_NOT_FOUND ? slice_make(NULL, 0) : slice_from(address, at + 1);
}

#endif
