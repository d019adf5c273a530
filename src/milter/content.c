/* content.c: a message's way through one filter: header, body, end, and its edits. */
#include "milter/milter_private.h"

#include "base/ascii.h"

static void on_held(void *context)
{
    struct filter *f = context;
    if (f->question != NULL)
        filter_go_on(f);
    else if (f->content.ready != NULL)
        f->content.ready(f->content.context);
}

bool content_open_body(struct filter *f, uint64_t bytes_max, struct held **out)
{
    struct held_options options = {
        .workers = f->gate->workers, .home = loop_home(f->gate->loop),
        .folder = f->gate->folder, .bytes_max = bytes_max,
    };
    if (held_open(&options, out) != ERR_OK)
        return false;
    held_tell(*out, on_held, f);
    return true;
}

/* ---- the body that a filter puts in place of ours ---- */

/* Room again: the rest of it may come. */
static void on_body_written(void *context)
{
    struct link *l = context;
    if (l->stream != NULL)
        stream_reading(l->stream, true);
}

static const char *append_body(struct link *l, struct slice bytes)
{
    enum held_result result = held_append(l->body, bytes);
    if (result == HELD_FAILED)
        return held_trouble(l->body) == ERR_FULL ? "its new body is too large"
                                                 : "its new body cannot be kept";
    if (result == HELD_WAIT)
        stream_reading(l->stream, false);
    return NULL;
}

/* Any line end becomes CRLF; a CR at the end of a piece waits for what follows. */
static const char *append_lines(struct link *l, struct slice bytes)
{
    const char *fault = NULL;
    size_t start = 0;
    for (size_t i = 0; i < bytes.len && fault == NULL; i++) {
        char c = bytes.data[i];
        if (c == '\0')
            return "a NUL in its new body";
        l->body_has_8bit |= ascii_is_high(c);
        bool ends = l->body_cr || c == '\n' || c == '\r';
        if (!ends)
            continue;
        if (i > start)
            fault = append_body(l, slice_part(bytes, start, i - start));
        if (fault == NULL && (l->body_cr || c == '\n'))
            fault = append_body(l, SLICE("\r\n"));
        bool is_pair = l->body_cr && c == '\n';
        l->body_cr = c == '\r';
        start = l->body_cr || c == '\n' || is_pair ? i + 1 : i;
    }
    if (fault == NULL && start < bytes.len)
        fault = append_body(l, slice_from(bytes, start));
    return fault;
}

static const char *replace_body(struct link *l, struct slice bytes)
{
    const struct gate_question *q = link_question(l);
    if (l->body == NULL) {
        if (!content_open_body(l->filter, q->config->limits.message_bytes, &l->body))
            return "no memory for its changes";
        held_tell(l->body, on_body_written, l);
        l->body_cr = l->body_has_8bit = false;
    }
    return append_lines(l, bytes);
}

/* ---- edits ---- */

static const char *edit_header(struct link *l, const struct milter_reply *r)
{
    bool is_exact = (l->agreed.protocol & MILTER_LEADING_SPACE) != 0;
    uint32_t action = r->kind == MILTER_REPLY_CHANGE_HEADER ? MILTER_MAY_CHANGE_HEADERS
                                                            : MILTER_MAY_ADD_HEADERS;
    if (!link_may(l, action))
        return "it changes what it did not ask to";
    if (r->kind == MILTER_REPLY_ADD_HEADER)
        return letter_add(&l->letter, r->name, r->text, is_exact);
    if (r->kind == MILTER_REPLY_INSERT_HEADER)
        return letter_insert(&l->letter, r->index, r->name, r->text, is_exact);
    return letter_change(&l->letter, r->index, r->name, r->text, is_exact);
}

const char *content_edit(struct link *l, const struct milter_reply *r)
{
    static const char not_agreed[] = "it changes what it did not ask to";
    switch (r->kind) {
    case MILTER_REPLY_ADD_HEADER:
    case MILTER_REPLY_INSERT_HEADER:
    case MILTER_REPLY_CHANGE_HEADER:
        return edit_header(l, r);
    case MILTER_REPLY_REPLACE_BODY:
        return link_may(l, MILTER_MAY_CHANGE_BODY) ? replace_body(l, r->body) : not_agreed;
    case MILTER_REPLY_ADD_RECIPIENT:
        return link_may(l, MILTER_MAY_ADD_RECIPIENTS)
                   ? letter_add_recipient(&l->letter, r->text, r->parameters) : not_agreed;
    case MILTER_REPLY_ADD_RECIPIENT_WITH_PARAMETERS:
        return link_may(l, MILTER_MAY_ADD_RECIPIENTS_WITH_PARAMETERS)
                   ? letter_add_recipient(&l->letter, r->text, r->parameters) : not_agreed;
    case MILTER_REPLY_DELETE_RECIPIENT:
        return link_may(l, MILTER_MAY_DELETE_RECIPIENTS)
                   ? letter_delete_recipient(&l->letter, r->text) : not_agreed;
    case MILTER_REPLY_CHANGE_SENDER:
        return link_may(l, MILTER_MAY_CHANGE_SENDER)
                   ? letter_set_sender(&l->letter, r->text, r->parameters) : not_agreed;
    case MILTER_REPLY_QUARANTINE:
        if (!link_may(l, MILTER_MAY_QUARANTINE))
            return not_agreed;
        l->letter.hold = true;
        filter_log(l, "quarantine", r->text);
        return NULL;
    case MILTER_REPLY_OPTIONS:
    case MILTER_REPLY_CONTINUE:
    case MILTER_REPLY_ACCEPT:
    case MILTER_REPLY_REJECT:
    case MILTER_REPLY_TEMPFAIL:
    case MILTER_REPLY_DISCARD:
    case MILTER_REPLY_CODE:
    case MILTER_REPLY_SKIP:
    case MILTER_REPLY_CONNECTION_FAIL:
    case MILTER_REPLY_SHUTDOWN:
    case MILTER_REPLY_PROGRESS:
        break;
    }
    return "its answer does not fit the command";
}

/* It has agreed: what it changed counts. False: the end of its body cannot be kept. */
static bool take_edits(struct link *l)
{
    struct filter *f = l->filter;
    bool is_edited = l->letter.header_edits > f->letter.header_edits ||
                     l->letter.envelope_edits > f->letter.envelope_edits || l->body != NULL;
    if (l->body != NULL && l->body_cr && held_append(l->body, SLICE("\r\n")) == HELD_FAILED)
        return false;
    f->letter = l->letter;
    if (l->body != NULL) {
        held_close(&f->body);
        f->body = l->body;
        l->body = NULL;
        f->body_has_8bit |= l->body_has_8bit;
        stream_reading(l->stream, true);
        f->letter.has_end = true;
        held_tell(f->body, on_held, f);
    }
    if (is_edited)
        filter_log(l, "edited", slice_make(NULL, 0));
    return true;
}

/* ---- the way through ---- */

static enum step say_fields(struct link *l)
{
    while (l->field_at < l->letter.fields_count) {
        struct slice pair[2];
        if (link_is_crowded(l))
            return STEP_WAIT;
        if (!letter_field(&l->letter, l->field_at++, &pair[0], &pair[1]))
            continue;
        bool strip = (l->agreed.protocol & MILTER_LEADING_SPACE) == 0;
        while (strip && pair[1].len > 0 && ascii_is_blank(pair[1].data[0]))
            pair[1] = slice_from(pair[1], 1);
        if (link_say(l, MILTER_HEADER, pair, 2))
            return STEP_WAIT;
        if (l->failed)
            return STEP_AGAIN;
    }
    l->stage = STAGE_BODY;
    return link_say(l, MILTER_EOH, NULL, 0) ? STEP_WAIT : STEP_AGAIN;
}

static enum step say_body(struct link *l)
{
    bool wants = !l->skips && (l->agreed.protocol & MILTER_NO_BODY) == 0;
    struct slice piece = { 0 };
    while (wants) {
        if (link_is_crowded(l))
            return STEP_WAIT;
        switch (held_read(l->filter->body, l->body_at, &piece)) {
        case HELD_WAIT:
            return STEP_WAIT;
        case HELD_FAILED:
            link_fail(l, "the message cannot be read again");
            return STEP_AGAIN;
        case HELD_OK:
            break;
        }
        if (piece.len == 0)
            break;
        piece = slice_part(piece, 0, MILTER_CHUNK_MAX);
        l->body_at += piece.len;
        if (link_say_chunk(l, piece))
            return STEP_WAIT;
        if (l->failed)
            return STEP_AGAIN;
    }
    l->stage = STAGE_END;
    return link_say(l, MILTER_END_OF_BODY, NULL, 0) ? STEP_WAIT : STEP_AGAIN;
}

static enum step take_answer(struct link *l, struct gate_question *q, struct gate_answer *out)
{
    bool is_end = l->stage == STAGE_END;
    enum milter_reply_kind said = l->said;
    bool agrees = said == MILTER_REPLY_CONTINUE || said == MILTER_REPLY_ACCEPT;
    if (said == MILTER_REPLY_SKIP) {
        l->said = 0;
        l->skips = true;
        return STEP_AGAIN;
    }
    if (is_end && agrees && !take_edits(l)) {
        link_fail(l, "its new body cannot be kept");
        return STEP_AGAIN;
    }
    if (is_end || said == MILTER_REPLY_ACCEPT)
        l->stage = STAGE_OVER;
    if (is_end)
        l->has_mail = false;
    return filter_verdict(l, q, out);
}

enum step content_go(struct link *l, struct gate_question *q, struct gate_answer *out)
{
    if (l->said != 0)
        return take_answer(l, q, out);
    switch (l->stage) {
    case STAGE_START:
        if (!letter_fork(&l->filter->letter, &l->letter)) {
            link_fail(l, "no memory for its changes");
            return STEP_AGAIN;
        }
        l->stage = STAGE_HEADER;
        l->field_at = 0;
        l->body_at = 0;
        l->skips = false;
        return STEP_AGAIN;
    case STAGE_HEADER:
        return say_fields(l);
    case STAGE_BODY:
        return say_body(l);
    case STAGE_END:
    case STAGE_OVER:
        return STEP_NEXT;
    }
    return STEP_NEXT;
}
