#include "wire/dns/reverse.h"

void dns_reverse_append(struct buffer *out, const uint8_t *octets, size_t len)
{
    bool is_v6 = len == 16;
    for (size_t i = len; i > 0; i--)
        if (is_v6)
            buffer_append_format(out, "%x.%x.", octets[i - 1] & 15, octets[i - 1] >> 4);
        else
            buffer_append_format(out, "%u.", octets[i - 1]);
    buffer_append_string(out, is_v6 ? "ip6.arpa" : "in-addr.arpa");
}
