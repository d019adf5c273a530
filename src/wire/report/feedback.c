/* feedback.c: a table of fields; the first of those that may stand once counts. */
#include "wire/report/feedback.h"

#include "wire/report/lines.h"

#include <stddef.h>

#define ONE(name, member) \
    { SLICE_INIT(name), offsetof(struct feedback, member), false, false }
#define FOLDED(name, member) \
    { SLICE_INIT(name), offsetof(struct feedback, member), false, true }
#define LIST(name, member) \
    { SLICE_INIT(name), offsetof(struct feedback, member), true, true }

static const struct {
    struct slice name;
    size_t offset;
    bool is_list;
    bool keeps_folds;
} fields[] = {
    ONE("Feedback-Type", feedback_type),
    ONE("User-Agent", user_agent),
    ONE("Version", version),
    ONE("Original-Envelope-Id", original_envelope_id),
    ONE("Original-Mail-From", original_mail_from),
    LIST("Original-Rcpt-To", original_rcpt_to),
    ONE("Arrival-Date", arrival_date),
    ONE("Received-Date", arrival_date),
    ONE("Reporting-MTA", reporting_mta),
    ONE("Source-IP", source_ip),
    ONE("Source-Port", source_port),
    ONE("Incidents", incidents),
    LIST("Authentication-Results", authentication_results),
    LIST("Reported-Domain", reported_domain),
    LIST("Reported-URI", reported_uri),
    ONE("Auth-Failure", auth_failure),
    ONE("Delivery-Result", delivery_result),
    ONE("Identity-Alignment", identity_alignment),
    ONE("DKIM-ADSP-DNS", dkim_adsp_dns),
    FOLDED("DKIM-Canonicalized-Body", dkim_canonicalized_body),
    FOLDED("DKIM-Canonicalized-Header", dkim_canonicalized_header),
    ONE("DKIM-Domain", dkim_domain),
    ONE("DKIM-Identity", dkim_identity),
    ONE("DKIM-Selector", dkim_selector),
    ONE("DKIM-Selector-DNS", dkim_selector_dns),
    ONE("SPF-DNS", spf_dns),
};

static void set(struct feedback *feedback, size_t index, struct slice value)
{
    char *place = (char *)feedback + fields[index].offset;
    if (fields[index].is_list) {
        struct feedback_list *list = (struct feedback_list *)(void *)place;
        if (list->count < FEEDBACK_LIST_MAX)
            list->items[list->count++] = value;
        return;
    }
    struct slice *one = (struct slice *)(void *)place;
    if (one->len == 0)
        *one = value;
}

static struct slice with_folds(const struct report_field *f, struct arena *arena)
{
    char *memory = arena_alloc(arena, f->raw.len);
    size_t len = 0;
    if (memory == NULL)
        return f->value;
    for (size_t i = 0; i < f->raw.len; i++)
        if (f->raw.data[i] != '\r')
            memory[len++] = f->raw.data[i];
    return slice_make(memory, len);
}

/* feedback-report = *( feedback-type / user-agent / version / opt-fields ...) */
void feedback_parse(struct slice content, struct arena *arena, struct feedback *out)
{
    struct cursor c = cursor_over(content);
    struct report_field f;
    enum report_field_result result;
    *out = (struct feedback){ .original_rcpt_to = { .count = 0 } };
    while ((result = report_field_next(&c, arena, &f)) != REPORT_FIELD_END)
        for (size_t i = 0; result == REPORT_FIELD && i < sizeof fields / sizeof *fields; i++)
            if (slice_equal_nocase(f.name, fields[i].name))
                set(out, i, fields[i].keeps_folds ? with_folds(&f, arena) : f.value);
}
