/* verify_private.h: the parts of the gate. */
#ifndef GODWIT_VERIFY_VERIFY_PRIVATE_H
#define GODWIT_VERIFY_VERIFY_PRIVATE_H

#include "auth/message/message.h"
#include "config/config.h"
#include "mail/gate.h"
#include "verify/gate.h"

/* results.c: whether the value of an Authentication-Results field claims to be of `id`.
 *
 *   authres-header = "Authentication-Results:" [CFWS] authserv-id [CFWS authres-version] …
 *
 * Whatever stands before the first ';' and outside of comments counts: a field that is
 * half readable is rather taken for ours. */
bool results_are_of(struct slice value, struct slice id);

/* The header without the fields of `id`, into `out`; false, and nothing is written, when
 * there is none of them. */
bool results_remove(struct slice header, struct slice id, struct buffer *out);

/* verdict.c: what is answered at the end of data, and told in the log and to the watcher,
 * who may be NULL. The field is appended to `field`, which lives as long as the answer. */
void verify_decide(const struct gate_question *q, const struct auth *auth,
                   struct verify_watcher *watcher, struct buffer *field,
                   struct gate_answer *out);

/* Our name in these fields. */
struct slice verify_id(const struct config *config);

#endif
