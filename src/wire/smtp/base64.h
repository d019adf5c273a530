/* base64.h: octets as base64 in one line, as AUTH carries them (RFC 4648 4, RFC 4954 4).
 * Pure. */
#ifndef GODWIT_WIRE_SMTP_BASE64_H
#define GODWIT_WIRE_SMTP_BASE64_H

#include "base/buffer.h"

void base64_append(struct buffer *out, struct slice octets);

/* Appends the octets. False, `out` as it was, when the text is anything but groups of
 * four with their padding and no bit beside: nothing is skipped. Without room `out`
 * overflows. */
bool base64_read(struct slice text, struct buffer *out);

#endif
