/* known.h: what is known of one domain's MTA-STS, and what follows from news and from time.
 *
 * Floor-internal, for mtasts.c. Pure: time is a parameter. RFC 8461 3.3 and 5.1: a policy
 * holds until its age is over, whatever cannot be asked or fetched in the meantime; only a
 * policy that was fetched takes its place.
 */
#ifndef GODWIT_TRANSPORT_MTASTS_KNOWN_H
#define GODWIT_TRANSPORT_MTASTS_KNOWN_H

#include "base/moment.h"
#include "transport/mtasts/policy.h"

/* All zero: nothing is known. Owns the policy. */
struct known {
    struct mtasts_policy *policy;   /* the last that was fetched; or NULL */
    struct mtasts_id id;            /* of the record under which that was */
    int64_t fetched_wall_ms;
    int64_t asked_until_mono_ms;    /* so long the record need not be asked for; 0: now */
    struct mtasts_id failed;        /* the record whose policy could not be fetched */
    int64_t retry_mono_ms;          /* not before then is that tried again */
};

/* What the DNS said of the record. */
enum known_record {
    RECORD_FOUND,
    RECORD_ABSENT,
    RECORD_FAILED, /* it did not say */
};

/* The policy that holds now, or NULL; not a reference. */
struct mtasts_policy *known_live(const struct known *known, struct moment now);
/* When that ends. */
int64_t known_expires_wall_ms(const struct known *known);
/* Whether it can be answered without the DNS. */
bool known_is_fresh(const struct known *known, struct moment now);

/* The record was asked for; `id` is that of RECORD_FOUND. True: the policy is to be fetched.
 * `refresh`: also under the id that is known. */
bool known_take_record(struct known *known, enum known_record record,
                       const struct mtasts_id *id, uint32_t ttl_s, bool refresh,
                       struct moment now);

/* The policy that was fetched under the id (the reference is taken), or NULL: it could not
 * be. */
void known_take_policy(struct known *known, struct mtasts_policy *policy,
                       const struct mtasts_id *id, struct moment now);

/* Wall time from which a live policy is to be fetched anew without being asked for;
 * INT64_MAX: never. */
int64_t known_refresh_wall_ms(const struct known *known, struct moment now);

/* known = fetched-wall-milliseconds SP id LF policy */
void known_describe(const struct known *known, struct buffer *out);
/* False, nothing changed: that is none, or its time is over. */
bool known_recall(struct known *known, struct slice text, struct moment now);

#endif
