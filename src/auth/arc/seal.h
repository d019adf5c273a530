/* seal.h: adding an ARC set to a message that is sent on (RFC 8617 5.1), without I/O and
 * without a clock.
 *
 * A sealer is given the header as it will leave, with the fields of the chain that it came
 * with, then the body as it flows by; at the end it writes the three fields, to stand
 * before the header. One owner, one thread.
 */
#ifndef GODWIT_AUTH_ARC_SEAL_H
#define GODWIT_AUTH_ARC_SEAL_H

#include "auth/arc/validate.h"
#include "base/buffer.h"
#include "crypto/key.h"

/* Borrowed for arc_sealer_new(), but for the key, which is held. */
struct arc_sealing {
    struct private_key *key;
    struct slice domain;     /* in any form; written in A-labels */
    struct slice selector;
    struct slice results;    /* authres-payload of RFC 8601: "mx.example; spf=pass ...",
                                folded if long, without a line end behind it */
    enum arc_result chain;   /* what the validator said when the message came in */
    int64_t signed_at_s;     /* t=; negative: without */
};

enum arc_sealing_fault {
    ARC_SEALING_FINE,
    ARC_SEALING_DOMAIN,      /* no domain name of two labels at least */
    ARC_SEALING_SELECTOR,    /* no selector, or too long with the domain */
    ARC_SEALING_RESULTS,     /* empty, or cannot stand in a field */
    ARC_SEALING_GIVEN_UP,    /* the newest seal says cv=fail: nothing may be added */
    ARC_SEALING_FULL,        /* there are 50 sets */
    ARC_SEALING_HEADER,      /* the header begins with a blank */
};

/* In words; static text. */
const char *arc_sealing_fault_text(enum arc_sealing_fault fault);

struct arc_sealer;

/* `header` is borrowed for the call. ERR_INVALID with *out_fault set; ERR_FULL: more
 * fields than HEADER_FIELDS_MAX; ERR_MEMORY. */
enum err arc_sealer_new(const struct arc_sealing *sealing, struct slice header,
                        struct arc_sealer **out, enum arc_sealing_fault *out_fault);
/* NULL inside is allowed. */
void arc_sealer_free(struct arc_sealer **sealer);

void arc_sealer_body(struct arc_sealer *sealer, struct slice piece);

/* Appends the set: ARC-Seal, ARC-Message-Signature, ARC-Authentication-Results. Once.
 * ERR_MEMORY. */
enum err arc_sealer_finish(struct arc_sealer *sealer, struct buffer *out);

#endif
