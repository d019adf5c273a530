/* submitted_gate.h: what people submit does not say what we found.
 *
 * Their mail is not checked, and so no Authentication-Results of ours stands in front of
 * it: one that they wrote in our name would be the only one, and their neighbours' programs
 * trust it. It is taken out (RFC 8601 5, HOSTILE 90). One gate serves all threads.
 */
#ifndef GODWIT_VERIFY_SUBMITTED_GATE_H
#define GODWIT_VERIFY_SUBMITTED_GATE_H

#include "mail/gate.h"

/* ERR_OK, or ERR_MEMORY. */
enum err verify_submitted_gate_open(struct gate **out);
/* After the threads of the sessions have ended. NULL inside is allowed. */
void verify_submitted_gate_close(struct gate **gate);

#endif
