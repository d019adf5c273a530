/* rules.h: how replies and bounces are told apart, as data: `godwit classify rules` prints
 * the table, rules.c holds it.
 *
 * The first rule that fits gives the reason; what a rule does not say fits everything. So
 * the order matters: what is peculiar to one provider stands first, then what a text says,
 * then what its codes say. Pure; any thread.
 */
#ifndef GODWIT_BOUNCE_RULES_H
#define GODWIT_BOUNCE_RULES_H

#include "bounce/reason.h"
#include "wire/smtp/reply.h"

/* The command that was answered. */
enum bounce_stage {
    BOUNCE_STAGE_UNKNOWN = 0,
    BOUNCE_STAGE_CONNECT = 1,
    BOUNCE_STAGE_HELO = 2,
    BOUNCE_STAGE_MAIL = 4,
    BOUNCE_STAGE_RCPT = 8,
    BOUNCE_STAGE_DATA = 16, /* or BDAT, or the end of the content */
};

struct bounce_rule {
    enum bounce_reason reason;
    const char *phrases; /* one of them is there: in small letters, between '|'; a '*' stands
                            for anything in between; NULL: whatever is said */
    const char *status;  /* "5.1.1", or the beginning of one: "5.7." or ".2.2"; or NULL */
    const char *host;    /* the end of the host's name that said it, or NULL */
    uint16_t code;       /* the reply's; 0: any */
    uint8_t stages;      /* a set of enum bounce_stage; 0: any, unknown too */
};

extern const struct bounce_rule bounce_rules[];
extern const size_t bounce_rules_count;

#endif
