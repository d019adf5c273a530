/* proxy.c: the header of either version, strictly. */
#include "net/proxy.h"

#include "base/cursor.h"

#include <arpa/inet.h>

enum { V1_MAX = 107, V2_FIXED = 16, V2_ADDRESSES_MAX = 520 };

static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* "PROXY" SP ("TCP4" / "TCP6") SP source SP destination SP port SP port CRLF
 * or "PROXY UNKNOWN" anything CRLF; at most 107 bytes. */
static enum proxy_result parse_v1_line(struct slice line, struct proxy_header *out)
{
    struct slice words[6];
    size_t count = 0;
    struct slice rest = line;
    while (count < 6 && slice_split(&rest, ' ', &words[count]))
        count++;
    if (count >= 2 && slice_equal(words[1], SLICE("UNKNOWN")))
        return PROXY_DONE;
    uint64_t port;
    uint64_t destination_port;
    struct net_address destination;
    if (count != 6 || rest.len > 0 || !slice_to_number(words[4], 65535, &port) ||
        !slice_to_number(words[5], 65535, &destination_port) ||
        !net_host_parse(words[2], (uint16_t)port, &out->client) ||
        !net_host_parse(words[3], (uint16_t)destination_port, &destination))
        return PROXY_INVALID;
    int family = slice_equal(words[1], SLICE("TCP4"))   ? AF_INET
                 : slice_equal(words[1], SLICE("TCP6")) ? AF_INET6
                                                        : AF_UNSPEC;
    if (out->client.any.sa_family != family || destination.any.sa_family != family)
        return PROXY_INVALID;
    out->has_client = true;
    return PROXY_DONE;
}

static enum proxy_result parse_v1(struct slice bytes, struct proxy_header *out)
{
    size_t end = slice_find(slice_part(bytes, 0, V1_MAX), '\n');
    if (end == SLICE_NOT_FOUND)
        return bytes.len >= V1_MAX ? PROXY_INVALID : PROXY_MORE;
    if (end == 0 || bytes.data[end - 1] != '\r')
        return PROXY_INVALID;
    struct proxy_header header = { .len = end + 1 };
    enum proxy_result result = parse_v1_line(slice_part(bytes, 0, end - 1), &header);
    if (result == PROXY_DONE)
        *out = header;
    return result;
}

static bool v2_address(unsigned family, struct slice part, struct net_address *out)
{
    struct net_address a = { .len = 0 };
    if (family == 0x11 && part.len >= 12) {
        a.v4.sin_family = AF_INET;
        a.len = sizeof a.v4;
        memcpy(&a.v4.sin_addr, part.data, 4);
        memcpy(&a.v4.sin_port, part.data + 8, 2);
    } else if (family == 0x21 && part.len >= 36) {
        a.v6.sin6_family = AF_INET6;
        a.len = sizeof a.v6;
        memcpy(&a.v6.sin6_addr, part.data, 16);
        memcpy(&a.v6.sin6_port, part.data + 32, 2);
    } else {
        return false;
    }
    net_address_unmap(&a);
    *out = a;
    return true;
}

static enum proxy_result parse_v2(struct slice bytes, struct proxy_header *out)
{
    if (bytes.len < V2_FIXED)
        return PROXY_MORE;
    unsigned command = (unsigned char)bytes.data[12];
    unsigned family = (unsigned char)bytes.data[13];
    size_t len = (size_t)(unsigned char)bytes.data[14] << 8 |
                 (unsigned char)bytes.data[15];
    if (command >> 4 != 2 || (command & 15u) > 1 || len > V2_ADDRESSES_MAX)
        return PROXY_INVALID;
    if (bytes.len < V2_FIXED + len)
        return PROXY_MORE;
    struct proxy_header header = { .len = V2_FIXED + len };
    if ((command & 15u) == 1 && family != 0) {
        if (!v2_address(family, slice_part(bytes, V2_FIXED, len), &header.client))
            return PROXY_INVALID;
        header.has_client = true;
    }
    *out = header;
    return PROXY_DONE;
}

static bool may_begin(struct slice bytes, struct slice signature)
{
    size_t common = bytes.len < signature.len ? bytes.len : signature.len;
    return common == 0 || memcmp(bytes.data, signature.data, common) == 0;
}

enum proxy_result proxy_parse(struct slice bytes, struct proxy_header *out)
{
    if (bytes.len == 0)
        return PROXY_MORE;
    struct slice v2 = slice_make(v2_signature, sizeof v2_signature);
    if (may_begin(bytes, SLICE("PROXY ")))
        return bytes.len < 6 ? PROXY_MORE : parse_v1(bytes, out);
    if (may_begin(bytes, v2))
        return parse_v2(bytes, out);
    return PROXY_INVALID;
}
