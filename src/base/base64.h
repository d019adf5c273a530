/* base64.h: octets as letters and back (RFC 4648 4, RFC 2045 6.8). Pure; any thread. */
#ifndef GODWIT_BASE_BASE64_H
#define GODWIT_BASE_BASE64_H

#include "base/buffer.h"

/* Padded, without line breaks. */
void base64_append(struct buffer *out, struct slice bytes);

/* Appends what the text stands for; false, and part of it may be there, when it is not
 * strictly base64: no blanks, padding where it belongs, no stray bits. Overflow shows in
 * the buffer. */
bool base64_decode(struct slice text, struct buffer *out);

/* The same where people may have touched it: spaces, tabs, CR and LF may stand anywhere,
 * the padding may be missing. Overflow is false too. */
bool base64_read(struct slice text, struct buffer *out);

#endif
