/* complaint.c: what people and their providers complain of. RFC 5965, and the few that tell
 * it in words of their own. */
#include "bounce/bounce_private.h"

#include "wire/report/feedback.h"
#include "wire/report/notice.h"

static bool finish(struct bounce *out, struct slice address, struct slice type)
{
    struct bounce_recipient *recipient = bounce_add(out, address);
    if (recipient != NULL)
        recipient->reason = BOUNCE_FEEDBACK;
    out->kind = BOUNCE_KIND_COMPLAINT;
    out->feedback_type = type;
    return true;
}

/* Of the message that is complained of; empty when it is not there or hides it. */
static struct slice original_to(struct bounce_source *source)
{
    static const struct slice names[] = {
        SLICE_INIT("X-HmXmrOriginalRecipient"), SLICE_INIT("To"),
        SLICE_INIT("Delivered-To"),
    };
    const struct report_part *part = report_parts_find(&source->parts, REPORT_PART_MESSAGE);
    struct slice address = { .len = 0 };
    if (part == NULL)
        part = report_parts_find(&source->parts, REPORT_PART_HEADERS);
    for (size_t i = 0; part != NULL && i < sizeof names / sizeof *names; i++) {
        struct slice value = report_header_value(part->content, names[i], source->arena);
        if (notice_address_next(&value, &address))
            return address;
    }
    return (struct slice){ .len = 0 };
}

static bool read_report(struct bounce_source *source, const struct report_part *part,
                        struct bounce *out)
{
    struct feedback *feedback = arena_alloc(source->arena, sizeof *feedback);
    struct slice address = { .len = 0 };
    if (feedback == NULL)
        return false;
    feedback_parse(part->content, source->arena, feedback);
    if (feedback->feedback_type.len == 0)
        return false;
    for (size_t i = 0; i < feedback->original_rcpt_to.count; i++) {
        struct slice value = feedback->original_rcpt_to.items[i];
        if (notice_address_next(&value, &address))
            finish(out, address, feedback->feedback_type);
    }
    if (out->count > 0)
        return true;
    return finish(out, original_to(source), feedback->feedback_type);
}

/* Microsoft's feedback has no machine-readable part. */
static bool is_in_words(const struct bounce_source *source)
{
    return slice_starts_with_nocase(source->subject, SLICE("complaint about message from")) &&
           report_parts_find(&source->parts, REPORT_PART_MESSAGE) != NULL;
}

/* RFC 2369's List-Unsubscribe by mail: the whole subject is the wish. */
static bool is_unsubscribe(const struct bounce_source *source)
{
    return slice_equal_nocase(source->subject, SLICE("unsubscribe"));
}

bool bounce_read_complaint(struct bounce_source *source, struct bounce *out)
{
    const struct report_part *part = report_parts_find(&source->parts, REPORT_PART_FEEDBACK);
    struct slice address = { .len = 0 };
    struct slice from = source->from;
    if (part != NULL)
        return read_report(source, part, out);
    if (is_in_words(source))
        return finish(out, original_to(source), SLICE("abuse"));
    if (!is_unsubscribe(source))
        return false;
    if (!notice_address_next(&from, &address))
        address = from;
    return finish(out, address, SLICE("opt-out"));
}
