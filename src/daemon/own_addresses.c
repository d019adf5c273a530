/* own_addresses.c: the addresses at which a mail host is ourselves (RFC 5321 5.1).
 *
 * Mail hosts listen on port 25: only listeners there count. One that listens on every
 * address stands for all that the machine has.
 */
#include "daemon/engine_private.h"

#include <ifaddrs.h>
#include <stdlib.h>

enum { OWN_MAX = 256, SMTP_PORT = 25 };

static void add(struct engine *e, const struct net_address *address)
{
    if (e->own_addresses_count < OWN_MAX)
        e->own_addresses[e->own_addresses_count++] = *address;
}

static void add_all(struct engine *e)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
        struct net_address address = { .len = 0 };
        int family = i->ifa_addr == NULL ? AF_UNSPEC : i->ifa_addr->sa_family;
        if (family == AF_INET)
            memcpy(&address.v4, i->ifa_addr, address.len = sizeof address.v4);
        else if (family == AF_INET6)
            memcpy(&address.v6, i->ifa_addr, address.len = sizeof address.v6);
        if (address.len > 0)
            add(e, &address);
    }
    freeifaddrs(all);
}

static bool is_any(const struct net_address *a)
{
    if (a->any.sa_family == AF_INET)
        return a->v4.sin_addr.s_addr == INADDR_ANY;
    return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr);
}

bool engine_find_own_addresses(struct engine *e)
{
    e->own_addresses = calloc(OWN_MAX, sizeof *e->own_addresses);
    if (e->own_addresses == NULL)
        return false;
    for (size_t i = 0; i < e->config->listeners_count; i++) {
        const struct net_address *a = &e->config->listeners[i].address;
        if (net_address_port(a) != SMTP_PORT)
            continue;
        if (is_any(a))
            add_all(e);
        else
            add(e, a);
    }
    return true;
}
