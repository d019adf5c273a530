/* bounce.h: a message that came back, read as a whole: what kind it is, whom it is about,
 * and why.
 *
 * RFC 3464 and what is none, RFC 5965, RFC 3834. Anybody can write such a message: it says
 * what it says, and whether it answers one that was sent is for the caller to know. Time is linear in the size of the message,
 * of which the first REPORT_BYTES_MAX octets are read. Pure; any thread.
 */
#ifndef GODWIT_BOUNCE_BOUNCE_H
#define GODWIT_BOUNCE_BOUNCE_H

#include "base/arena.h"
#include "bounce/classify.h"

enum bounce_kind {
    BOUNCE_KIND_NONE,       /* an ordinary message */
    BOUNCE_KIND_BOUNCE,     /* of a delivery: failed, late, or (RFC 3461) successful */
    BOUNCE_KIND_COMPLAINT,
    BOUNCE_KIND_AUTO_REPLY,
};

struct bounce_recipient {
    struct slice address;   /* as it came; empty when nothing names it */
    struct slice text;      /* what was said, raw; or empty */
    enum bounce_reason reason;
    bool is_hard;
    uint16_t code;          /* 0: none, or one that contradicts the status */
    struct smtp_status status; /* class 0: none; x.0.9nn: none was said (reason.h) */
};

/* Everything lives in the arena given. */
struct bounce {
    enum bounce_kind kind;
    struct slice feedback_type; /* of a complaint: "abuse"; or empty */
    struct bounce_recipient *recipients;
    size_t count;
};

/* "bounce", "complaint", "auto-reply" or "none". */
const char *bounce_kind_name(enum bounce_kind kind);

/* Any line ends. The arena should allow REPORT_ARENA_BYTES. False: it has no room. */
bool bounce_read(struct slice message, struct arena *arena, struct bounce *out_bounce);

/* One reply as a server gave it to us: the same judgement, without a message. */
void bounce_read_reply(const struct bounce_said *said, struct slice address,
                       struct bounce_recipient *out_recipient);

#endif
