/* quota_gate.h: a mailbox that is full says so while the sender is still there.
 *
 * At GATE_RCPT: who has a Maildir with a quota and no room in it gets 452 4.2.2 (RFC
 * 3463 3.3), and so does an alias that leads to such a mailbox and to nobody else; a
 * message of which the size is known (SIZE=, RFC 1870 section 6) must fit. Everybody
 * else passes, also where nothing can be found out: the delivery looks again and keeps
 * the message queued. Mailboxes are only looked at, never made. The disk is asked on
 * the worker pool; one gate serves all threads.
 */
#ifndef GODWIT_POLICY_QUOTA_GATE_H
#define GODWIT_POLICY_QUOTA_GATE_H

#include "event/workers.h"
#include "mail/account.h"
#include "mail/gate.h"

/* `expand` says who is behind a recipient (accounts_expand()). `workers` must be closed
 * before the gate. ERR_OK, or ERR_MEMORY. */
enum err policy_quota_gate_open(account_expand *expand, struct workers *workers,
                                struct gate **out);

/* After the threads of the sessions have ended; what was under way is freed. NULL inside
 * is allowed. */
void policy_quota_gate_close(struct gate **gate);

#endif
