/* dane.c: from the answer for TLSA to what is asked of a certificate: the rules, free of
 * I/O.
 *
 * RFC 7672 2.2: usable records make TLS and the certificate mandatory, records of which
 * none is usable TLS alone, a failed look-up keeps mail from the host. What is not
 * validated counts for nothing (RFC 7672 2.2.3).
 */
#include "transport/dane/dane.h"

#include "base/must.h"

#include <stdlib.h>

struct dane *dane_make(void)
{
    struct dane *d = calloc(1, sizeof *d);
    if (d != NULL)
        d->references = 1;
    return d;
}

struct dane *dane_hold(struct dane *dane)
{
    dane->references++;
    return dane;
}

void dane_drop(struct dane **place)
{
    struct dane *d = *place;
    *place = NULL;
    if (d == NULL || --d->references > 0)
        return;
    free(d->bytes);
    free(d);
}

static void fail(struct dane *d, const char *why)
{
    d->kind = DANE_FAILED;
    d->why = why;
}

static size_t size_of(const struct dns_answer *answer)
{
    size_t size = 1;
    for (size_t i = 0; i < answer->records_count; i++)
        size += answer->records[i].len;
    return size;
}

/* Keeps the record where it is usable; a damaged one counts as there all the same. */
static void add(struct dane *d, struct slice data, char **at)
{
    struct dns_tlsa_record r;
    if (d->associations_count == DANE_RECORDS_MAX || !dns_tlsa_record_read(data, &r))
        return;
    struct tls_association a = { r.usage, r.selector, r.matching,
                                 slice_make(*at, r.association.len) };
    memcpy(*at, r.association.data, r.association.len);
    if (!tls_association_is_usable(&a))
        return;
    d->associations[d->associations_count++] = a;
    *at += r.association.len;
}

static void take_records(struct dane *d, const struct dns_answer *answer)
{
    d->records_count = answer->records_count;
    d->bytes = malloc(size_of(answer));
    if (d->bytes == NULL) {
        fail(d, "there is no memory for its TLSA records");
        return;
    }
    char *at = d->bytes;
    for (size_t i = 0; i < answer->records_count; i++)
        add(d, answer->records[i], &at);
    d->kind = d->associations_count > 0 ? DANE_USABLE : DANE_UNUSABLE;
    if (d->kind == DANE_UNUSABLE)
        d->why = "none of its TLSA records is of use";
}

bool dane_take(struct dane *d, const struct dns_name *base, const struct dns_answer *answer)
{
    switch (answer->kind) {
    case DNS_OK:
        if (!answer->secure)
            return false;
        d->base = *base;
        take_records(d, answer);
        return true;
    case DNS_NODATA:
    case DNS_NXDOMAIN:
    case DNS_INVALID: /* no such name can be: nothing is published there */
        return false;
    case DNS_BOGUS:
        fail(d, "its TLSA records fail DNSSEC validation");
        return true;
    case DNS_TIMEOUT:
        fail(d, "the DNS did not answer in time for its TLSA records");
        return true;
    case DNS_SERVFAIL:
    case DNS_CANCELLED:
        break;
    }
    fail(d, "its TLSA records cannot be looked up now");
    return true;
}
