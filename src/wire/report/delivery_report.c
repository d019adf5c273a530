/* delivery_report.c: a table of fields, each with its place in the report. */
#include "wire/report/delivery_report.h"

#include "wire/report/lines.h"

static const char *const actions[] = {
    [DELIVERY_ACTION_NONE] = "",
    [DELIVERY_ACTION_FAILED] = "failed",
    [DELIVERY_ACTION_DELAYED] = "delayed",
    [DELIVERY_ACTION_DELIVERED] = "delivered",
    [DELIVERY_ACTION_RELAYED] = "relayed",
    [DELIVERY_ACTION_EXPANDED] = "expanded",
};

const char *delivery_action_name(enum delivery_action action)
{
    return actions[action];
}

/* action-value = "failed" / "delayed" / "delivered" / "relayed" / "expanded"; a comment
 * may follow. */
static enum delivery_action action_of(struct slice value)
{
    for (size_t i = 1; i < sizeof actions / sizeof *actions; i++)
        if (slice_starts_with_nocase(value, slice_from_string(actions[i])))
            return (enum delivery_action)i;
    return DELIVERY_ACTION_NONE;
}

/* typed = type ";" value; without a semicolon all of it is the value. */
static struct delivery_typed typed_of(struct slice value)
{
    size_t semicolon = slice_find(value, ';');
    struct delivery_typed typed = { .value = value };
    if (semicolon == SLICE_NOT_FOUND || slice_find(slice_part(value, 0, semicolon), ' ') !=
                                            SLICE_NOT_FOUND)
        return typed;
    typed.type = slice_part(value, 0, semicolon);
    typed.value = slice_trim(slice_from(value, semicolon + 1));
    return typed;
}

struct slice delivery_address(const struct delivery_typed *typed)
{
    struct slice address = typed->value;
    struct slice none = { .len = 0 };
    if (typed->type.len > 0 && !slice_equal_nocase(typed->type, SLICE("rfc822")) &&
        !slice_equal_nocase(typed->type, SLICE("utf-8")))
        return none;
    size_t open = slice_find(address, '<');
    if (open != SLICE_NOT_FOUND)
        address = slice_from(address, open + 1);
    address = slice_part(address, 0, slice_find(address, '>'));
    address = slice_trim(address);
    return slice_find(address, '@') == SLICE_NOT_FOUND ? none : address;
}

/* status-code = DIGIT "." 1*3DIGIT "." 1*3DIGIT, and a comment */
static void read_status(struct slice value, struct delivery_recipient *out)
{
    struct slice rest;
    if (smtp_status_parse(value, &out->status, &rest))
        out->status_comment = slice_trim(rest);
    else
        out->status_comment = value;
}

enum field {
    FIELD_ORIGINAL_RECIPIENT, FIELD_FINAL_RECIPIENT, FIELD_ACTION, FIELD_STATUS,
    FIELD_REMOTE_MTA, FIELD_DIAGNOSTIC_CODE, FIELD_LAST_ATTEMPT_DATE, FIELD_FINAL_LOG_ID,
    FIELD_WILL_RETRY_UNTIL, FIELD_REPORTING_MTA, FIELD_DSN_GATEWAY,
    FIELD_RECEIVED_FROM_MTA, FIELD_ORIGINAL_ENVELOPE_ID, FIELD_ARRIVAL_DATE, FIELD_OTHER,
};

static const struct slice names[] = {
    [FIELD_ORIGINAL_RECIPIENT] = SLICE_INIT("Original-Recipient"),
    [FIELD_FINAL_RECIPIENT] = SLICE_INIT("Final-Recipient"),
    [FIELD_ACTION] = SLICE_INIT("Action"),
    [FIELD_STATUS] = SLICE_INIT("Status"),
    [FIELD_REMOTE_MTA] = SLICE_INIT("Remote-MTA"),
    [FIELD_DIAGNOSTIC_CODE] = SLICE_INIT("Diagnostic-Code"),
    [FIELD_LAST_ATTEMPT_DATE] = SLICE_INIT("Last-Attempt-Date"),
    [FIELD_FINAL_LOG_ID] = SLICE_INIT("Final-Log-ID"),
    [FIELD_WILL_RETRY_UNTIL] = SLICE_INIT("Will-Retry-Until"),
    [FIELD_REPORTING_MTA] = SLICE_INIT("Reporting-MTA"),
    [FIELD_DSN_GATEWAY] = SLICE_INIT("DSN-Gateway"),
    [FIELD_RECEIVED_FROM_MTA] = SLICE_INIT("Received-From-MTA"),
    [FIELD_ORIGINAL_ENVELOPE_ID] = SLICE_INIT("Original-Envelope-Id"),
    [FIELD_ARRIVAL_DATE] = SLICE_INIT("Arrival-Date"),
};

static enum field field_of(struct slice name)
{
    for (size_t i = 0; i < FIELD_OTHER; i++)
        if (slice_equal_nocase(name, names[i]))
            return (enum field)i;
    return FIELD_OTHER;
}

static void set_in_recipient(struct delivery_recipient *r, enum field field,
                             struct slice value)
{
    switch (field) {
    case FIELD_ORIGINAL_RECIPIENT:
        r->original_recipient = typed_of(value);
        return;
    case FIELD_FINAL_RECIPIENT:
        r->final_recipient = typed_of(value);
        return;
    case FIELD_ACTION:
        r->action = action_of(value);
        return;
    case FIELD_STATUS:
        read_status(value, r);
        return;
    case FIELD_REMOTE_MTA:
        r->remote_mta = typed_of(value);
        return;
    case FIELD_DIAGNOSTIC_CODE:
        r->diagnostic = typed_of(value);
        return;
    case FIELD_LAST_ATTEMPT_DATE:
        r->last_attempt_date = value;
        return;
    case FIELD_FINAL_LOG_ID:
        r->final_log_id = value;
        return;
    case FIELD_WILL_RETRY_UNTIL:
        r->will_retry_until = value;
        return;
    case FIELD_REPORTING_MTA:
    case FIELD_DSN_GATEWAY:
    case FIELD_RECEIVED_FROM_MTA:
    case FIELD_ORIGINAL_ENVELOPE_ID:
    case FIELD_ARRIVAL_DATE:
    case FIELD_OTHER:
        return;
    }
}

static void set_in_message(struct delivery_report *report, enum field field,
                           struct slice value)
{
    if (field == FIELD_REPORTING_MTA)
        report->reporting_mta = typed_of(value);
    else if (field == FIELD_DSN_GATEWAY)
        report->dsn_gateway = typed_of(value);
    else if (field == FIELD_RECEIVED_FROM_MTA)
        report->received_from_mta = typed_of(value);
    else if (field == FIELD_ORIGINAL_ENVELOPE_ID)
        report->original_envelope_id = value;
    else if (field == FIELD_ARRIVAL_DATE)
        report->arrival_date = value;
}

/* The fields that make a group one of a recipient's. */
static bool is_recipients(enum field field)
{
    return field == FIELD_ORIGINAL_RECIPIENT || field == FIELD_FINAL_RECIPIENT ||
           field == FIELD_ACTION || field == FIELD_STATUS || field == FIELD_DIAGNOSTIC_CODE;
}

struct building {
    struct delivery_report *report;
    bool in_recipient;
    bool has_final;
};

static struct delivery_recipient *recipient_for(struct building *b, enum field field)
{
    struct delivery_report *report = b->report;
    if (field == FIELD_FINAL_RECIPIENT && b->has_final)
        b->in_recipient = false;
    if (!b->in_recipient && is_recipients(field)) {
        report->is_cut |= report->recipients_count == DELIVERY_REPORT_RECIPIENTS_MAX;
        if (report->is_cut)
            return NULL;
        report->recipients_count++;
        b->in_recipient = true;
        b->has_final = false;
    }
    b->has_final |= field == FIELD_FINAL_RECIPIENT;
    return b->in_recipient ? &report->recipients[report->recipients_count - 1] : NULL;
}

/* delivery-status-content = per-message-fields 1*( CRLF per-recipient-fields ) */
bool delivery_report_parse(struct slice content, struct arena *arena,
                           struct delivery_report *out_report)
{
    struct cursor c = cursor_over(content);
    struct report_field f;
    enum report_field_result result;
    struct delivery_report report = {
        .recipients = arena_alloc_many(arena, DELIVERY_REPORT_RECIPIENTS_MAX,
                                       sizeof *report.recipients),
    };
    struct building building = { .report = &report };
    if (report.recipients == NULL)
        return false;
    while ((result = report_field_next(&c, arena, &f)) != REPORT_FIELD_END) {
        if (result == REPORT_FIELD_GAP) {
            building.in_recipient = false;
            continue;
        }
        enum field field = field_of(f.name);
        struct delivery_recipient *recipient = recipient_for(&building, field);
        if (recipient != NULL)
            set_in_recipient(recipient, field, f.value);
        set_in_message(&report, field, f.value);
    }
    *out_report = report;
    return true;
}
