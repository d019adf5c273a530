/* message.h: the little of DNS messages and record data that mail reads itself
 * (RFC 1035 section 4). Pure; every length is checked. */
#ifndef GODWIT_WIRE_DNS_MESSAGE_H
#define GODWIT_WIRE_DNS_MESSAGE_H

#include "base/buffer.h"
#include "wire/dns/name.h"

enum dns_type {
    DNS_TYPE_A = 1,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_PTR = 12,
    DNS_TYPE_MX = 15,
    DNS_TYPE_TXT = 16,
    DNS_TYPE_AAAA = 28,
    DNS_TYPE_TLSA = 52,
};

struct dns_mx_record {
    uint16_t preference;
    struct dns_name host; /* empty: the root, "no mail" (RFC 7505) */
};

/* The data of an MX record, its name uncompressed (RFC 1035 3.3.9). */
bool dns_mx_record_read(struct slice data, struct dns_mx_record *out);

/* RFC 6698 2.1; the last part borrows. */
struct dns_tlsa_record {
    uint8_t usage;
    uint8_t selector;
    uint8_t matching;
    struct slice association;
};

/* The data of a TLSA record. False, `out` untouched, when it is cut short or empty. */
bool dns_tlsa_record_read(struct slice data, struct dns_tlsa_record *out);

/* Appends the strings of a TXT record, one behind the other (RFC 1035 3.3.14). False,
 * `out` untouched, when the data is no row of strings; overflow is the caller's. */
bool dns_txt_append(struct slice data, struct buffer *out);

/* How many records of this type stand in the answer section; false when the message
 * does not parse so far. */
bool dns_message_count(struct slice message, uint16_t type, uint32_t *out_count);

#endif
