/* feedback.h: complaints and reports of failed authentication: the fields of RFC 5965
 * section 3 and RFC 6591 section 3. Unknown ones are passed over. Pure; any thread. */
#ifndef GODWIT_WIRE_REPORT_FEEDBACK_H
#define GODWIT_WIRE_REPORT_FEEDBACK_H

#include "base/arena.h"

enum { FEEDBACK_LIST_MAX = 64 }; /* of each field that may be repeated */

struct feedback_list {
    struct slice items[FEEDBACK_LIST_MAX];
    size_t count;
};

/* Everything lives in the arena given, and is empty where nothing is said. In the lists and
 * the canonicalized parts folds are kept, each line end as LF. */
struct feedback {
    struct slice feedback_type; /* "abuse", "fraud", "virus", "auth-failure" and others */
    struct slice user_agent;
    struct slice version;
    struct slice original_envelope_id;
    struct slice original_mail_from;
    struct feedback_list original_rcpt_to;
    struct slice arrival_date;  /* or Received-Date, its older name */
    struct slice reporting_mta;
    struct slice source_ip;
    struct slice source_port;
    struct slice incidents;
    struct feedback_list authentication_results;
    struct feedback_list reported_domain;
    struct feedback_list reported_uri;
    struct slice auth_failure;
    struct slice delivery_result;
    struct slice identity_alignment;
    struct slice dkim_adsp_dns;
    struct slice dkim_canonicalized_body;
    struct slice dkim_canonicalized_header;
    struct slice dkim_domain;
    struct slice dkim_identity;
    struct slice dkim_selector;
    struct slice dkim_selector_dns;
    struct slice spf_dns;
};

/* `content` has lines that end in CRLF. */
void feedback_parse(struct slice content, struct arena *arena, struct feedback *out);

#endif
