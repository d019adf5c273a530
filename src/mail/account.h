/* account.h: what a recipient's address is to this server. */
#ifndef GODWIT_MAIL_ACCOUNT_H
#define GODWIT_MAIL_ACCOUNT_H

#include "base/arena.h"
#include "base/err.h"
#include "mail/envelope.h"

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

/* The envelope with its aliases replaced by those whom they stand for. What is new lies
 * in the arena, all else is borrowed from `in`. ERR_OK; ERR_MEMORY, also when the arena
 * is full; ERR_FULL beyond the limits of an envelope. Any thread. */
typedef enum err account_expand(const struct config *config, const struct envelope *in,
                                struct arena *arena, struct envelope *out);

/* Whether an account may use the address as a sender: its own, that of an alias whose mail
 * it alone gets, or one that the configuration gives to it. ERR_OK with *out_may, or
 * ERR_MEMORY. Any thread. */
typedef enum err account_may_send(const struct config *config, struct slice account,
                                  struct slice address, bool *out_may);

#endif
