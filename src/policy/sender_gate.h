/* sender_gate.h: who has logged in sends as itself, and as those it may stand for.
 *
 * At GATE_MAIL the sender of the envelope, at GATE_HEADER every address in From, Sender
 * and their Resent- kin: 553 5.7.1 and 550 5.7.1 (HOSTILE 78). The null sender passes.
 * Who has not logged in is no concern of this gate. One gate serves all threads.
 */
#ifndef GODWIT_POLICY_SENDER_GATE_H
#define GODWIT_POLICY_SENDER_GATE_H

#include "mail/account.h"
#include "mail/gate.h"

/* `may_send` says who may send as whom (accounts_may_send()). ERR_OK, or ERR_MEMORY. */
enum err policy_sender_gate_open(account_may_send *may_send, struct gate **out);

/* After the threads of the sessions have ended. NULL inside is allowed. */
void policy_sender_gate_close(struct gate **gate);

#endif
