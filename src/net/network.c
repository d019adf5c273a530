/* network.c: prefixes, bit by bit. */
#include "net/network.h"

static size_t address_bytes(const struct net_address *address, uint8_t out[16])
{
    struct net_address plain = *address;
    net_address_unmap(&plain);
    if (plain.any.sa_family == AF_INET) {
        memcpy(out, &plain.v4.sin_addr, 4);
        return 4;
    }
    if (plain.any.sa_family == AF_INET6) {
        memcpy(out, &plain.v6.sin6_addr, 16);
        return 16;
    }
    return 0;
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static bool has_host_bits(const struct network *n, size_t len)
{
    for (unsigned bit = n->prefix; bit < len * 8; bit++)
        if ((n->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0)
            return true;
    return false;
}

bool network_parse(struct slice text, struct network *out)
{
    size_t slash = slice_find(text, '/');
    struct slice host = slash == SLICE_NOT_FOUND ? text : slice_part(text, 0, slash);
    struct net_address address;
    if (!net_host_parse(host, 0, &address))
        return false;
    struct network n = { .is_v6 = address.any.sa_family == AF_INET6 };
    size_t len = n.is_v6 ? 16 : 4;
    if (n.is_v6)
        memcpy(n.bytes, &address.v6.sin6_addr, 16);
    else
        memcpy(n.bytes, &address.v4.sin_addr, 4);
    uint64_t prefix = len * 8;
    if (slash != SLICE_NOT_FOUND &&
        !slice_to_number(slice_from(text, slash + 1), len * 8, &prefix))
        return false;
    n.prefix = (uint8_t)prefix;
    if (has_host_bits(&n, len))
        return false;
    *out = n;
    return true;
}

bool network_has(const struct network *network, const struct net_address *address)
{
    uint8_t bytes[16];
    size_t len = address_bytes(address, bytes);
    return len == (network->is_v6 ? 16u : 4u) &&
           same_prefix(bytes, network->bytes, network->prefix);
}

bool networks_have(const struct network *networks, size_t count,
                   const struct net_address *address)
{
    for (size_t i = 0; i < count; i++)
        if (network_has(&networks[i], address))
            return true;
    return false;
}
