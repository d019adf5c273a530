/* find_private.h: an address looked up with all that expanding needs. */
#ifndef GODWIT_ACCOUNTS_FIND_PRIVATE_H
#define GODWIT_ACCOUNTS_FIND_PRIVATE_H

#include "accounts/accounts.h"
#include "mail/srs.h"
#include "wire/smtp/address.h"

struct found {
    enum account_kind kind;
    const struct config_user *user; /* also when an alias of that name goes before; of a
                                     subaddress, whose it is */
    const struct slice *targets;  /* of ACCOUNT_ALIAS; in the configuration */
    size_t targets_count;
    bool is_return;               /* of a sender that was written anew: what it stands for */
    struct slice sender;          /* ... is the only target, in `memory` */
    char memory[SMTP_PATH_MAX];
};

/* How the configuration writes senders anew. Lives as long as that. */
struct srs srs_of(const struct config *config);

/* `key`, which is cleared first, becomes what two addresses of one mailbox have in
 * common. ERR_OK or ERR_MEMORY. */
enum err find_account(const struct config *config, struct slice address,
                      struct buffer *key, struct found *out);

#endif
