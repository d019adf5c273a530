/* names.h: which header fields are signed when nobody says. */
#ifndef GODWIT_AUTH_SIGNATURE_NAMES_H
#define GODWIT_AUTH_SIGNATURE_NAMES_H

#include "auth/signature/header.h"

/* Appends their names with colons between: each as often as it is there, and once more
 * where another one must not be added unseen (RFC 6376 5.4, 8.15; HOSTILE 91). */
void signature_names_choose(const struct signature_header *header, struct buffer *out);

#endif
