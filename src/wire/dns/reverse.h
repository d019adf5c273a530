/* reverse.h: the name that an address has in the reverse zones (RFC 1035 3.5, RFC 3596 2.5). */
#ifndef GODWIT_WIRE_DNS_REVERSE_H
#define GODWIT_WIRE_DNS_REVERSE_H

#include "base/buffer.h"

/* Appends "1.2.0.192.in-addr.arpa" of 4 octets, nibbles and "ip6.arpa" of 16. */
void dns_reverse_append(struct buffer *out, const uint8_t *octets, size_t len);

#endif
