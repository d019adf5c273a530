/* account.h: what a recipient's address is to this server. */
#ifndef GODWIT_MAIL_ACCOUNT_H
#define GODWIT_MAIL_ACCOUNT_H

#include "base/err.h"
#include "base/slice.h"

enum account_kind {
    ACCOUNT_FOREIGN, /* in no domain of ours */
    ACCOUNT_RELAY,   /* in a domain that is taken for somebody else */
    ACCOUNT_USER,
    ACCOUNT_ALIAS,   /* stands for others: an alias, the catch-all, postmaster */
    ACCOUNT_UNKNOWN, /* in a domain of ours, but nobody */
};

struct config;

/* ERR_OK with *out_kind, or ERR_MEMORY. Any thread. */
typedef enum err account_find(const struct config *config, struct slice address,
                              enum account_kind *out_kind);

#endif
