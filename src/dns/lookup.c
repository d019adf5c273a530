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
