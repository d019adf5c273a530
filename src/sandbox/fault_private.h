/* fault_private.h: a rule read (fault_rule.c), met (fault.c), and those of magic recipients
 * (fault_magic.c). */
#ifndef GODWIT_SANDBOX_FAULT_PRIVATE_H
#define GODWIT_SANDBOX_FAULT_PRIVATE_H

#include "base/cursor.h"
#include "base/table.h"
#include "sandbox/fault.h"

enum fault_step { FAULT_CONNECT, FAULT_LOGIN, FAULT_HELO, FAULT_MAIL, FAULT_RCPT, FAULT_DATA,
                  FAULT_STEPS };

/* Borrows from the object that it was read from. */
struct fault_rule {
    json_t *object;              /* held */
    json_t *only;                /* the addresses of whose rule it is, held; NULL: all */
    struct slice id;
    enum fault_step step;
    uint64_t skip;
    uint64_t times;              /* 0: always */
    unsigned percent;
    struct smtp_reply reply;     /* code 0: none */
    uint32_t delay_ms;
    uint32_t cut_after;          /* octets of the reply; 0: all of it */
    bool closes;
    bool drops;
    int64_t greylist_ms;
    uint64_t above;              /* so many in so long are good; 0: no such limit */
    int64_t per_ms;
    uint64_t over_bytes;
    /* counted */
    uint64_t seen;
    uint64_t met;
    uint64_t in_window;
    int64_t window_ms;           /* when it began */
};

/* Who is at a step. */
struct fault_at {
    enum fault_step step;
    uint64_t session;
    int64_t now_ms;
    struct slice client;         /* the address alone */
    struct slice account;
    struct slice helo;
    struct slice sender;
    const struct envelope *envelope;
    struct slice recipient;      /* RCPT */
    uint64_t bytes;              /* said or counted */
};

/* NULL, or why it is none; all of *out but `only`. */
const char *fault_read(json_t *object, struct fault_rule *out);
const char *fault_text(json_t *object, const char *member); /* "" where it is none */
void fault_rule_free(struct fault_rule *rule);
bool fault_is_for(const struct fault_rule *rule, const struct fault_at *at);
/* "451 4.7.1 text", borrowed; false: it is no reply of 4xx or 5xx. */
bool fault_read_reply(struct slice text, struct smtp_reply *out);

/* fault_magic.c: what the name of a recipient asks for; false: nothing. The reply's text is
 * static. */
bool fault_magic(struct slice recipient, struct slice domain, struct fault_rule *out);

#endif
