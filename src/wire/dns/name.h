/* name.h: domain names as the DNS writes them (RFC 1035 2.3.4 and 3.1).
 *
 * Only host names and service names are of use to mail: labels of letters, digits,
 * hyphen and underscore. A name with any other octet does not read, but where it says
 * so. Pure.
 */
#ifndef GODWIT_WIRE_DNS_NAME_H
#define GODWIT_WIRE_DNS_NAME_H

#include "base/cursor.h"

enum { DNS_NAME_MAX = 253 }; /* octets as text, without the last dot */

struct dns_name {
    uint8_t len;  /* 0: the root */
    char text[DNS_NAME_MAX + 1]; /* lower case, no dot at the end, NUL behind */
};

/* Takes an uncompressed name; false, out untouched, when it is cut short, compressed,
 * too long or holds what no host name holds. */
bool dns_name_take(struct cursor *c, struct dns_name *out);

/* The same for what only has to be compared and asked again: any printable ASCII but a
 * dot may stand in a label. */
bool dns_name_take_any(struct cursor *c, struct dns_name *out);

/* From text, with or without the last dot; "." is the root. */
bool dns_name_parse(struct slice text, struct dns_name *out);

static inline struct slice dns_name_slice(const struct dns_name *name)
{
    return slice_make(name->text, name->len);
}

#endif
