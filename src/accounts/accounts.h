/* accounts.h: who is local, and whom an alias stands for.
 *
 * Local parts compare without case and by what they mean: "ann"@x is ann@x. Nothing in
 * a local part has another meaning: '%', '!', '|', '/' and a quoted '@' are letters of
 * a name that somebody has or nobody has (HOSTILE 52, 58-77). An address literal is
 * foreign unless it is configured as a domain. Pure; any thread.
 */
#ifndef GODWIT_ACCOUNTS_ACCOUNTS_H
#define GODWIT_ACCOUNTS_ACCOUNTS_H

#include "base/arena.h"
#include "config/config.h"
#include "mail/account.h"
#include "mail/envelope.h"

/* An address that was checked as RFC 5321 syntax; "postmaster" may stand without a
 * domain (4.1.1.3), and in each local domain it is somebody wherever there is a
 * postmaster at all (4.5.1). An alias goes before a user of the same name, and a user
 * before the catch-all. As account_find says. */
enum err accounts_find(const struct config *config, struct slice address,
                       enum account_kind *out_kind);

/* How many recipients an envelope may have once its aliases are expanded, and how many
 * targets may be looked at on the way. */
enum {
    ACCOUNTS_RECIPIENTS_MAX = 100000,
    ACCOUNTS_STEPS_MAX = 1000000,
};

/* The envelope with its aliases replaced by those whom they stand for, each final
 * address once. Aliases of aliases are followed; what comes round to itself is cut, and
 * the check of the configuration has seen to it that somebody is left. A recipient from
 * an alias keeps NOTIFY and ORCPT, or gets the ORCPT that RFC 3461 5.2.7 wants; where
 * two become one, the first ORCPT stays and the NOTIFY sets are joined. What is new lies
 * in the arena, all else is borrowed from `in`. ERR_OK; ERR_MEMORY, also when the arena
 * is full; ERR_FULL beyond the limits above; ERR_INVALID for an alias without anybody. */
enum err accounts_expand(const struct config *config, const struct envelope *in,
                         struct arena *arena, struct envelope *out);

/* As account_may_send says; `account` is as login_find() makes it. */
enum err accounts_may_send(const struct config *config, struct slice account,
                           struct slice address, bool *out_may);

#endif
