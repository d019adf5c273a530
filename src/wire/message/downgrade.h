/* downgrade.h: a MIME message with 8-bit bodies made fit for a hop of 7 bits.
 *
 * RFC 6152 section 3, RFC 2045, RFC 2046; RFC 1428 for 8-bit text that says nothing of
 * itself (charset unknown-8bit). Bodies of type text become quoted-printable, others
 * base64; what holds no 8-bit octet stays as it is, but for labels "8bit" and "binary",
 * which become "7bit". The message passes twice: the first pass finds what needs a
 * coding, which the header in front of a body has to say, the second one converts.
 *
 * It cannot be done, and is not, when the header of the message, of a part or of a
 * message inside holds 8-bit octets; when they lie inside of multipart/signed, in a
 * message/partial or the like, or in a body that says it is coded already; when the
 * structure is ambiguous, or beyond the limits below. Octets above 127 outside of all
 * parts of a multipart, where no reader looks (RFC 2046 5.1.1), become '?'.
 *
 * Line ends are CRLF; a bare CR or LF is an octet like others. Pure; one owner.
 */
#ifndef GODWIT_WIRE_MESSAGE_DOWNGRADE_H
#define GODWIT_WIRE_MESSAGE_DOWNGRADE_H

#include "base/buffer.h"

enum {
    DOWNGRADE_ENTITIES_MAX = 4096, /* messages, multiparts and parts */
    DOWNGRADE_DEPTH_MAX = 32,      /* of multiparts in one another */
    DOWNGRADE_BOUNDARY_MAX = 200,
    DOWNGRADE_FIELD_MAX = 4096,    /* of the fields that matter, with folds */
};

/* What the first pass found. Begins as all zero. */
struct downgrade_plan {
    bool any;
    bool is_signed; /* by DKIM or ARC (RFC 6376 5.3): a coding would break that */
    uint8_t needs[DOWNGRADE_ENTITIES_MAX / 8]; /* a bit for each, in their order */
};

struct downgrade;

/* The first pass: fills the plan, which is borrowed until it is freed. NULL: no memory. */
struct downgrade *downgrade_scan_new(struct downgrade_plan *plan);

/* The second pass, over the same octets; copies the plan. NULL: no memory. */
struct downgrade *downgrade_convert_new(const struct downgrade_plan *plan);

/* NULL inside is allowed. */
void downgrade_free(struct downgrade **downgrade);

/* The next octets. False, from then on: it cannot be done, or `out` overflowed. `out`
 * (NULL in the first pass) gets at most 4 octets for each one given, and 4096 more. */
bool downgrade_push(struct downgrade *downgrade, struct slice bytes, struct buffer *out);

/* The end of the message; as above. */
bool downgrade_finish(struct downgrade *downgrade, struct buffer *out);

#endif
