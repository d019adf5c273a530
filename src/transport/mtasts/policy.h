/* policy.h: the record and the policy of MTA-STS as values (RFC 8461 3.1, 3.2, 4.1). Pure.
 *
 * A policy is immutable and counted: any thread may read it.
 */
#ifndef GODWIT_TRANSPORT_MTASTS_POLICY_H
#define GODWIT_TRANSPORT_MTASTS_POLICY_H

#include "base/buffer.h"
#include "base/slice.h"

enum { MTASTS_ID_MAX = 32, MTASTS_POLICY_MAX = 64 * 1024 };
enum { MTASTS_AGE_MAX_S = 31557600 }; /* a year: RFC 8461 3.2 */

struct mtasts_id {
    char text[MTASTS_ID_MAX + 1]; /* empty: none */
};

/* The strings of the TXT records of "_mta-sts.DOMAIN", each joined to one. False: the domain
 * has no record that counts. */
bool mtasts_record_read(const struct slice *texts, size_t count, struct mtasts_id *out);

enum mtasts_mode {
    MTASTS_NONE,
    MTASTS_TESTING,
    MTASTS_ENFORCE,
};

struct mtasts_policy;

/* At most MTASTS_POLICY_MAX octets. NULL: *out is a policy with one reference; else why not,
 * in static words. */
const char *mtasts_policy_read(struct slice text, struct mtasts_policy **out);
struct mtasts_policy *mtasts_policy_hold(struct mtasts_policy *policy);
/* NULL inside is allowed. */
void mtasts_policy_drop(struct mtasts_policy **policy);

/* The policy as text that mtasts_policy_read() reads to the same. */
void mtasts_policy_write(const struct mtasts_policy *policy, struct buffer *out);

enum mtasts_mode mtasts_policy_mode(const struct mtasts_policy *policy);
uint32_t mtasts_policy_age_s(const struct mtasts_policy *policy);
/* "enforce"; static. */
const char *mtasts_mode_text(enum mtasts_mode mode);

/* The n-th pattern, from 0; empty: there are no more. */
struct slice mtasts_policy_pattern(const struct mtasts_policy *policy, size_t n);
/* Whether a host of this name, as the MX record says it, is one of the policy's. */
bool mtasts_policy_has(const struct mtasts_policy *policy, struct slice host);

#endif
