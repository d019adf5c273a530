/* rules.h: which rule of the configuration decides about a recipient.
 *
 * A machine without I/O: it asks for what it needs of the DNS, and only when a rule comes
 * to it. RFC 5782 (lists in the DNS), RFC 1912 2.1 (a name counts when it leads back), RFC
 * 5321 4.1.1.1 (what a client may call itself). A look-up that fails matches nothing. One owner, one thread.
 */
#ifndef GODWIT_POLICY_RULES_H
#define GODWIT_POLICY_RULES_H

#include "config/config.h"
#include "mail/lookup.h"
#include "wire/dns/message.h"

/* Borrowed as long as the run. */
struct rules_facts {
    const struct config *config;
    const struct net_address *client;
    bool is_submission;
    bool is_tls;
    struct slice account;   /* empty: nobody has logged in */
    struct slice helo;
    struct slice from;      /* empty: the null sender */
    struct slice to;
};

enum { RULES_NAMES_MAX = 5, RULES_LISTS_MAX = 16, RULES_VALUES_MAX = 8 };

/* What the DNS said of a client; zeroed at first, kept as long as the client is one. */
struct rules_memory {
    bool names_known;       /* those that lead back: */
    size_t names_count;
    struct dns_name names[RULES_NAMES_MAX];
    uint32_t helo_is;       /* of enum config_helo, what the DNS says of it; ... */
    bool helo_known;        /* ... once it was asked */
    size_t lists_count;
    struct rules_list {
        struct dns_name zone;
        size_t count;       /* 0: not listed */
        uint32_t values[RULES_VALUES_MAX]; /* IPv4, in the host's order */
    } lists[RULES_LISTS_MAX];
};

enum rules_step {
    RULES_ASK,              /* `question` */
    RULES_DECIDED,          /* `rule`, NULL when none matches */
};

struct rules_run {
    struct rules_facts facts;
    struct rules_memory *memory;
    size_t at;              /* the rule that is looked at */
    const struct config_rule *rule;
    struct lookup_question question;
    /* under way */
    char name[DNS_NAME_MAX + 1];
    bool is_about_helo;
    struct rules_list *list;
    struct dns_name candidates[RULES_NAMES_MAX];
    size_t candidates_count;
    size_t candidate;
    bool asks_names;
    size_t helo_asked;      /* questions about what the client calls itself */
    bool helo_unsure;       /* one of them failed */
};

void rules_begin(struct rules_run *run, const struct rules_facts *facts,
                 struct rules_memory *memory);
enum rules_step rules_next(struct rules_run *run);
void rules_answer(struct rules_run *run, const struct lookup_answer *answer);

/* After a rule that lets the next ones be looked at (a delay). */
void rules_go_on(struct rules_run *run);

#endif
