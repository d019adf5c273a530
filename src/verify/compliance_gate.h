/* compliance_gate.h: submitted mail that large receivers would refuse is told so at the
 * door (verify/compliance.h): refused with the reason, held, or only noted in the log, as the
 * configuration says. Of submission listeners alone. One gate serves all threads.
 */
#ifndef GODWIT_VERIFY_COMPLIANCE_GATE_H
#define GODWIT_VERIFY_COMPLIANCE_GATE_H

#include "mail/gate.h"

/* ERR_OK, or ERR_MEMORY. */
enum err verify_compliance_gate_open(struct gate **out);
/* NULL inside is allowed. */
void verify_compliance_gate_close(struct gate **gate);

#endif
