/* report_fuzz.c: a report as somebody sent it: its parts, and each part read as fields, as a
 * complaint and as a text for people. */
#include "base/must.h"
#include "wire/report/delivery_report.h"
#include "wire/report/feedback.h"
#include "wire/report/notice.h"
#include "wire/report/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_in(struct slice inside, struct slice outside)
{
    return inside.len == 0 ||
           (inside.data >= outside.data &&
            inside.data + inside.len <= outside.data + outside.len);
}

static void read_part(const struct report_part *part, struct slice strangers,
                      struct arena *arena)
{
    struct delivery_report report;
    struct feedback feedback;
    struct notice notice;
    if (delivery_report_parse(part->content, arena, &report))
        must(report.recipients_count <= DELIVERY_REPORT_RECIPIENTS_MAX);
    feedback_parse(part->content, arena, &feedback);
    if (!notice_read(part->content, strangers, arena, &notice))
        return;
    must(lies_in(notice.text, part->content) && lies_in(notice.original, part->content));
    for (size_t i = 0; i < notice.count; i++) {
        must(lies_in(notice.recipients[i].address, part->content));
        for (size_t k = 0; k < notice.recipients[i].texts_count; k++)
            must(lies_in(notice.recipients[i].texts[k], part->content));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct report_parts parts;
    arena_init(&arena, REPORT_ARENA_BYTES);
    if (report_parts_read(slice_make(data, size), &arena, &parts)) {
        struct slice to = report_header_value(parts.header, SLICE("To"), &arena);
        must(parts.count > 0 && parts.count <= REPORT_PARTS_MAX);
        for (size_t i = 0; i < parts.count; i++)
            read_part(&parts.parts[i], to, &arena);
    }
    arena_free(&arena);
    return 0;
}
