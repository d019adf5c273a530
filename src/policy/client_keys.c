#include "policy/client_keys.h"

bool client_keys_make(const struct net_address *client, struct client_keys *out)
{
    struct net_address plain = *client;
    net_address_unmap(&plain);
    *out = (struct client_keys){ .network_len = 0 };
    if (plain.any.sa_family == AF_INET) {
        out->network[0] = 'n';
        memcpy(out->network + 1, &plain.v4.sin_addr, 3);
        out->network_len = 4;
        out->address[0] = 'a';
        memcpy(out->address + 1, &plain.v4.sin_addr, 4);
        out->address_len = 5;
    } else if (plain.any.sa_family == AF_INET6) {
        out->network[0] = '6';
        memcpy(out->network + 1, &plain.v6.sin6_addr, 8);
        out->network_len = 9;
    }
    return out->network_len > 0;
}
