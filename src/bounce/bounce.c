/* bounce.c: the kinds tried in order, and what they have in common. */
#include "bounce/bounce_private.h"

#include "wire/report/lines.h"
#include "wire/report/notice.h"

enum {
    TEXT_BYTES_MAX = 512 * 1024, /* of all texts of a message that the rules see */
    SUBJECT_MAX = 2048,
    STRANGERS_MAX = 1024,        /* octets of To, and of From, that count */
};

const char *bounce_kind_name(enum bounce_kind kind)
{
    switch (kind) {
    case BOUNCE_KIND_NONE:
        return "none";
    case BOUNCE_KIND_BOUNCE:
        return "bounce";
    case BOUNCE_KIND_COMPLAINT:
        return "complaint";
    case BOUNCE_KIND_AUTO_REPLY:
        return "auto-reply";
    }
    return "";
}

struct bounce_recipient *bounce_add(struct bounce *bounce, struct slice address)
{
    if (bounce->count == BOUNCE_RECIPIENTS_MAX)
        return NULL;
    bounce->recipients[bounce->count] = (struct bounce_recipient){ .address = address };
    return &bounce->recipients[bounce->count++];
}

bool bounce_has_phrase(struct slice value, struct bounce_phrases phrases)
{
    for (size_t i = 0; i < phrases.count; i++)
        if (notice_find(value, phrases.items[i]) != SLICE_NOT_FOUND)
            return true;
    return false;
}

/* A code and a status of two classes contradict each other; the status is the more exact
 * one, and the code is dropped. `class` is that of a status made up for want of one. */
void bounce_judge(struct bounce_recipient *recipient, const struct bounce_finding *finding,
                  uint8_t class)
{
    uint16_t detail = bounce_reason_detail(finding->reason);
    recipient->reason = finding->reason;
    recipient->status = finding->status;
    recipient->code = finding->code;
    if (recipient->status.class == 0 && detail != 0)
        recipient->status = (struct smtp_status){ class, 0, detail };
    if (recipient->code / 100 != recipient->status.class)
        recipient->code = 0;
    recipient->is_hard = bounce_is_hard(recipient->reason, recipient->status);
}

void bounce_read_reply(const struct bounce_said *said, struct slice address,
                       struct bounce_recipient *out_recipient)
{
    struct bounce_finding finding;
    bounce_classify(said, &finding);
    *out_recipient = (struct bounce_recipient){ .address = address, .text = said->text };
    bounce_judge(out_recipient, &finding, finding.code / 100 == 4 ? 4 : 5);
}

/* The subject as people see it, so far as phrases can be found in it. */
static struct slice read_subject(const struct bounce_source *source)
{
    struct slice raw = report_header_value(source->parts.header, SLICE("Subject"),
                                           source->arena);
    struct slice subject;
    struct buffer words;
    buffer_init(&words, SUBJECT_MAX);
    report_append_words(&words, slice_part(raw, 0, SUBJECT_MAX));
    if (!arena_copy(source->arena, buffer_slice(&words), &subject))
        subject = raw;
    buffer_free(&words);
    return subject;
}

static bool open_source(struct slice message, struct arena *arena,
                        struct bounce_source *out)
{
    struct buffer both;
    bool has_room;
    *out = (struct bounce_source){ .arena = arena, .text_left = TEXT_BYTES_MAX };
    if (!report_parts_read(message, arena, &out->parts))
        return false;
    out->from = report_header_value(out->parts.header, SLICE("From"), arena);
    out->to = report_header_value(out->parts.header, SLICE("To"), arena);
    out->subject = read_subject(out);
    buffer_init(&both, 2 * STRANGERS_MAX + 1);
    buffer_append(&both, slice_part(out->to, 0, STRANGERS_MAX));
    buffer_append_byte(&both, ' ');
    buffer_append(&both, slice_part(out->from, 0, STRANGERS_MAX));
    has_room = arena_copy(arena, buffer_slice(&both), &out->strangers);
    buffer_free(&both);
    return has_room;
}

bool bounce_read(struct slice message, struct arena *arena, struct bounce *out_bounce)
{
    static bool (*const readers[])(struct bounce_source *, struct bounce *) = {
        bounce_read_complaint, bounce_read_notification, bounce_read_failure,
        bounce_read_auto_reply,
    };
    struct bounce_source source;
    struct bounce bounce = {
        .recipients = arena_alloc_many(arena, BOUNCE_RECIPIENTS_MAX,
                                       sizeof *bounce.recipients),
    };
    if (bounce.recipients == NULL || !open_source(message, arena, &source))
        return false;
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        if (readers[i](&source, &bounce)) {
            *out_bounce = bounce;
            return true;
        }
        bounce.count = 0;
    }
    *out_bounce = (struct bounce){ .recipients = bounce.recipients };
    return true;
}
