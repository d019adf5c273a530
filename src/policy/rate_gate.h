/* rate_gate.h: how much a client may ask for in a while.
 *
 * Connections, messages (MAIL) and recipients (RCPT) of each client that may not relay and has
 * not logged in, in a sliding window; by address and by network, as client_keys.h says
 * (HOSTILE 46). 421 4.7.0 in place of the greeting, 450 4.7.1 later. What is refused does not
 * count. In memory only. One gate serves all threads.
 */
#ifndef GODWIT_POLICY_RATE_GATE_H
#define GODWIT_POLICY_RATE_GATE_H

#include "base/err.h"
#include "mail/gate.h"

/* Remembers at most `keys_max` addresses and networks; of more the longest quiet are
 * forgotten. ERR_OK, or ERR_MEMORY. */
enum err policy_rate_gate_open(size_t keys_max, struct gate **out);
/* After the threads of the sessions have ended. NULL inside is allowed. */
void policy_rate_gate_close(struct gate **gate);

#endif
