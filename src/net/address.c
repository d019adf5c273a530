/* address.c: text and socket addresses, both ways. */
#include "net/address.h"

#include "base/cursor.h"

#include <arpa/inet.h>
#include <stddef.h>

static bool parse_v4(struct slice host, uint16_t port, struct net_address *out)
{
    char text[INET_ADDRSTRLEN];
    struct net_address a = { .v4 = { .sin_family = AF_INET, .sin_port = htons(port) },
                             .len = sizeof a.v4 };
    if (host.len == 0 || host.len >= sizeof text ||
        slice_find(host, '\0') != SLICE_NOT_FOUND)
        return false;
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    if (inet_pton(AF_INET, text, &a.v4.sin_addr) != 1)
        return false;
    *out = a;
    return true;
}

static bool parse_v6(struct slice host, uint16_t port, struct net_address *out)
{
    char text[INET6_ADDRSTRLEN];
    struct net_address a = { .v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) },
                             .len = sizeof a.v6 };
    if (host.len == 0 || host.len >= sizeof text ||
        slice_find(host, '\0') != SLICE_NOT_FOUND)
        return false;
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) != 1)
        return false;
    *out = a;
    return true;
}

bool net_host_parse(struct slice text, uint16_t port, struct net_address *out)
{
    if (text.len > 2 && text.data[0] == '[' && text.data[text.len - 1] == ']')
        return parse_v6(slice_part(text, 1, text.len - 2), port, out) ||
               parse_v4(slice_part(text, 1, text.len - 2), port, out);
    return parse_v4(text, port, out) || parse_v6(text, port, out);
}

static bool parse_path(struct slice text, struct net_address *out)
{
    struct net_address a = { .local = { .sun_family = AF_UNIX } };
    if (text.len >= sizeof a.local.sun_path ||
        slice_find(text, '\0') != SLICE_NOT_FOUND)
        return false;
    memcpy(a.local.sun_path, text.data, text.len);
    a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + text.len + 1);
    *out = a;
    return true;
}

bool net_address_parse(struct slice text, struct net_address *out)
{
    if (text.len > 0 && text.data[0] == '/')
        return parse_path(text, out);
    size_t colon = slice_find_last(text, ':');
    struct slice host = colon == SLICE_NOT_FOUND ? SLICE("*")
                                                 : slice_part(text, 0, colon);
    struct slice digits = colon == SLICE_NOT_FOUND ? text : slice_from(text, colon + 1);
    uint64_t port;
    if (!slice_to_number(digits, 65535, &port))
        return false;
    if (slice_equal(host, SLICE("*")))
        return parse_v6(SLICE("::"), (uint16_t)port, out);
    if (slice_equal_nocase(host, SLICE("localhost")))
        return parse_v4(SLICE("127.0.0.1"), (uint16_t)port, out);
    if (host.len > 2 && host.data[0] == '[')
        return net_host_parse(host, (uint16_t)port, out);
    return parse_v4(host, (uint16_t)port, out);
}

static void append_host(struct buffer *out, const struct net_address *address,
                        const char *before_v6)
{
    char text[INET6_ADDRSTRLEN];
    if (address->any.sa_family == AF_INET) {
        /* for each session and message: inet_ntop() would go through printf */
        uint32_t bits = ntohl(address->v4.sin_addr.s_addr);
        for (unsigned shift = 32; shift > 0; shift -= 8) {
            buffer_append_number(out, bits >> (shift - 8) & 255u);
            if (shift > 8)
                buffer_append_byte(out, '.');
        }
    } else if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof text);
        buffer_append_string(out, before_v6);
        buffer_append_string(out, text);
    } else {
        buffer_append_string(out, "local");
    }
}

void net_host_append(struct buffer *out, const struct net_address *address)
{
    append_host(out, address, "");
}

void net_literal_append(struct buffer *out, const struct net_address *address)
{
    append_host(out, address, "IPv6:");
}

void net_address_append(struct buffer *out, const struct net_address *address)
{
    if (address->any.sa_family == AF_UNIX) {
        buffer_append_string(out, address->local.sun_path[0] == '\0'
                                      ? "local" : address->local.sun_path);
        return;
    }
    buffer_append_byte(out, '[');
    net_host_append(out, address);
    buffer_append(out, SLICE("]:"));
    buffer_append_number(out, net_address_port(address));
}

uint16_t net_address_port(const struct net_address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohs(address->v4.sin_port);
    return address->any.sa_family == AF_INET6 ? ntohs(address->v6.sin6_port) : 0;
}

void net_address_set_port(struct net_address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET)
        address->v4.sin_port = htons(port);
    else if (address->any.sa_family == AF_INET6)
        address->v6.sin6_port = htons(port);
}

void net_address_unmap(struct net_address *address)
{
    if (address->any.sa_family != AF_INET6 ||
        !IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
        return;
    struct net_address plain = {
        .v4 = { .sin_family = AF_INET, .sin_port = address->v6.sin6_port },
        .len = sizeof plain.v4,
    };
    memcpy(&plain.v4.sin_addr, &address->v6.sin6_addr.s6_addr[12], 4);
    *address = plain;
}

bool net_address_is_loopback(const struct net_address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
    if (address->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
    return address->any.sa_family == AF_UNIX;
}

bool net_address_equal_host(const struct net_address *a, const struct net_address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET)
        return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    if (a->any.sa_family == AF_INET6)
        return IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr);
    return strcmp(a->local.sun_path, b->local.sun_path) == 0;
}
