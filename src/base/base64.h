/* base64.h: octets as letters and back. RFC 4648 4, strictly: no blanks, no line ends,
 * padding where it belongs, no stray bits. Pure; any thread. */
#ifndef GODWIT_BASE_BASE64_H
#define GODWIT_BASE_BASE64_H

#include "base/buffer.h"

void base64_append(struct buffer *out, struct slice bytes);

/* Appends what the text stands for; false, and part of it may be there, when it is no
 * base64. Overflow shows in the buffer. */
bool base64_decode(struct slice text, struct buffer *out);

#endif
