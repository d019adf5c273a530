/* account_gate.h: how much an account may send in a while.
 *
 * Messages, recipients and octets, each in a sliding window: what was sent in the window
 * before counts in part, as much of that one as still lies within reach. 450 4.7.1 at MAIL,
 * RCPT or the end of data. In memory only: a restart begins anew. One gate serves all
 * threads.
 */
#ifndef GODWIT_POLICY_ACCOUNT_GATE_H
#define GODWIT_POLICY_ACCOUNT_GATE_H

#include "mail/gate.h"

/* Remembers at most `accounts_max`; of more the longest quiet are forgotten. ERR_OK, or
 * ERR_MEMORY. */
enum err policy_account_gate_open(size_t accounts_max, struct gate **out);
/* After the threads of the sessions have ended. NULL inside is allowed. */
void policy_account_gate_close(struct gate **gate);

#endif
