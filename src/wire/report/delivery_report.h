/* delivery_report.h: what a delivery status notification says: the fields of RFC 3464 2.2
 * and 2.3 (and of RFC 6533, which looks alike), as others write them.
 *
 * Groups without a recipient are about the message, wherever they stand; a group that
 * names two final recipients is two. Pure; any thread.
 */
#ifndef GODWIT_WIRE_REPORT_DELIVERY_REPORT_H
#define GODWIT_WIRE_REPORT_DELIVERY_REPORT_H

#include "base/arena.h"
#include "wire/smtp/reply.h"

enum { DELIVERY_REPORT_RECIPIENTS_MAX = 1000 };

enum delivery_action {
    DELIVERY_ACTION_NONE, /* not said, or another word */
    DELIVERY_ACTION_FAILED,
    DELIVERY_ACTION_DELAYED,
    DELIVERY_ACTION_DELIVERED,
    DELIVERY_ACTION_RELAYED,
    DELIVERY_ACTION_EXPANDED,
};

/* "dns; mx.example.com": the type is perhaps empty, the value as it came. */
struct delivery_typed {
    struct slice type;
    struct slice value;
};

/* Everything lives in the arena given, and is empty where nothing is said. */
struct delivery_recipient {
    struct delivery_typed original_recipient;
    struct delivery_typed final_recipient;
    enum delivery_action action;
    struct smtp_status status;
    struct slice status_comment; /* what stands behind the three numbers */
    struct delivery_typed remote_mta;
    struct delivery_typed diagnostic;
    struct slice last_attempt_date;
    struct slice final_log_id;
    struct slice will_retry_until;
};

struct delivery_report {
    struct delivery_typed reporting_mta;
    struct delivery_typed dsn_gateway;
    struct delivery_typed received_from_mta;
    struct slice original_envelope_id;
    struct slice arrival_date;
    struct delivery_recipient *recipients;
    size_t recipients_count;
    bool is_cut; /* over DELIVERY_REPORT_RECIPIENTS_MAX */
};

/* `content` has lines that end in CRLF. False: the arena has no room. */
bool delivery_report_parse(struct slice content, struct arena *arena,
                           struct delivery_report *out_report);

/* The address of a typed one without brackets; empty when it is none: no '@', or a type
 * that is not rfc822 or utf-8. */
struct slice delivery_address(const struct delivery_typed *typed);

/* "failed"; "" of DELIVERY_ACTION_NONE. */
const char *delivery_action_name(enum delivery_action action);

#endif
