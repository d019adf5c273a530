/* client_keys.h: what a client is counted by: its address and its network.
 *
 * An IPv4 client by its address and by its /24, which may have NETWORK_FACTOR times as much;
 * an IPv6 client by its /64 alone, which is what one customer has (HOSTILE 46). Pure.
 */
#ifndef GODWIT_POLICY_CLIENT_KEYS_H
#define GODWIT_POLICY_CLIENT_KEYS_H

#include "net/address.h"

enum { CLIENT_KEY_MAX = 9, CLIENT_NETWORK_FACTOR = 4 };

/* Each is a letter for its kind, then the bytes of the prefix. */
struct client_keys {
    char network[CLIENT_KEY_MAX];
    size_t network_len;
    char address[CLIENT_KEY_MAX];
    size_t address_len;  /* 0: the network alone counts */
};

/* False for what is no client of the network (a Unix socket): it is not counted. */
bool client_keys_make(const struct net_address *client, struct client_keys *out);

#endif
