/* text.h: the data of TXT records (RFC 1035 3.3.14). Pure. */
#ifndef GODWIT_WIRE_DNS_TEXT_H
#define GODWIT_WIRE_DNS_TEXT_H

#include "base/buffer.h"
#include "base/cursor.h"

/* Appends the strings of a record, joined without anything between them, as SPF and DKIM
 * read them (RFC 7208 3.3, RFC 6376 3.6.2.2). False when the data is cut short. */
bool dns_text_append(struct buffer *out, struct slice data);

#endif
