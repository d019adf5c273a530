/* dsn.h: delivery reports: what tells a sender what became of a message.
 *
 * RFC 3464 and RFC 6522 (multipart/report), RFC 3461 section 6, RFC 3834 (they are
 * answers of a machine), RFC 6533 for addresses beyond ASCII. A report is content:
 * CRLF line ends, no line over 998 octets from us, ready for an intake. Whatever a
 * peer said is cleaned and folded, so that no text can begin a field or a part.
 *
 *   dsn_append_head(), then the caller streams the original (the whole content or its
 *   header, as `original` says), then dsn_append_tail().
 *
 * Everything is borrowed for the call. Pure; any thread.
 */
#ifndef GODWIT_WIRE_REPORT_DSN_H
#define GODWIT_WIRE_REPORT_DSN_H

#include "base/buffer.h"
#include "wire/smtp/reply.h"

/* RFC 3464 2.3.3. */
enum dsn_action {
    DSN_FAILED,
    DSN_DELAYED,
    DSN_DELIVERED,
    DSN_RELAYED,  /* to a server that reports nothing itself */
    DSN_EXPANDED,
};

struct dsn_recipient {
    enum dsn_action action;
    struct slice address;        /* local-part@domain */
    struct slice orcpt;          /* ORCPT= as it came, or empty */
    struct smtp_status status;   /* class 0 is written as the action's x.0.0 */
    uint16_t code;               /* the reply's, 0 for none */
    struct slice text;           /* what was said, raw, lines joined by LF; or empty */
    bool text_is_remote;         /* the other server said so, not we */
    struct slice remote;         /* "host[address]:port", as in an outcome; or empty */
    int64_t last_attempt_wall_ms; /* 0: not written */
    int64_t retry_until_wall_ms; /* DSN_DELAYED only; 0: not written */
};

/* What the third part holds. */
enum dsn_original {
    DSN_ORIGINAL_NONE,
    DSN_ORIGINAL_HEADER,
    DSN_ORIGINAL_WHOLE,
};

struct dsn {
    struct slice host;           /* our name: Reporting-MTA, and mailer-daemon@host */
    struct slice sender;         /* whom it goes to: local-part@domain */
    struct slice message_id;     /* of the report, without brackets */
    struct slice boundary;       /* 1 to 70 letters and digits that nobody can guess */
    int64_t wall_ms;             /* now */
    int zone_minutes;
    int64_t arrival_wall_ms;     /* of the original; 0: not written */
    struct slice envid;          /* ENVID= as it came (xtext), or empty */
    int64_t deliver_by_wall_ms;  /* RFC 2852 5; 0: not written */
    struct slice hold_request;   /* "for;3600", "until;..." (RFC 4865 5.1.2), or empty */
    struct slice original_id;    /* Message-ID of the original without brackets, or empty */
    struct slice queue_id;       /* the name it has in our logs, or empty */
    enum dsn_original original;
    bool original_is_8bit;       /* what is streamed holds octets above 127 */
    bool original_is_utf8;       /* ... and its header is of RFC 6532: message/global */
    const struct dsn_recipient *recipients; /* at least one */
    size_t recipients_count;
};

enum {
    DSN_TEXT_MAX = 2000, /* octets of a recipient's text that are shown */
};

/* What the envelope of the report has to say: BODY=8BITMIME, SMTPUTF8. */
bool dsn_is_8bit(const struct dsn *dsn);
bool dsn_needs_smtputf8(const struct dsn *dsn);

/* The report up to where the original begins. The buffer's overflow flag tells of
 * want of room: about 4 KiB and 3 KiB a recipient, and twice their texts, are enough. */
void dsn_append_head(struct buffer *out, const struct dsn *dsn);

/* What follows the original, whether or not its last line had a line end. */
void dsn_append_tail(struct buffer *out, const struct dsn *dsn);

#endif
