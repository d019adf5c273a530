/* submission_gate.h: what a message of a user's program still needs. RFC 6409 8.
 *
 * On submission listeners, at GATE_HEADER: Date and Message-ID are added where they are
 * missing, Bcc and Return-Path are taken out (RFC 5322 3.6.3), each said in the log. From
 * who has logged in, a header that others may read otherwise is refused: lines that are
 * no field, no From or two of them, and octets above 127 that nothing explains, neither
 * MIME nor 8BITMIME nor SMTPUTF8 (6409 4.3). One gate serves all threads.
 */
#ifndef GODWIT_POLICY_SUBMISSION_GATE_H
#define GODWIT_POLICY_SUBMISSION_GATE_H

#include "mail/gate.h"

/* ERR_OK, or ERR_MEMORY. */
enum err policy_submission_gate_open(struct gate **out);
/* After the threads of the sessions have ended. NULL inside is allowed. */
void policy_submission_gate_close(struct gate **gate);

#endif
