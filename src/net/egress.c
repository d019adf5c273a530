#include "net/egress.h"

static bool v4_is_allowed(const uint8_t *b, const struct egress_rules *rules)
{
    if (b[0] == 127)
        return rules->allow_loopback;
    if (b[0] == 10 || (b[0] == 172 && b[1] >= 16 && b[1] < 32) ||
        (b[0] == 192 && b[1] == 168) || (b[0] == 100 && b[1] >= 64 && b[1] < 128))
        return rules->allow_private;
    return !rules->refuse_public && b[0] != 0 && !(b[0] == 169 && b[1] == 254) && b[0] < 224;
}

/* IPv4 within IPv6: mapped or compatible (RFC 4291 2.5.5), behind NAT64 (RFC 6052 2.1), or 6to4
 * (RFC 3056 2). "::" and "::1" are none. */
static const uint8_t *v4_within(const uint8_t *b)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
    static const uint8_t zeros[15] = { 0 };
    if (memcmp(b, mapped, 12) == 0 || memcmp(b, nat64, 12) == 0 ||
        (memcmp(b, zeros, 12) == 0 && memcmp(b, zeros, 15) != 0))
        return b + 12;
    return b[0] == 0x20 && b[1] == 0x02 ? b + 2 : NULL;
}

/* Teredo (RFC 4380 2.6), NAT64 of a local prefix (RFC 8215). */
static bool may_hide_v4(const uint8_t *b)
{
    static const uint8_t teredo[4] = { 0x20, 0x01, 0x00, 0x00 };
    static const uint8_t local_nat64[6] = { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 };
    return memcmp(b, teredo, 4) == 0 || memcmp(b, local_nat64, 6) == 0;
}

static bool v6_is_allowed(const uint8_t *b, const struct egress_rules *rules)
{
    static const uint8_t zeros[15] = { 0 };
    const uint8_t *v4 = v4_within(b);
    if (v4 != NULL)
        return v4_is_allowed(v4, rules);
    if (memcmp(b, zeros, 15) == 0)
        return b[15] == 1 && rules->allow_loopback;
    if ((b[0] & 0xfe) == 0xfc)
        return rules->allow_private;
    return !rules->refuse_public && b[0] != 0xff && !may_hide_v4(b) &&
           !(b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
}

bool egress_is_allowed(const struct net_address *address, const struct egress_rules *rules)
{
    if (address->any.sa_family == AF_INET)
        return v4_is_allowed((const uint8_t *)&address->v4.sin_addr, rules);
    return address->any.sa_family == AF_INET6 &&
           v6_is_allowed(address->v6.sin6_addr.s6_addr, rules);
}
