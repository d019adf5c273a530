/* login.h: the names under which people log in. Pure; any thread. */
#ifndef GODWIT_ACCOUNTS_LOGIN_H
#define GODWIT_ACCOUNTS_LOGIN_H

#include "base/buffer.h"
#include "config/config.h"

enum { LOGIN_NAME_MAX = 512 };

/* Who that is: a whole address, or a local part where one domain alone has people that
 * can log in. *out_user is NULL for nobody. `account`, cleared first, becomes the name by
 * which all else knows the account: what the local part means, lower case, '@', the
 * canonical domain; of nobody, what was said. ERR_OK, or ERR_MEMORY. */
enum err login_find(const struct config *config, struct slice name, struct buffer *account,
                    const struct config_user **out_user);

#endif
