/* dane.h: what the DNS says of a mail host's certificate (RFC 7672, RFC 7671, RFC 6698).
 *
 * The rules are pure functions over answers (dane.c); dane_look_up() asks for them
 * (lookup.c). They are for a host that was itself found securely: the caller sees to it
 * that the MX records were validated, or that the operator has named the host.
 */
#ifndef GODWIT_TRANSPORT_DANE_DANE_H
#define GODWIT_TRANSPORT_DANE_DANE_H

#include "crypto/tls_client.h"
#include "dns/mx.h"

enum { DANE_RECORDS_MAX = 64 };

enum dane_kind {
    DANE_ABSENT,   /* nothing is published, or nothing that could be relied on */
    DANE_USABLE,   /* the host is known by one of the associations, or not at all */
    DANE_UNUSABLE, /* there is TLS, whoever it is; no clear text */
    DANE_FAILED,   /* the DNS does not say: the host is not to be used now */
};

/* Counted; of one thread. */
struct dane {
    unsigned references;
    enum dane_kind kind;
    const char *why;              /* of DANE_FAILED and DANE_UNUSABLE; static */
    struct dns_name base;         /* the TLSA base domain of RFC 7672 2.2.3 */
    size_t records_count;         /* all that were there, usable or not */
    size_t associations_count;    /* the usable ones */
    struct tls_association associations[DANE_RECORDS_MAX];
    char *bytes;                  /* that they point into */
};

/* NULL without memory. One reference. */
struct dane *dane_make(void);
struct dane *dane_hold(struct dane *dane);
/* NULL inside is allowed. */
void dane_drop(struct dane **dane);

/* Pure: takes the answer to the question for TLSA below `base`. False: nothing is published
 * there that counts, and the next candidate is to be asked; else the matter is decided. */
bool dane_take(struct dane *dane, const struct dns_name *base,
               const struct dns_answer *answer);

/* One search. Embedded in its owner, who keeps it until done(). */
struct dane_lookup {
    struct home *home;            /* of the thread that asks */
    void (*done)(struct dane_lookup *lookup);
    const struct dns_host *host;  /* with its addresses looked up; borrowed until done() */
    uint16_t port;
    /* the answer: a reference, or NULL without memory */
    struct dane *dane;
    /* For the search alone. */
    struct dns *dns;
    struct task task;
    struct dns_query query;
    const struct dns_name *candidates[2];
    unsigned candidates_count;
    unsigned candidate;
    struct buffer name;
};

/* The thread of lookup->home. done() follows exactly once, never from inside this call. At
 * most three questions; none for a host whose addresses were not validated and that is no
 * alias (RFC 7672 2.2.2). */
void dane_look_up(struct dns *dns, struct dane_lookup *lookup);

#endif
