/* classify.h: the reason of one failure. Pure; any thread. */
#ifndef GODWIT_BOUNCE_CLASSIFY_H
#define GODWIT_BOUNCE_CLASSIFY_H

#include "base/buffer.h"
#include "bounce/rules.h"

enum { BOUNCE_TEXT_MAX = 2048 }; /* octets of a text that count */

/* One failure, as far as it is known. */
struct bounce_said {
    struct slice text;         /* the reply or report, raw; the first BOUNCE_TEXT_MAX count */
    struct smtp_status status; /* class 0: not said apart from the text */
    uint16_t code;             /* 0: likewise */
    enum bounce_stage stage;   /* likewise */
    struct slice host;         /* who said it, or empty */
};

/* Status, code and stage as said, or else as found in the text. */
struct bounce_finding {
    enum bounce_reason reason;
    const struct bounce_rule *rule; /* that fitted; NULL: none */
    struct smtp_status status;
    uint16_t code;
    enum bounce_stage stage;
};

void bounce_classify(const struct bounce_said *said, struct bounce_finding *out);

/* Whether an address with that reason and status is to be given up. */
bool bounce_is_hard(enum bounce_reason reason, struct smtp_status status);

/* Appends the text as rules see it: small letters, one space between words, the codes that
 * begin later lines of a reply taken out. */
void bounce_fold(struct slice text, struct buffer *out);

/* The first reply in a text, "550 5.1.1 ..." in any surroundings. Parts that are not there
 * stay as they are. */
void bounce_find_reply(struct slice text, uint16_t *code, struct smtp_status *status);

/* The command that a folded text says was answered. */
enum bounce_stage bounce_find_stage(struct slice folded);

#endif
