/* relay_gate.h: the first gate: whom mail is taken for, and from whom.
 *
 * At GATE_RCPT: users, aliases and relay domains pass; nobody of ours is 550 5.1.1;
 * everybody else passes for a client that is trusted and is 550 5.7.1 for any other
 * (HOSTILE 58-79). It has no state: one gate serves all threads.
 */
#ifndef GODWIT_POLICY_RELAY_GATE_H
#define GODWIT_POLICY_RELAY_GATE_H

#include "mail/account.h"
#include "mail/gate.h"

/* `find` says who a recipient is (accounts_find()). ERR_OK, or ERR_MEMORY. */
enum err policy_relay_gate_open(account_find *find, struct gate **out);

/* NULL inside is allowed. */
void policy_relay_gate_close(struct gate **gate);

#endif
