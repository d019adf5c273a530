/* notification.c: what Amazon SES tells by way of its notification service: one JSON object
 * as the text of a mail. Only a few strings of it are wanted, so keys are looked for where
 * they stand; the mail's own line folding (an exclamation mark, a line end, a space) is
 * taken out before. */
#include "bounce/bounce_private.h"

#include "base/cursor.h"
#include "wire/report/notice.h"

static const struct {
    struct slice key;
    enum bounce_kind kind;
} kinds[] = {
    { SLICE_INIT("\"notificationtype\":\"bounce\""), BOUNCE_KIND_BOUNCE },
    { SLICE_INIT("\"eventtype\":\"bounce\""), BOUNCE_KIND_BOUNCE },
    { SLICE_INIT("\"notificationtype\":\"delivery\""), BOUNCE_KIND_BOUNCE },
    { SLICE_INIT("\"eventtype\":\"delivery\""), BOUNCE_KIND_BOUNCE },
    { SLICE_INIT("\"notificationtype\":\"complaint\""), BOUNCE_KIND_COMPLAINT },
    { SLICE_INIT("\"eventtype\":\"complaint\""), BOUNCE_KIND_COMPLAINT },
};

static bool unfold(struct slice text, struct buffer *out)
{
    struct cursor c = cursor_over(text);
    while (!cursor_at_end(&c))
        if (!cursor_take_literal(&c, SLICE("!\r\n ")) && !cursor_take_literal(&c, SLICE("\r\n ")))
            buffer_append_byte(out, (char)cursor_take(&c));
    return !out->overflow;
}

/* What follows the key, and the text behind it; false when the key is not there. */
static bool take_string(struct slice *text, struct slice key, struct slice *out_value)
{
    size_t at = notice_find(*text, key);
    if (at == SLICE_NOT_FOUND)
        return false;
    *text = slice_from(*text, at + key.len);
    size_t end = 0;
    while (end < text->len && text->data[end] != '"')
        end += text->data[end] == '\\' ? 2 : 1;
    *out_value = slice_part(*text, 0, end);
    *text = slice_from(*text, end);
    return true;
}

/* {"emailAddress":"..","action":"failed","status":"5.1.1","diagnosticCode":".."}, its
 * members in any order */
static void read_bounced(struct slice object, struct slice address, struct bounce *out)
{
    struct slice value, rest;
    struct bounce_said said = { .code = 0 };
    struct slice copy = object;
    if (take_string(&copy, SLICE("\"status\":\""), &value))
        smtp_status_parse(value, &said.status, &rest);
    copy = object;
    if (take_string(&copy, SLICE("\"diagnosticcode\":\""), &value)) {
        said.text = value;
        bounce_find_reply(slice_part(value, 0, BOUNCE_TEXT_MAX), &said.code, &said.status);
    }
    struct bounce_recipient *recipient = bounce_add(out, address);
    if (recipient != NULL)
        bounce_read_reply(&said, address, recipient);
}

static void read_recipients(struct slice list, enum bounce_kind kind, struct bounce *out)
{
    struct slice rest = list, object, address;
    size_t texts = 0;
    while (slice_split(&rest, '}', &object) && ++texts < BOUNCE_RECIPIENTS_MAX) {
        struct slice copy = object;
        bool ends = slice_find(object, ']') != SLICE_NOT_FOUND;
        if (!take_string(&copy, SLICE("\"emailaddress\":\""), &address))
            return;
        if (kind == BOUNCE_KIND_BOUNCE) {
            read_bounced(object, address, out);
        } else {
            struct bounce_recipient *recipient = bounce_add(out, address);
            if (recipient != NULL)
                recipient->reason = BOUNCE_FEEDBACK;
        }
        if (ends)
            return;
    }
}

/* "recipients":["a@example.com"],"smtpResponse":"250 2.6.0 ..." */
static void read_delivered(struct slice text, struct bounce *out)
{
    struct slice address, value;
    struct slice list = text, copy = text;
    if (!take_string(&list, SLICE("\"recipients\":[\""), &address))
        return;
    struct bounce_recipient *recipient = bounce_add(out, address);
    if (recipient == NULL)
        return;
    recipient->reason = BOUNCE_DELIVERED;
    if (!take_string(&copy, SLICE("\"smtpresponse\":\""), &value))
        return;
    struct cursor c = cursor_over(value);
    uint64_t code;
    struct slice rest;
    recipient->text = value;
    if (cursor_take_number(&c, 299, &code)) {
        recipient->code = (uint16_t)code;
        smtp_status_parse(slice_trim(cursor_rest(&c)), &recipient->status, &rest);
    }
}

static bool read_object(struct slice text, struct bounce *out)
{
    static const struct slice lists[] = { SLICE_INIT("\"bouncedrecipients\":["),
                                          SLICE_INIT("\"complainedrecipients\":[") };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (notice_find(text, kinds[i].key) != SLICE_NOT_FOUND)
            out->kind = kinds[i].kind;
    if (out->kind == BOUNCE_KIND_NONE)
        return false;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        size_t at = notice_find(text, lists[i]);
        if (at != SLICE_NOT_FOUND)
            read_recipients(slice_from(text, at), out->kind, out);
    }
    if (out->count == 0 && out->kind == BOUNCE_KIND_BOUNCE)
        read_delivered(text, out);
    struct slice rest = text;
    if (out->kind == BOUNCE_KIND_COMPLAINT)
        take_string(&rest, SLICE("\"complaintfeedbacktype\":\""), &out->feedback_type);
    if (out->count == 0)
        out->kind = BOUNCE_KIND_NONE;
    return out->count > 0;
}

bool bounce_read_notification(struct bounce_source *source, struct bounce *out)
{
    const struct report_part *part = report_parts_find(&source->parts, REPORT_PART_TEXT);
    struct buffer unfolded;
    struct slice text;
    if (part == NULL || slice_trim(part->content).len == 0 || part->content.data[0] != '{')
        return false;
    buffer_init(&unfolded, part->content.len + 1);
    bool is_whole = unfold(part->content, &unfolded) &&
                    arena_copy(source->arena, buffer_slice(&unfolded), &text);
    buffer_free(&unfolded);
    return is_whole && read_object(text, out);
}
