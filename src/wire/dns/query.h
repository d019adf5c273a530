/* query.h: a question as a server hears it, and its answer (RFC 1035 4.1, RFC 6891 6.1). Pure. */
#ifndef GODWIT_WIRE_DNS_QUERY_H
#define GODWIT_WIRE_DNS_QUERY_H

#include "base/buffer.h"
#include "wire/dns/name.h"

enum { DNS_UDP_PLAIN_MAX = 512, DNS_UDP_EDNS_MAX = 1232, DNS_MESSAGE_MAX = 65535 };

/* RFC 1035 4.1.1 */
enum dns_rcode { DNS_NOERROR, DNS_FORMERR, DNS_SERVFAIL, DNS_NXDOMAIN, DNS_NOTIMP, DNS_REFUSED };

struct dns_asked {
    uint16_t id;
    uint16_t flags;
    struct slice question;    /* on the wire, borrowed; empty: it cannot be read */
    struct dns_name name;
    uint16_t type;
    bool has_edns;
    size_t room;              /* of an answer over UDP */
};

/* False: it is nothing to answer (an answer itself, or less than a header). Else *out_rcode says
 * whether it can be answered at all: DNS_NOERROR, or what to say in place of an answer. */
bool dns_asked_read(struct slice message, struct dns_asked *out, enum dns_rcode *out_rcode);

struct dns_told {
    struct slice owner;       /* a name as text */
    uint16_t type;
    uint32_t ttl_s;
    struct slice data;        /* RDATA */
};

/* Appends the answer, authoritative; with no records and TC where it would be longer than `max`
 * octets. False: there is no room even for that, or an owner is no name. */
bool dns_answer_append(const struct dns_asked *asked, enum dns_rcode rcode,
                       const struct dns_told *told, size_t count, size_t max,
                       struct buffer *out);

/* Appends a name as labels, uncompressed; false: it is none. */
bool dns_name_append(struct slice text, struct buffer *out);

#endif
