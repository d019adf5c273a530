/* promise.h: what a next hop itself says of its TLS, joined to one demand for each host.
 *
 * Pure, for the search, for the site's key, and for who explains it all. RFC 7672 2.2 (DANE
 * comes first), RFC 8461 2 and 5.
 */
#ifndef GODWIT_DELIVERY_PROMISE_H
#define GODWIT_DELIVERY_PROMISE_H

#include "delivery/route.h"
#include "transport/dane/dane.h"
#include "transport/mtasts/policy.h"

struct promise {
    enum transport_promise kind;
    enum transport_level level; /* the least that is asked for; TRANSPORT_UNSAID: nothing */
    const char *why;            /* "DANE"; NULL: nothing is promised; static */
    const char *refusal;        /* the host is not to be used now, and why; NULL: it may be */
    const char *doubt;          /* what is wrong by a policy that is only tested; or NULL */
};

/* `dane` and `policy` may be NULL: nothing is known of them. The host is that of the MX
 * record, or the domain itself. */
void promise_judge(const struct dane *dane, const struct mtasts_policy *policy,
                   struct slice host, struct promise *out);

/* Raises a level, and says who asks for it, where the promise asks for more; who asks for a
 * certificate decides which one is good. */
void promise_raise(const struct promise *promise, enum transport_level *level,
                   const char **why);

/* Whether the route leaves anything to be promised: not where TLS is ruled out, nor where the
 * operator has said whose certificates are good. */
bool promise_is_heeded(const struct delivery_route *route);

#endif
