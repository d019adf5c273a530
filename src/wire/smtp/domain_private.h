/* domain_private.h: what address.c needs of domain.c. */
#ifndef GODWIT_WIRE_SMTP_DOMAIN_PRIVATE_H
#define GODWIT_WIRE_SMTP_DOMAIN_PRIVATE_H

#include "base/cursor.h"
#include "wire/smtp/address.h"

/* Takes a domain name or an address literal; false, not moved, when there is none.
 * Lengths of the whole are not checked here. */
bool domain_take(struct cursor *c, struct slice *out_domain,
                 enum smtp_domain_kind *out_kind);

/* Both have been taken by domain_take(). */
bool domain_equal(struct slice a, struct slice b);

#endif
