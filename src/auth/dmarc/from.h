/* from.h: the domain that a message says it is from (RFC 9989 4.2, 5.3.1 and 11.5).
 *
 * Exactly one From field, all its addresses in one domain; whoever could show another
 * author than we read is refused (HOSTILE 80 to 86). Pure; any thread.
 */
#ifndef GODWIT_AUTH_DMARC_FROM_H
#define GODWIT_AUTH_DMARC_FROM_H

#include "base/slice.h"

enum { DMARC_DOMAIN_MAX = 255 };

enum dmarc_from_result {
    DMARC_FROM_OK,
    DMARC_FROM_ABSENT,    /* no From field */
    DMARC_FROM_SEVERAL,   /* more than one, "From :" counted */
    DMARC_FROM_HIDDEN,    /* the header begins with a line that is no field, and there is an
                             author in it or behind it; or a later one looks like From */
    DMARC_FROM_MALFORMED, /* no list of addresses */
    DMARC_FROM_NOBODY,    /* no address in it */
    DMARC_FROM_DOMAINS,   /* addresses of several domains */
    DMARC_FROM_NO_DOMAIN, /* an address literal, or what can be no name */
};

struct dmarc_from {
    enum dmarc_from_result result;
    uint8_t len;
    char domain[DMARC_DOMAIN_MAX]; /* lower case, A-labels; of DMARC_FROM_OK */
};

static inline struct slice dmarc_from_domain(const struct dmarc_from *from)
{
    return slice_make(from->domain, from->len);
}

/* What is wrong, for people; static. */
const char *dmarc_from_text(enum dmarc_from_result result);

/* Of the header of a message, its fields with their CRLF. */
void dmarc_from_read_header(struct slice header, struct dmarc_from *out);

/* Of the value of the one From field. */
void dmarc_from_read_value(struct slice value, struct dmarc_from *out);

/* Of a domain at hand. */
void dmarc_from_read_domain(struct slice domain, struct dmarc_from *out);

#endif
