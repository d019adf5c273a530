/* rules_gate.h: the rules of the configuration, asked at each recipient.
 *
 * reject 550 5.7.1, defer 450 4.7.1, close 421 4.7.1; hold and discard hold for the whole
 * message. One gate serves all threads.
 */
#ifndef GODWIT_POLICY_RULES_GATE_H
#define GODWIT_POLICY_RULES_GATE_H

#include "dns/dns.h"
#include "mail/gate.h"

/* ERR_OK, or ERR_MEMORY. `dns` must be closed before the gate. */
enum err policy_rules_gate_open(struct dns *dns, struct gate **out);
/* After the threads of the sessions have ended; what was under way is freed. NULL inside
 * is allowed. */
void policy_rules_gate_close(struct gate **gate);

#endif
