/* greylist_gate.h: who is new comes again (RFC 6647).
 *
 * At GATE_RCPT a stranger's network, sender and recipient that were not seen together
 * before get 450 4.7.1, until `delay` has passed; who comes again within `window` is let
 * through from then on. A network from which several have come again is known: it is not
 * asked any more. Both are forgotten when they were not used for `keep`. A network is the
 * first 24 bits of an IPv4 address, the first 64 of IPv6; of a sender digits are one, and
 * what stands behind '+' is not looked at, so that a list's numbered senders are the same.
 *
 * Who has logged in, is trusted, or whom a rule let pass is not asked. Where the store
 * cannot be asked mail passes. One gate serves all threads.
 */
#ifndef GODWIT_POLICY_GREYLIST_GATE_H
#define GODWIT_POLICY_GREYLIST_GATE_H

#include "mail/gate.h"
#include "store/store.h"

/* Its tables: for store_open(). */
extern const struct store_module greylist_module;

/* `store` must be closed before the gate; NULL: everybody passes. ERR_OK, or ERR_MEMORY. */
enum err policy_greylist_gate_open(struct store *store, struct gate **out);

/* After the threads of the sessions have ended; what was under way is freed. NULL inside
 * is allowed. */
void policy_greylist_gate_close(struct gate **gate);

#endif
