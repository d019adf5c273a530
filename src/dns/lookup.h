/* lookup.h: the resolver's answer as the value that those who check mail take. */
#ifndef GODWIT_DNS_LOOKUP_H
#define GODWIT_DNS_LOOKUP_H

#include "dns/dns.h"
#include "mail/lookup.h"

/* Borrows from `answer`. What is no name is answered as one that does not exist; bogus
 * is as bad as no answer. */
struct lookup_answer dns_as_lookup(const struct dns_answer *answer);

#endif
