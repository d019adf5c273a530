/* address.h: where a socket is: IPv4 or IPv6 with a port, or a Unix path. */
#ifndef GODWIT_NET_ADDRESS_H
#define GODWIT_NET_ADDRESS_H

#include "base/buffer.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { NET_ADDRESS_TEXT_MAX = 128 }; /* of what is appended below, Unix paths included */

struct net_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
        struct sockaddr_storage storage;
    };
    socklen_t len;
};

/* "192.0.2.1:25", "[2001:db8::1]:25", "*:25" (both families: IPv6 any, dual stack),
 * "localhost:25" (127.0.0.1), a bare port ("25" is "*:25"), or an absolute path.
 * Names are not looked up. False, out untouched, when it is none of these. */
bool net_address_parse(struct slice text, struct net_address *out);

/* "192.0.2.1" or "2001:db8::1", with or without brackets around IPv6. */
bool net_host_parse(struct slice text, uint16_t port, struct net_address *out);

/* "[192.0.2.1]:25", as logs and replies show it; the path of a Unix socket. */
void net_address_append(struct buffer *out, const struct net_address *address);

/* Without port and brackets: "192.0.2.1", "2001:db8::1"; "local" for a Unix one. */
void net_host_append(struct buffer *out, const struct net_address *address);

/* As an RFC 5321 4.1.3 literal without brackets: "192.0.2.1", "IPv6:2001:db8::1". */
void net_literal_append(struct buffer *out, const struct net_address *address);

uint16_t net_address_port(const struct net_address *address);
void net_address_set_port(struct net_address *address, uint16_t port);

/* IPv4 that came mapped into IPv6 (::ffff:192.0.2.1) becomes IPv4. */
void net_address_unmap(struct net_address *address);

bool net_address_is_loopback(const struct net_address *address);
bool net_address_equal_host(const struct net_address *a, const struct net_address *b);

#endif
