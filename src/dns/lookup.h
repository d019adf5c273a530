/* lookup.h: the resolver's answer as the value that those who check mail take. */
#ifndef GODWIT_DNS_LOOKUP_H
#define GODWIT_DNS_LOOKUP_H

#include "dns/dns.h"
#include "mail/lookup.h"

/* Borrows from `answer`. What is no name is answered as one that does not exist; bogus
 * is as bad as no answer. */
struct lookup_answer dns_as_lookup(const struct dns_answer *answer);

/* The addresses in an answer to a question for A or AAAA, at most `most`, without ports;
 * returns how many. */
size_t dns_take_addresses(const struct dns_answer *answer, struct net_address *out,
                          size_t most);

#endif
