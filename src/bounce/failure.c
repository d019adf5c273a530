/* failure.c: a message that did not arrive, told by fields for programs, by text for people,
 * or by both: the fields say whom, the text is asked where they leave the reason open. */
#include "bounce/bounce_private.h"

#include "wire/report/delivery_report.h"
#include "wire/report/notice.h"

/* Who sends bounces. */
static const struct slice senders[] = {
    SLICE_INIT("mailer-daemon"), SLICE_INIT("mailer daemon"), SLICE_INIT("postmaster"),
    SLICE_INIT("post_master"), SLICE_INIT("mail delivery"), SLICE_INIT("mail deliver "),
    SLICE_INIT("mail administrator"), SLICE_INIT("system administrator"),
    SLICE_INIT("mailerdaemon"), SLICE_INIT("mailer_daemon"), SLICE_INIT("mdaemon"),
    SLICE_INIT("bounce@"), SLICE_INIT("bounces@"), SLICE_INIT("mail system"),
};

/* What bounces call themselves. */
static const struct slice subjects[] = {
    SLICE_INIT("undeliver"), SLICE_INIT("delivery fail"), SLICE_INIT("delivery status"),
    SLICE_INIT("delivery notification"), SLICE_INIT("delivery has failed"),
    SLICE_INIT("delivery problem"), SLICE_INIT("delivery report"),
    SLICE_INIT("delivery error"), SLICE_INIT("failure notice"),
    SLICE_INIT("failure delivery"), SLICE_INIT("failed delivery"),
    SLICE_INIT("returned mail"), SLICE_INIT("returned to sender"),
    SLICE_INIT("mail failure"), SLICE_INIT("mail error"), SLICE_INIT("mail system error"),
    SLICE_INIT("could not send"), SLICE_INIT("message delayed"),
    SLICE_INIT("non-deliver"), SLICE_INIT("non recapitabile"),
    SLICE_INIT("not delivered"), SLICE_INIT("not be delivered"), SLICE_INIT("nondeliver"),
    SLICE_INIT("unzustellbar"), SLICE_INIT("non remis"), SLICE_INIT("loop alert"),
    SLICE_INIT("unable to deliver"), SLICE_INIT("unknown user"), SLICE_INIT("user unknown"),
    SLICE_INIT("delayed "), SLICE_INIT("loop back warning"), SLICE_INIT("not member"),
    SLICE_INIT("error sending your"), SLICE_INIT("trouble delivering"),
};

#define HAS(value, table) \
    bounce_has_phrase(value, (struct bounce_phrases){ table, sizeof(table) / sizeof *(table) })

/* What they say to people, next to the message that came back. */
static const struct slice bodies[] = {
    SLICE_INIT("could not be delivered"), SLICE_INIT("couldn't be delivered"),
    SLICE_INIT("cannot be delivered"), SLICE_INIT("unable to deliver"),
    SLICE_INIT("undeliverable"), SLICE_INIT("failed permanently"),
    SLICE_INIT("wasn't able to deliver"), SLICE_INIT("not deliver your"),
    SLICE_INIT("did not reach the following"), SLICE_INIT("delivery to the following"),
    SLICE_INIT("rejected by a remote"), SLICE_INIT("has not been delivered"),
};

enum { BODY_BYTES_MAX = 8 * 1024 }; /* of the text, that are looked at for these */

struct failure {
    struct bounce_source *source;
    struct bounce *bounce;
    struct delivery_report report;
    struct notice notice;
};

/* How much speaks for a bounce: 2 is enough by itself, 1 if a reason is found in the text. */
static int likeness(const struct bounce_source *source, struct slice notice)
{
    struct slice failed = report_header_value(source->parts.header,
                                              SLICE("X-Failed-Recipients"), source->arena);
    struct slice path = report_header_value(source->parts.header, SLICE("Return-Path"),
                                            source->arena);
    bool has_null_path = slice_equal(path, SLICE("<>"));
    bool came_back = has_null_path ||
                     report_parts_find(&source->parts, REPORT_PART_MESSAGE) != NULL;
    bool says_so = came_back && HAS(slice_part(notice, 0, BODY_BYTES_MAX), bodies);
    return (failed.len > 0 || says_so ? 2 : 0) + HAS(source->from, senders) +
           HAS(source->subject, subjects);
}

/* The first part for people; HTML only where there is nothing else. */
static struct slice text_of(const struct report_parts *parts)
{
    const struct report_part *part = report_parts_find(parts, REPORT_PART_TEXT);
    if (part == NULL)
        part = report_parts_find(parts, REPORT_PART_HTML);
    return part == NULL ? (struct slice){ .len = 0 } : part->content;
}

/* Quoted once, as a person forwards it. */
static bool is_quoted_line(struct slice line)
{
    return line.len > 1 && line.data[0] == '>' && line.data[1] == ' ';
}

/* Takes "> " off each line that has it. */
static struct slice unquote(struct slice text, struct arena *arena)
{
    struct buffer plain;
    struct slice rest = text, line, copy;
    if (notice_find(text, SLICE("\n> ")) == SLICE_NOT_FOUND)
        return text;
    buffer_init(&plain, text.len + 1);
    while (slice_split(&rest, '\n', &line)) {
        buffer_append(&plain, is_quoted_line(line) ? slice_from(line, 2) : line);
        buffer_append_byte(&plain, '\n');
    }
    if (!arena_copy(arena, buffer_slice(&plain), &copy))
        copy = text;
    buffer_free(&plain);
    return copy;
}

/* The fields of a report, from their part or from among the text; none is no fault. */
static bool read_fields(struct failure *f, struct slice text)
{
    struct bounce_source *source = f->source;
    const struct report_part *part = report_parts_find(&source->parts, REPORT_PART_STATUS);
    if (part != NULL)
        text = part->content;
    else if (notice_find(text, SLICE("final-recipient:")) == SLICE_NOT_FOUND)
        return true;
    return delivery_report_parse(text, source->arena, &f->report);
}

static const struct notice_recipient *noticed(const struct failure *f, struct slice address)
{
    for (size_t i = 0; i < f->notice.count; i++)
        if (slice_equal_nocase(f->notice.recipients[i].address, address))
            return &f->notice.recipients[i];
    return NULL;
}

/* The rules see so many octets of a message and no more. */
static struct slice spend(struct failure *f, struct slice text)
{
    text = slice_part(text, 0, BOUNCE_TEXT_MAX);
    text = slice_part(text, 0, f->source->text_left);
    f->source->text_left -= text.len;
    return text;
}

/* One text more for the same failure: a part that is known already stays. */
static void consult(struct failure *f, struct slice text, struct slice host,
                    struct bounce_finding *finding)
{
    struct bounce_said said = {
        .text = spend(f, text), .status = finding->status, .code = finding->code,
        .stage = finding->stage, .host = host,
    };
    struct bounce_finding next;
    bounce_classify(&said, &next);
    *finding = next;
}

/* Whether a rule looked at words, not at a code alone. */
static bool is_told(const struct bounce_finding *finding)
{
    return finding->rule != NULL && finding->rule->phrases != NULL;
}

/* "550 5.7.1 ..." in the diagnostic is nearer to the truth than the field Status. */
static void begin_finding(const struct delivery_recipient *r, struct bounce_finding *out)
{
    *out = (struct bounce_finding){ .code = 0 };
    bounce_find_reply(slice_part(r->diagnostic.value, 0, BOUNCE_TEXT_MAX), &out->code,
                      &out->status);
    if (out->status.class == 0 && (r->status.subject != 0 || r->status.detail != 0))
        out->status = r->status; /* x.0.0 says nothing that a text might not say better */
}

/* The command stands in the text for people more often than in the fields. */
static enum bounce_stage find_stage(struct failure *f, const struct notice_recipient *n,
                                    bool is_only)
{
    enum bounce_stage stage = BOUNCE_STAGE_UNKNOWN;
    struct buffer folded;
    buffer_init(&folded, 2 * BOUNCE_TEXT_MAX);
    for (size_t i = 0; n != NULL && i < n->texts_count && stage == BOUNCE_STAGE_UNKNOWN; i++) {
        buffer_clear(&folded);
        bounce_fold(spend(f, n->texts[i]), &folded);
        stage = bounce_find_stage(buffer_slice(&folded));
    }
    if (is_only && stage == BOUNCE_STAGE_UNKNOWN) {
        buffer_clear(&folded);
        bounce_fold(spend(f, f->notice.text), &folded);
        stage = bounce_find_stage(buffer_slice(&folded));
    }
    buffer_free(&folded);
    return stage;
}

/* One recipient, from what is known of them; `r` or `n` may be NULL. */
struct inquiry {
    struct failure *failure;
    const struct delivery_recipient *r;
    const struct notice_recipient *n;
    struct bounce_recipient *recipient;
    struct bounce_finding finding;
};

/* Texts one after another, until a rule has found its words in one. */
static void ask_texts(struct inquiry *q, bool is_only)
{
    struct failure *f = q->failure;
    const struct notice_recipient *n = q->n;
    struct slice host = { .len = 0 };
    if (q->r != NULL) {
        begin_finding(q->r, &q->finding);
        host = q->r->remote_mta.value;
        q->recipient->text = q->r->diagnostic.value;
    }
    q->finding.stage = find_stage(f, n, is_only);
    if (q->recipient->text.len > 0)
        consult(f, q->recipient->text, host, &q->finding);
    for (size_t i = 0; n != NULL && i < n->texts_count && !is_told(&q->finding); i++) {
        consult(f, n->texts[i], host, &q->finding);
        if (q->recipient->text.len == 0 || is_told(&q->finding))
            q->recipient->text = slice_trim(n->texts[i]);
    }
    if (is_only && !is_told(&q->finding))
        consult(f, f->notice.text, host, &q->finding);
    if (q->r != NULL && q->r->action != DELIVERY_ACTION_DELAYED && !is_told(&q->finding) &&
        q->r->status_comment.len > 0)
        consult(f, q->r->status_comment, host, &q->finding);
    if (!is_only && q->finding.rule == NULL && q->recipient->text.len == 0)
        /* one of several, of whom no text speaks: the status alone */
        consult(f, (struct slice){ .len = 0 }, host, &q->finding);
    for (size_t i = 0; n != NULL && i < n->texts_count && q->finding.code == 0; i++)
        bounce_find_reply(slice_part(n->texts[i], 0, BOUNCE_TEXT_MAX), &q->finding.code,
                          &q->finding.status);
}

/* What the fields for programs say, where the text does not say more. */
static void amend_by_fields(const struct delivery_recipient *r, struct bounce_finding *finding)
{
    if (finding->status.class == 0)
        finding->status = r->status;
    switch (r->action) {
    case DELIVERY_ACTION_DELIVERED:
    case DELIVERY_ACTION_RELAYED:
    case DELIVERY_ACTION_EXPANDED:
        finding->reason = BOUNCE_DELIVERED;
        return;
    case DELIVERY_ACTION_DELAYED:
        if (!is_told(finding))
            finding->reason = BOUNCE_EXPIRED;
        return;
    case DELIVERY_ACTION_FAILED:
    case DELIVERY_ACTION_NONE:
        return;
    }
}

static void judge(struct failure *f, const struct delivery_recipient *r,
                  struct bounce_recipient *recipient)
{
    struct inquiry q = { .failure = f, .r = r, .n = noticed(f, recipient->address),
                         .recipient = recipient };
    ask_texts(&q, f->bounce->count == 1);
    struct bounce_finding *finding = &q.finding;
    bool is_delayed = r != NULL && r->action == DELIVERY_ACTION_DELAYED;
    if (r != NULL)
        amend_by_fields(r, finding);
    bounce_judge(recipient, finding, finding->code / 100 == 4 || is_delayed ? 4 : 5);
}

static void take_reported(struct failure *f)
{
    for (size_t i = 0; i < f->report.recipients_count; i++) {
        const struct delivery_recipient *r = &f->report.recipients[i];
        struct slice address = delivery_address(&r->final_recipient);
        if (address.len == 0)
            address = delivery_address(&r->original_recipient);
        if (address.len == 0 && f->report.recipients_count == 1 && f->notice.count > 0)
            address = f->notice.recipients[0].address;
        if (address.len == 0)
            address = r->final_recipient.value; /* X.400 and the like */
        bounce_add(f->bounce, address);
    }
    for (size_t i = 0; i < f->bounce->count; i++)
        judge(f, &f->report.recipients[i], &f->bounce->recipients[i]);
}

/* Exim and Gmail name in the header whom it is about. */
static void take_failed(struct failure *f)
{
    struct slice failed = report_header_value(f->source->parts.header,
                                              SLICE("X-Failed-Recipients"), f->source->arena);
    struct slice address;
    while (notice_address_next(&failed, &address))
        bounce_add(f->bounce, address);
}

/* Of the message that came back. */
static void take_from_original(struct failure *f)
{
    struct slice header = f->notice.original, address;
    const struct report_part *part = report_parts_find(&f->source->parts,
                                                       REPORT_PART_MESSAGE);
    if (part == NULL)
        part = report_parts_find(&f->source->parts, REPORT_PART_HEADERS);
    if (part != NULL)
        header = part->content;
    struct slice to = report_header_value(header, SLICE("To"), f->source->arena);
    if (notice_address_next(&to, &address))
        bounce_add(f->bounce, address);
}

static void take_noticed(struct failure *f)
{
    take_failed(f);
    if (f->bounce->count == 0)
        for (size_t i = 0; i < f->notice.count; i++)
            bounce_add(f->bounce, f->notice.recipients[i].address);
    if (f->bounce->count == 0)
        take_from_original(f);
    if (f->bounce->count == 0)
        bounce_add(f->bounce, (struct slice){ .len = 0 });
    for (size_t i = 0; i < f->bounce->count; i++)
        judge(f, NULL, &f->bounce->recipients[i]);
}

/* Postmasters write ordinary mail, too: a subject has to say so, or an address be named. */
static bool is_understood(const struct bounce *bounce, bool is_subject_telling)
{
    for (size_t i = 0; i < bounce->count; i++) {
        const struct bounce_recipient *r = &bounce->recipients[i];
        if ((is_subject_telling || r->address.len > 0) && r->reason != BOUNCE_ONHOLD &&
            r->reason != BOUNCE_UNDEFINED)
            return true;
    }
    return false;
}

bool bounce_read_failure(struct bounce_source *source, struct bounce *out)
{
    struct failure f = { .source = source, .bounce = out };
    struct slice text = unquote(text_of(&source->parts), source->arena);
    if (!read_fields(&f, text) || !notice_read(text, source->strangers, source->arena, &f.notice))
        return false;
    int likely = f.report.recipients_count > 0 ? 2 : likeness(source, f.notice.text);
    if (likely == 0)
        return false;
    if (f.report.recipients_count > 0)
        take_reported(&f);
    else
        take_noticed(&f);
    out->kind = BOUNCE_KIND_BOUNCE;
    return likely > 1 || is_understood(out, HAS(source->subject, subjects));
}
