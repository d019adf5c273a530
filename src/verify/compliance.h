/* compliance.h: what large receivers ask of mail, and of bulk mail, before they take it.
 *
 * One readable From; a DKIM signature of its domain, there already or to come from us;
 * one Date and one Message-ID; lines of at most 998 octets (RFC 5322 2.1.1); and of bulk mail
 * one-click List-Unsubscribe (RFC 8058 3.1). Bulk is what says so itself (List-Unsubscribe,
 * List-Id, Precedence: bulk or list, Feedback-ID), or goes to many at once. Pure; the header,
 * then the body as it flows by.
 */
#ifndef GODWIT_VERIFY_COMPLIANCE_H
#define GODWIT_VERIFY_COMPLIANCE_H

#include "config/config.h"

enum compliance_fault {
    COMPLIANCE_FROM = 1,
    COMPLIANCE_DKIM = 2,
    COMPLIANCE_DATE = 4,
    COMPLIANCE_MESSAGE_ID = 8,
    COMPLIANCE_LINES = 16,
    COMPLIANCE_UNSUBSCRIBE = 32,
    COMPLIANCE_FAULTS_END = 64,
};

/* For people and replies; static. */
const char *compliance_fault_text(enum compliance_fault fault);

struct compliance {
    unsigned faults;         /* of enum compliance_fault, but for what depends on being bulk */
    bool says_bulk;
    bool has_one_click;
    size_t line_octets;      /* of the line that is under way */
};

/* The header with or without its empty line. `config` says whose mail we sign; NULL: nobody's. */
void compliance_header(const struct config *config, struct slice header,
                       struct compliance *out);
void compliance_body(struct compliance *compliance, struct slice piece);

/* All faults, when the body has ended and it is known to how many it goes. */
unsigned compliance_faults(const struct compliance *compliance, bool is_to_many);

#endif
