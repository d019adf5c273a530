/* identity.h: who is sending, from this machine. */
#ifndef GODWIT_CLI_IDENTITY_H
#define GODWIT_CLI_IDENTITY_H

#include "base/buffer.h"

/* The machine's name where it is a domain name, else "localhost". */
void identity_append_hostname(struct buffer *out);

/* The name of the user who runs this, as a local part; "nobody" when it is none. */
void identity_append_user(struct buffer *out);

#endif
