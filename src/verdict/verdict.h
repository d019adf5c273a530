/* verdict.h: what mail authentication says of a message, as JSON, with the reasons. New references
 * each; NULL: memory is out. Pure; any thread.
 */
#ifndef GODWIT_VERDICT_VERDICT_H
#define GODWIT_VERDICT_VERDICT_H

#include "auth/message/message.h"

#include <jansson.h>

/* A stranger's text: what is no UTF-8 is escaped. */
json_t *verdict_text(struct slice text);
json_t *verdict_reasons(const struct reasons *reasons);
/* {result, identity, domain, explanation, reason[]} */
json_t *verdict_spf(const struct spf *spf);
/* {result, disposition, policy, policy_domain, org_domain, record, aligned{spf, dkim}, reason[]} */
json_t *verdict_dmarc(const struct dmarc *dmarc);
/* {spf, dkim[{result, domain, selector, algorithm, reason[]}], arc{result, instance, reason[]},
 * dmarc, headers[Authentication-Results]}; what was not evaluated is left out. */
json_t *verdict_message(const struct auth *auth, struct slice authserv_id);

#endif
