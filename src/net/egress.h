/* egress.h: whether a connection may be made to an address that somebody else has named:
 * the one answer for mail hosts and HTTP alike (HOSTILE 121, 129).
 */
#ifndef GODWIT_NET_EGRESS_H
#define GODWIT_NET_EGRESS_H

#include "net/address.h"

struct egress_rules {
    bool allow_loopback; /* 127/8 and ::1 */
    bool allow_private;  /* RFC 1918, RFC 4193, RFC 6598 */
    bool refuse_public;  /* all others */
};

/* IPv4 within IPv6 is judged as IPv4 (mapped, compatible, NAT64, 6to4); what may hide one that
 * cannot be told (Teredo, NAT64 of a local prefix) is never allowed. Only these families are ever allowed. */
bool egress_is_allowed(const struct net_address *address, const struct egress_rules *rules);

#endif
