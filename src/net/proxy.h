/* proxy.h: the PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt).
 *
 * Pure: bytes in, who the client really is out. To be used only where the
 * configuration trusts the address that connected.
 */
#ifndef GODWIT_NET_PROXY_H
#define GODWIT_NET_PROXY_H

#include "net/address.h"

enum proxy_result {
    PROXY_MORE,    /* not all there yet; never for more than PROXY_HEADER_MAX bytes */
    PROXY_DONE,
    PROXY_INVALID, /* not this protocol: close */
};

enum { PROXY_HEADER_MAX = 536 };

struct proxy_header {
    size_t len;               /* bytes to skip */
    bool has_client;          /* false for UNKNOWN and LOCAL: keep the real one */
    struct net_address client;
};

enum proxy_result proxy_parse(struct slice bytes, struct proxy_header *out);

#endif
