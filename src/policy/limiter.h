/* limiter.h: how many connections are open, in all and of a client, over all threads.
 *
 * An IPv4 client is counted by its address and by its /24, which may hold four times
 * as many; an IPv6 client by its /64, which is what one customer has (HOSTILE 46). Only
 * open connections take memory, two entries each at most. Any thread; a shard is locked
 * for a look-up only, and the count of all is one atomic number.
 */
#ifndef GODWIT_POLICY_LIMITER_H
#define GODWIT_POLICY_LIMITER_H

#include "base/err.h"
#include "net/address.h"

struct limiter;

/* `entries_max` bounds the addresses and networks that are counted at a time; beyond it
 * new ones are refused. ERR_OK, or ERR_MEMORY. */
enum err limiter_open(size_t entries_max, struct limiter **out);

/* Every connection must have been left. NULL inside is allowed. */
void limiter_close(struct limiter **limiter);

/* Counts one more connection of all, whoever it is, or says false when there are `max`
 * already. What was counted must leave. */
bool limiter_enter_all(struct limiter *limiter, uint32_t max);
void limiter_leave_all(struct limiter *limiter);

/* How many of all there are now. */
uint32_t limiter_count(const struct limiter *limiter);

/* Counts one more connection of a client, or says false, and counts nothing, when the client or
 * its network has too many already, or memory is out. A Unix socket always may. */
bool limiter_enter(struct limiter *limiter, const struct net_address *client,
                   uint32_t max_per_client);

/* One connection, which limiter_enter() counted, has ended. */
void limiter_leave(struct limiter *limiter, const struct net_address *client);

#endif
