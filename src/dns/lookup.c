#include "dns/lookup.h"

static enum lookup_kind kind_of(enum dns_kind kind)
{
    switch (kind) {
    case DNS_OK:
        return LOOKUP_FOUND;
    case DNS_NODATA:
        return LOOKUP_NODATA;
    case DNS_NXDOMAIN:
    case DNS_INVALID:
        return LOOKUP_NXDOMAIN;
    case DNS_SERVFAIL:
    case DNS_BOGUS:
    case DNS_TIMEOUT:
    case DNS_CANCELLED:
        break;
    }
    return LOOKUP_FAILED;
}

struct lookup_answer dns_as_lookup(const struct dns_answer *answer)
{
    struct lookup_answer as = {
        .kind = kind_of(answer->kind), .secure = answer->secure, .ttl_s = answer->ttl_s,
    };
    if (as.kind == LOOKUP_FOUND) {
        as.records = answer->records;
        as.records_count = answer->records_count;
    }
    return as;
}

size_t dns_take_addresses(const struct dns_answer *answer, struct net_address *out,
                          size_t most)
{
    size_t count = 0;
    for (size_t i = 0; answer->kind == DNS_OK && i < answer->records_count && count < most;
         i++) {
        struct slice data = answer->records[i];
        struct net_address *a = &out[count];
        bool is_v6 = data.len == 16;
        if (data.len != 4 && !is_v6)
            continue;
        memset(a, 0, sizeof *a);
        a->any.sa_family = is_v6 ? AF_INET6 : AF_INET;
        memcpy(is_v6 ? (void *)&a->v6.sin6_addr : (void *)&a->v4.sin_addr, data.data, data.len);
        a->len = is_v6 ? sizeof a->v6 : sizeof a->v4;
        count++;
    }
    return count;
}
