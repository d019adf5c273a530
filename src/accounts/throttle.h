/* throttle.h: what guessing passwords costs.
 *
 * Failures are counted by client (an IPv4 address, an IPv6 /64) and by account. After
 * three, each answer takes twice as long as the one before, the right password's too,
 * since an answer that is quicker tells something. Nobody is ever locked out: the delay
 * is bounded, it halves each ten minutes, and a client that has logged in to the account
 * before does not pay for what others try (HOSTILE 33). Any thread; locked for a look-up
 * only.
 */
#ifndef GODWIT_ACCOUNTS_THROTTLE_H
#define GODWIT_ACCOUNTS_THROTTLE_H

#include "base/err.h"
#include "base/moment.h"
#include "config/config.h"
#include "net/address.h"

struct throttle;

/* Remembers at most `entries_max` clients, accounts and pairs of both; the oldest go. */
enum err throttle_open(size_t entries_max, struct throttle **out);
/* NULL inside is allowed. */
void throttle_close(struct throttle **throttle);

struct throttle_try {
    const struct net_address *client;
    struct slice account;
    const struct config_login *rules;
    struct moment now;
};

/* How long the answer to this try must wait, counting neither success nor failure. */
int64_t throttle_delay_ms(struct throttle *throttle, const struct throttle_try *t);

void throttle_failed(struct throttle *throttle, const struct throttle_try *t);
void throttle_succeeded(struct throttle *throttle, const struct throttle_try *t);

#endif
