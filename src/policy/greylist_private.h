/* greylist_private.h: the decision (greylist.c), apart from the gate (greylist_gate.c). */
#ifndef GODWIT_POLICY_GREYLIST_PRIVATE_H
#define GODWIT_POLICY_GREYLIST_PRIVATE_H

#include "config/config.h"
#include "net/address.h"
#include "store/store.h"

enum { GREYLIST_KEY_MAX = 640, GREYLIST_ROWS_MAX = 1000000, GREYLIST_KNOWN_AFTER = 5 };

struct greylist_visit {
    struct slice network;
    struct slice sender;
    struct slice recipient;
    struct config_greylist times;
    int64_t now_ms;             /* since 1970 */
};

/* "192.0.2", "2001:db8:0:1"; false: it has none (a Unix socket). */
bool greylist_network(const struct net_address *client, struct buffer *out);
/* The sender as it is compared. */
void greylist_sender(struct slice sender, struct buffer *out);

/* On the store's thread: 0: it passes; else how long to wait. False: the store failed. */
bool greylist_decide(struct store *store, const struct greylist_visit *visit,
                     int64_t *out_wait_ms);
/* Forgets what was not used for long. */
bool greylist_expire(struct store *store, const struct config_greylist *times, int64_t now_ms);

#endif
