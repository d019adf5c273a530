/* account.h: accounts that are made up for a test. Their names vouch for themselves, so that
 * both processes know one without telling each other. Any thread. */
#ifndef GODWIT_SANDBOX_ACCOUNT_H
#define GODWIT_SANDBOX_ACCOUNT_H

#include "base/buffer.h"

enum { ACCOUNT_SECRET_BYTES = 32 };

/* "name.proof@domain", and a password. False: no randomness. */
bool account_make(struct slice secret, struct slice domain, struct buffer *out_name,
                  struct buffer *out_password);

/* Whether account_make() has made that name. */
bool account_is_made(struct slice secret, struct slice name);

#endif
