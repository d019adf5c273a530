#include "delivery/promise.h"

#define NOT_LISTED "the host is not one of those of the domain's MTA-STS policy"

static bool take_dane(const struct dane *dane, struct promise *out)
{
    if (dane == NULL)
        return false;
    switch (dane->kind) {
    case DANE_ABSENT:
        return false;
    case DANE_USABLE:
        *out = (struct promise){ .kind = TRANSPORT_DANE, .level = TRANSPORT_VERIFIED };
        break;
    case DANE_UNUSABLE:
        *out = (struct promise){ .kind = TRANSPORT_DANE_UNUSABLE,
                                 .level = TRANSPORT_REQUIRED };
        break;
    case DANE_FAILED:
        *out = (struct promise){ .kind = TRANSPORT_DANE, .level = TRANSPORT_VERIFIED,
                                 .refusal = dane->why };
        break;
    }
    out->why = "DANE";
    return true;
}

static void take_policy(const struct mtasts_policy *policy, struct slice host,
                        struct promise *out)
{
    bool is_listed = mtasts_policy_has(policy, host);
    switch (mtasts_policy_mode(policy)) {
    case MTASTS_NONE:
        return;
    case MTASTS_TESTING:
        if (out->kind != TRANSPORT_NO_PROMISE)
            return;
        *out = (struct promise){ .kind = TRANSPORT_STS_TESTING, .why = "MTA-STS",
                                 .doubt = is_listed ? NULL : NOT_LISTED };
        return;
    case MTASTS_ENFORCE:
        *out = (struct promise){ .kind = TRANSPORT_STS, .level = TRANSPORT_VERIFIED,
                                 .why = "MTA-STS", .refusal = is_listed ? NULL : NOT_LISTED };
        return;
    }
}

/* Records of which none is of use ask for TLS alone: a policy may ask for more. */
void promise_judge(const struct dane *dane, const struct mtasts_policy *policy,
                   struct slice host, struct promise *out)
{
    *out = (struct promise){ .kind = TRANSPORT_NO_PROMISE };
    bool decides = take_dane(dane, out) && out->kind == TRANSPORT_DANE;
    if (!decides && policy != NULL)
        take_policy(policy, host, out);
}

void promise_raise(const struct promise *promise, enum transport_level *level,
                   const char **why)
{
    if (promise->level > *level ||
        (promise->level == TRANSPORT_VERIFIED && *level == TRANSPORT_VERIFIED)) {
        *level = promise->level;
        *why = promise->why;
    }
}

bool promise_is_heeded(const struct delivery_route *route)
{
    const struct delivery_security *s = &route->security;
    bool is_mail = route->way == DELIVERY_MX || route->way == DELIVERY_SMTP;
    bool is_settled = s->level == TRANSPORT_VERIFIED && (s->name.len > 0 || s->has_own_trust);
    return is_mail && s->level >= TRANSPORT_OPPORTUNISTIC && !is_settled;
}
