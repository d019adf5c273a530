/* network.h: a range of addresses, "192.0.2.0/24" (RFC 4632) or "2001:db8::/32". */
#ifndef GODWIT_NET_NETWORK_H
#define GODWIT_NET_NETWORK_H

#include "net/address.h"

struct network {
    uint8_t bytes[16];
    uint8_t prefix;  /* bits */
    bool is_v6;
};

/* One address is a network too. Bits below the prefix must be zero. */
bool network_parse(struct slice text, struct network *out);

/* IPv4 mapped into IPv6 counts as IPv4. A Unix socket is in no network. */
bool network_has(const struct network *network, const struct net_address *address);

bool networks_have(const struct network *networks, size_t count,
                   const struct net_address *address);

#endif
