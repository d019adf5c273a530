/* parse_bounce.c: the fields of a delivery status notification, as they stand there. */
#include "cli/parse_private.h"

#include "wire/report/delivery_report.h"
#include "wire/report/parts.h"

#include <stdio.h>

static json_t *typed(const struct delivery_typed *t, const char *type, const char *value)
{
    if (t->value.len == 0)
        return json_null();
    return json_pack("{s:o, s:o}", type, batch_text_or_null(t->type), value,
                     batch_text(t->value));
}

static json_t *mta(const struct delivery_typed *t)
{
    return typed(t, "mta_type", "name");
}

static json_t *recipient(const struct delivery_typed *t)
{
    return typed(t, "recipient_type", "recipient");
}

static json_t *status_of(struct smtp_status status)
{
    char text[24];
    if (status.class == 0)
        return json_null();
    snprintf(text, sizeof text, "%u.%u.%u", status.class, status.subject, status.detail);
    return json_string(text);
}

static json_t *per_message(const struct delivery_report *r)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}",
                     "original_envelope_id", batch_text_or_null(r->original_envelope_id),
                     "reporting_mta", mta(&r->reporting_mta),
                     "dsn_gateway", mta(&r->dsn_gateway),
                     "received_from_mta", mta(&r->received_from_mta),
                     "arrival_date", batch_text_or_null(r->arrival_date));
}

static json_t *per_recipient(const struct delivery_recipient *r)
{
    const char *action = delivery_action_name(r->action);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "original_recipient", recipient(&r->original_recipient),
                     "final_recipient", recipient(&r->final_recipient),
                     "action", batch_text_or_null(slice_from_string(action)),
                     "status", status_of(r->status),
                     "status_comment", batch_text_or_null(r->status_comment),
                     "remote_mta", mta(&r->remote_mta),
                     "diagnostic_code", typed(&r->diagnostic, "diagnostic_type", "diagnostic"),
                     "last_attempt_date", batch_text_or_null(r->last_attempt_date),
                     "final_log_id", batch_text_or_null(r->final_log_id),
                     "will_retry_until", batch_text_or_null(r->will_retry_until));
}

json_t *parse_original(const struct report_parts *parts, struct arena *arena)
{
    const struct report_part *part = report_parts_find(parts, REPORT_PART_MESSAGE);
    if (part == NULL)
        part = report_parts_find(parts, REPORT_PART_HEADERS);
    if (part == NULL)
        return json_null();
    struct slice header = part->content;
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o}",
        "message_id", batch_text_or_null(report_header_value(header, SLICE("Message-ID"), arena)),
        "from", batch_text_or_null(report_header_value(header, SLICE("From"), arena)),
        "to", batch_text_or_null(report_header_value(header, SLICE("To"), arena)),
        "subject", batch_text_or_null(report_header_value(header, SLICE("Subject"), arena)),
        "date", batch_text_or_null(report_header_value(header, SLICE("Date"), arena)));
}

static json_t *show(const struct delivery_report *report, const struct report_parts *parts,
                    struct arena *arena)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->recipients_count; i++)
        json_array_append_new(list, per_recipient(&report->recipients[i]));
    return json_pack("{s:o, s:o, s:o}", "per_message", per_message(report), "per_recipient",
                     list, "original", parse_original(parts, arena));
}

json_t *parse_bounce(struct slice message)
{
    struct arena arena;
    struct report_parts parts;
    struct delivery_report report;
    json_t *answer = NULL;
    arena_init(&arena, REPORT_ARENA_BYTES);
    if (report_parts_read(message, &arena, &parts)) {
        const struct report_part *part = report_parts_find(&parts, REPORT_PART_STATUS);
        if (part == NULL)
            answer = json_pack("{s:s}", "error", "the message has no part with a delivery "
                               "status; 'godwit classify bounce' reads other bounces");
        else if (delivery_report_parse(part->content, &arena, &report))
            answer = show(&report, &parts, &arena);
    }
    arena_free(&arena);
    return answer;
}
