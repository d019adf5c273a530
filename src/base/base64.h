/* base64.h: octets as base64 and back (RFC 2045 6.8, RFC 4648 4). Pure; any thread. */
#ifndef GODWIT_BASE_BASE64_H
#define GODWIT_BASE_BASE64_H

#include "base/buffer.h"

/* Padded, without line breaks. */
void base64_append(struct buffer *out, struct slice bytes);

/* Appends what `text` means. Spaces, tabs, CR and LF may stand anywhere in it, the
 * padding may be missing; anything else that is not of the alphabet makes it false, as
 * do bits behind the last octet that are not zero. What *out then holds is of no use. */
bool base64_read(struct slice text, struct buffer *out);

#endif
