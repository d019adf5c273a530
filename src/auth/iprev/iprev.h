/* iprev.h: whether a client's address and a name agree on each other (RFC 8601 3).
 *
 * A step machine without I/O and clock, as auth/spf/spf.h: it asks for the names that the
 * address has, then for the addresses of these. A value; one owner, one thread.
 */
#ifndef GODWIT_AUTH_IPREV_IPREV_H
#define GODWIT_AUTH_IPREV_IPREV_H

#include "base/buffer.h"
#include "mail/lookup.h"
#include "wire/dns/name.h"

enum { IPREV_NAMES_MAX = 5 }; /* that are looked at; most addresses have one */

/* RFC 8601 2.7.3. */
enum iprev_result {
    IPREV_PASS,
    IPREV_FAIL,      /* there are names, and none leads back */
    IPREV_TEMPERROR, /* the DNS did not answer */
    IPREV_PERMERROR, /* there is no name */
};

/* "pass"; static text. */
const char *iprev_result_text(enum iprev_result result);

struct iprev {
    uint8_t octets[16];
    size_t len;
    char asked[DNS_NAME_MAX + 1]; /* the address's own name */
    size_t asked_len;
    bool has_names;               /* the first question was answered */
    bool any_failed;
    bool is_done;
    struct dns_name names[IPREV_NAMES_MAX];
    size_t names_count;
    size_t at;
    enum iprev_result result;
};

/* Of 4 octets, or of 16; IPv4 mapped into IPv6 is IPv4. */
void iprev_begin(const uint8_t *octets, size_t len, struct iprev *out);

/* True: *out_question is to be answered; the same until it was. False: it is done. */
bool iprev_next(const struct iprev *iprev, struct lookup_question *out_question);
/* Only when iprev_next() has asked. */
void iprev_answer(struct iprev *iprev, const struct lookup_answer *answer);

/* Only when it is done; the name that leads back, or empty. */
enum iprev_result iprev_result(const struct iprev *iprev);
struct slice iprev_name(const struct iprev *iprev);

/* Appends "iprev=pass policy.iprev=192.0.2.1 (mx.example.com)". */
void iprev_append_result(const struct iprev *iprev, struct buffer *out);

#endif
