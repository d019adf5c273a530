/* encoder_private.h: octets as quoted-printable or base64, in lines of at most 76
 * (RFC 2045 6.7 and 6.8). A value. */
#ifndef GODWIT_WIRE_MESSAGE_ENCODER_PRIVATE_H
#define GODWIT_WIRE_MESSAGE_ENCODER_PRIVATE_H

#include "base/buffer.h"

enum encoding {
    ENCODING_NONE,
    ENCODING_QUOTED_PRINTABLE,
    ENCODING_BASE64,
};

struct encoder {
    enum encoding encoding;
    unsigned column;
    char held;         /* a blank that may turn out to end its line, or 0 */
    uint8_t group[3];  /* octets of base64 not yet written */
    unsigned group_len;
};

void encoder_begin(struct encoder *encoder, enum encoding encoding);

/* Octets within a line. */
void encoder_put(struct encoder *encoder, struct slice bytes, struct buffer *out);

/* A line's end, which belongs to what is coded. */
void encoder_put_line_end(struct encoder *encoder, struct buffer *out);

/* Writes what is held back; no line end. */
void encoder_end(struct encoder *encoder, struct buffer *out);

#endif
