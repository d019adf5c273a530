#include "policy/submission_gate.h"

#include "base/list.h"
#include "base/utf8.h"
#include "config/config.h"
#include "log/log.h"
#include "wire/message/date.h"
#include "wire/message/header.h"

#include <stdlib.h>
#include <sys/random.h>

struct submission_gate {
    struct gate gate;
};

static const struct smtp_reply malformed = {
    .code = 550, .status = { 5, 6, 0 },
    .text = SLICE_INIT("The header has a line that is no field"),
};
static const struct smtp_reply no_from = {
    .code = 550, .status = { 5, 6, 0 }, .text = SLICE_INIT("The message has no From field"),
};
static const struct smtp_reply many_from = {
    .code = 550, .status = { 5, 6, 0 },
    .text = SLICE_INIT("The message has more than one From field"),
};
static const struct smtp_reply bare_8bit = {
    .code = 550, .status = { 5, 6, 1 },
    .text = SLICE_INIT("8-bit text without MIME: say in which character set"),
};
static const struct smtp_reply bare_8bit_header = {
    .code = 550, .status = { 5, 6, 7 },
    .text = SLICE_INIT("8-bit text in the header: encode it, or use SMTPUTF8"),
};
static const struct smtp_reply fault = {
    .code = 451, .status = { 4, 3, 0 }, .text = SLICE_INIT("Local error, try later"),
};

/* What was found in a header, and what becomes of it. */
struct findings {
    unsigned from;
    bool malformed;
    bool has_date;
    bool has_id;
    bool is_8bit;
    unsigned removed;
};

static bool is_removed(const struct header_field *field, enum header_kind kind)
{
    return kind == HEADER_BCC || kind == HEADER_RETURN_PATH ||
           slice_equal_nocase(field->name, SLICE("Resent-Bcc"));
}

/* Copies what stays; the empty line does not. */
static struct findings walk(struct slice header, struct buffer *out)
{
    struct findings found = { 0 };
    struct cursor c = cursor_over(header);
    struct header_field field;
    enum header_result result;
    while ((result = header_next(&c, &field)) != HEADER_END) {
        enum header_kind kind = result == HEADER_FIELD ? header_kind_of(field.name)
                                                       : HEADER_OTHER;
        found.malformed |= result == HEADER_MALFORMED || field.has_gap;
        found.from += kind == HEADER_FROM;
        found.has_date |= kind == HEADER_DATE;
        found.has_id |= kind == HEADER_MESSAGE_ID;
        if (result == HEADER_FIELD && is_removed(&field, kind)) {
            found.removed++;
            continue;
        }
        found.is_8bit |= !slice_is_ascii(field.whole);
        buffer_append(out, field.whole);
        if (field.whole.len > 0 && field.whole.data[field.whole.len - 1] != '\n')
            buffer_append(out, SLICE("\r\n")); /* the content ends within it */
    }
    return found;
}

static bool append_id(struct buffer *out, struct slice hostname)
{
    uint64_t random[2];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return false;
    buffer_append_format(out, "Message-ID: <%016llx%08llx@", (unsigned long long)random[0],
                         (unsigned long long)(random[1] >> 32));
    buffer_append(out, hostname);
    buffer_append(out, SLICE(">\r\n"));
    return true;
}

static void tell(const struct gate_question *q, const struct findings *found)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, "repaired");
    log_number(&line, "session", (int64_t)q->session_id);
    if (!found->has_date)
        log_string(&line, "added", "Date");
    if (!found->has_id)
        log_string(&line, found->has_date ? "added" : "added_too", "Message-ID");
    if (found->removed > 0)
        log_number(&line, "fields_removed", found->removed);
    log_end(&line);
}

static const struct smtp_reply *judge(const struct gate_question *q,
                                      const struct findings *found)
{
    if (slice_is_empty(q->account))
        return NULL;
    if (found->malformed)
        return &malformed;
    if (found->from != 1)
        return found->from == 0 ? &no_from : &many_from;
    return found->is_8bit && !q->envelope->smtputf8 ? &bare_8bit_header : NULL;
}

static bool repair(const struct gate_question *q, const struct findings *found)
{
    struct buffer *out = q->scratch;
    if (!found->has_date) {
        buffer_append(out, SLICE("Date: "));
        date_append(out, q->now.wall_ms, 0);
        buffer_append(out, SLICE("\r\n"));
    }
    bool good = found->has_id || append_id(out, q->config->hostname);
    buffer_append(out, SLICE("\r\n"));
    return good && !out->overflow;
}

/* Octets above 127 that neither MIME nor the envelope explains. */
static bool is_bare_8bit(const struct gate_question *q)
{
    return !slice_is_empty(q->account) && q->content_is_8bit && !q->content_is_mime &&
           !q->envelope->smtputf8 && q->envelope->body == MAIL_BODY_7BIT;
}

static enum gate_result submission_ask(struct gate *gate, struct gate_question *q,
                                       struct gate_answer *out_answer)
{
    (void)gate;
    *out_answer = (struct gate_answer){ .action = GATE_PASS };
    if (q->point == GATE_END) {
        if (q->is_submission && is_bare_8bit(q))
            *out_answer = (struct gate_answer){ .action = GATE_REPLY, .reply = bare_8bit };
        return GATE_ANSWERED;
    }
    buffer_clear(q->scratch);
    struct findings found = walk(q->header, q->scratch);
    const struct smtp_reply *refusal = judge(q, &found);
    bool changes = !found.has_date || !found.has_id || found.removed > 0;
    if (refusal == NULL && changes && !repair(q, &found))
        refusal = &fault;
    if (refusal != NULL) {
        *out_answer = (struct gate_answer){ .action = GATE_REPLY, .reply = *refusal };
    } else if (changes) {
        tell(q, &found);
        out_answer->header = buffer_slice(q->scratch);
        out_answer->changes_header = true;
    }
    return GATE_ANSWERED;
}

/* It never parks. */
static void submission_cancel(struct gate *gate, struct gate_question *question)
{
    (void)gate;
    (void)question;
}

static const struct gate_ops submission_ops = {
    .name = "submission", .points = GATE_HEADER | GATE_END,
    .content_of = GATE_CONTENT_OF_SUBMISSION,
    .ask = submission_ask, .cancel = submission_cancel,
};

enum err policy_submission_gate_open(struct gate **out)
{
    struct submission_gate *g = calloc(1, sizeof *g);
    if (g == NULL)
        return ERR_MEMORY;
    g->gate.ops = &submission_ops;
    *out = &g->gate;
    return ERR_OK;
}

void policy_submission_gate_close(struct gate **gate)
{
    if (*gate != NULL)
        free(container_of(*gate, struct submission_gate, gate));
    *gate = NULL;
}
