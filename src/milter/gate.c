#include "milter/milter_private.h"

#include "base/ascii.h"
#include "log/log.h"
#include "wire/smtp/reply_reader.h"

#include <stdio.h>
#include <stdlib.h>

enum { FAILURES_MAX = 3, COMMAND_MAX = 64 * 1024, ARENA_SPARE = 1024 * 1024, ARGUMENTS_MAX = 8 };

static const struct smtp_reply rejected = {
    .code = 550, .status = { 5, 7, 1 }, .text = SLICE_INIT("Rejected by a filter"),
};
static const struct smtp_reply refused = {
    .code = 554, .status = { 5, 7, 1 }, .text = SLICE_INIT("Refused by a filter"),
};
static const struct smtp_reply deferred = {
    .code = 451, .status = { 4, 7, 1 }, .text = SLICE_INIT("Put off by a filter, try later"),
};
static const struct smtp_reply closed = {
    .code = 421, .status = { 4, 7, 0 }, .text = SLICE_INIT("A filter closes the connection"),
};
static const struct smtp_reply unavailable = {
    .code = 451, .status = { 4, 7, 1 },
    .text = SLICE_INIT("A filter does not answer, try later"),
};
static const struct smtp_reply unavailable_for_good = {
    .code = 550, .status = { 5, 7, 1 }, .text = SLICE_INIT("A filter does not answer"),
};
static const struct smtp_reply fault = {
    .code = 451, .status = { 4, 3, 0 }, .text = SLICE_INIT("Local error, try later"),
};

void filter_log(const struct link *l, const char *action, struct slice text)
{
    const struct gate_question *q = link_question(l);
    char id[MAIL_ID_CHARACTERS + 1];
    struct log_line line;
    if (!log_wants(LOG_INFO) || q == NULL)
        return;
    log_begin(&line, LOG_INFO, "milter");
    log_number(&line, "session", (int64_t)q->session_id);
    if (q->id.value != 0)
        log_string(&line, "id", mail_id_text(q->id, id));
    log_text(&line, "milter", l->milter->name);
    log_string(&line, "action", action);
    if (q->point == GATE_RCPT)
        log_text(&line, "to", q->recipient);
    if (text.len > 0)
        log_text(&line, "text", text);
    log_end(&line);
}

/* ---- what a filter answers ---- */

static const struct smtp_reply full = {
    .code = 452, .status = { 4, 3, 1 }, .text = SLICE_INIT("Not enough room, try later"),
};

/* "550 5.7.1 words", perhaps many lines, in which "%%" is '%'. False: it is no 4xx or 5xx. */
static bool read_code(struct link *l)
{
    struct smtp_reply_reader reader;
    struct smtp_reply reply = { .code = 0 };
    struct buffer lines;
    struct slice rest = buffer_slice(&l->text);
    struct slice part;
    smtp_reply_reader_init(&reader);
    buffer_init(&lines, SMTP_REPLY_MAX);
    while (rest.len > 0) {
        slice_split(&rest, '\n', &part);
        if (part.len > 0 && part.data[part.len - 1] == '\r')
            part.len--;
        for (size_t i = 0; i < part.len; i++) {
            buffer_append_byte(&lines, part.data[i] == '\r' ? ' ' : part.data[i]);
            if (part.data[i] == '%' && i + 1 < part.len && part.data[i + 1] == '%')
                i++;
        }
        buffer_append(&lines, SLICE("\r\n"));
    }
    struct slice all = buffer_slice(&lines);
    bool good = !lines.overflow &&
                smtp_reply_reader_next(&reader, &all, &reply) == SMTP_REPLY_TAKEN &&
                all.len == 0 && reply.code >= 400;
    if (good) {
        buffer_clear(&l->text);
        buffer_append(&l->text, reply.text);
        l->reply = reply;
        l->reply.text = buffer_slice(&l->text);
        if (reply.status.class == 0)
            l->reply.status = (struct smtp_status){ (uint8_t)(reply.code / 100), 7, 1 };
    }
    smtp_reply_reader_free(&reader);
    buffer_free(&lines);
    return good;
}

static enum step refuse(struct link *l, struct gate_question *q, struct gate_answer *out,
                        const struct smtp_reply *reply)
{
    char bytes[600];
    struct buffer text = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    buffer_append_number(&text, reply->code);
    buffer_append_byte(&text, ' ');
    buffer_append(&text, slice_part(reply->text, 0, 500));
    filter_log(l, reply->code < 500 ? "tempfail" : "reject", buffer_slice(&text));
    out->action = reply->code == 421 && q->point != GATE_CONNECT ? GATE_CLOSE : GATE_REPLY;
    out->reply = *reply;
    return STEP_ANSWERED;
}

enum step filter_verdict(struct link *l, struct gate_question *q, struct gate_answer *out)
{
    enum milter_reply_kind said = l->said;
    bool is_session = q->point == GATE_CONNECT || q->point == GATE_HELO || !l->has_mail;
    l->said = 0;
    switch (said) {
    case MILTER_REPLY_ACCEPT:
        if (is_session && l->stage != STAGE_OVER)
            l->passes_session = true;
        else
            l->passes_message = true;
        return STEP_AGAIN;
    case MILTER_REPLY_REJECT:
        return refuse(l, q, out, q->point == GATE_CONNECT ? &refused : &rejected);
    case MILTER_REPLY_TEMPFAIL:
        return refuse(l, q, out, &deferred);
    case MILTER_REPLY_CONNECTION_FAIL:
    case MILTER_REPLY_SHUTDOWN:
        return refuse(l, q, out, &closed);
    case MILTER_REPLY_CODE:
        if (read_code(l))
            return refuse(l, q, out, &l->reply);
        link_fail(l, "its reply is none that refuses");
        return STEP_AGAIN;
    case MILTER_REPLY_DISCARD:
        filter_log(l, "discard", slice_make(NULL, 0));
        out->action = GATE_DISCARD;
        return STEP_ANSWERED;
    case MILTER_REPLY_CONTINUE:
    case MILTER_REPLY_SKIP:
    case MILTER_REPLY_OPTIONS:
    case MILTER_REPLY_PROGRESS:
    case MILTER_REPLY_ADD_HEADER:
    case MILTER_REPLY_INSERT_HEADER:
    case MILTER_REPLY_CHANGE_HEADER:
    case MILTER_REPLY_REPLACE_BODY:
    case MILTER_REPLY_ADD_RECIPIENT:
    case MILTER_REPLY_ADD_RECIPIENT_WITH_PARAMETERS:
    case MILTER_REPLY_DELETE_RECIPIENT:
    case MILTER_REPLY_CHANGE_SENDER:
    case MILTER_REPLY_QUARANTINE:
        break;
    }
    return STEP_AGAIN;
}

/* It has failed. A client is let in: its mail is what is refused. */
static enum step without(struct link *l, struct gate_question *q, struct gate_answer *out)
{
    if (q->point == GATE_CONNECT || q->point == GATE_HELO || q->point == GATE_UNKNOWN)
        return STEP_NEXT;
    switch (l->milter->on_failure) {
    case CONFIG_MILTER_ACCEPT:
        return STEP_NEXT;
    case CONFIG_MILTER_QUARANTINE:
        l->filter->hold = true;
        return STEP_NEXT;
    case CONFIG_MILTER_TEMPFAIL:
        return refuse(l, q, out, &unavailable);
    case CONFIG_MILTER_REJECT:
        return refuse(l, q, out, &unavailable_for_good);
    }
    return STEP_NEXT;
}

/* ---- the commands ---- */

static enum step say_connect(struct link *l, const struct gate_question *q)
{
    char bytes[NET_ADDRESS_TEXT_MAX];
    struct buffer text = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    struct milter_client client = { .name = SLICE("unknown"), .port = net_address_port(q->address) };
    int family = q->address->any.sa_family;
    l->has_connect = true;
    client.family = family == AF_INET    ? MILTER_FAMILY_IPV4
                    : family == AF_INET6 ? MILTER_FAMILY_IPV6
                    : family == AF_UNIX  ? MILTER_FAMILY_UNIX
                                         : MILTER_FAMILY_UNKNOWN;
    net_literal_append(&text, q->address);
    client.address = buffer_slice(&text);
    return link_say_client(l, &client) ? STEP_WAIT : STEP_AGAIN;
}

static enum step say_helo(struct link *l, const struct gate_question *q)
{
    l->has_helo = true;
    return link_say(l, MILTER_HELO, &q->helo, 1) ? STEP_WAIT : STEP_AGAIN;
}

/* "<address>" in the buffer. */
static void append_path(struct buffer *out, struct slice address)
{
    buffer_append_byte(out, '<');
    buffer_append(out, address);
    buffer_append_byte(out, '>');
}

static enum step say_mail(struct link *l, const struct gate_question *q)
{
    static const struct slice bodies[] = {
        [MAIL_BODY_7BIT] = SLICE_INIT(""), [MAIL_BODY_8BITMIME] = SLICE_INIT("BODY=8BITMIME"),
        [MAIL_BODY_BINARYMIME] = SLICE_INIT("BODY=BINARYMIME"),
    };
    const struct envelope *e = q->envelope;
    struct slice strings[ARGUMENTS_MAX];
    struct buffer path;
    struct buffer size;
    size_t count = 1;
    buffer_init(&path, 4096);
    buffer_init(&size, 64);
    append_path(&path, e->sender);
    strings[0] = buffer_slice(&path);
    if (q->content_size > 0) {
        buffer_append(&size, SLICE("SIZE="));
        buffer_append_number(&size, q->content_size);
        strings[count++] = buffer_slice(&size);
    }
    if (bodies[e->body].len > 0)
        strings[count++] = bodies[e->body];
    if (e->smtputf8)
        strings[count++] = SLICE("SMTPUTF8");
    if (e->ret != DSN_RET_UNSPECIFIED)
        strings[count++] = e->ret == DSN_RET_FULL ? SLICE("RET=FULL") : SLICE("RET=HDRS");
    l->has_mail = true;
    bool waits = link_say(l, MILTER_MAIL, strings, count);
    buffer_free(&path);
    buffer_free(&size);
    return waits ? STEP_WAIT : STEP_AGAIN;
}

static enum step say_rcpt(struct link *l, const struct gate_question *q)
{
    struct buffer path;
    buffer_init(&path, 4096);
    append_path(&path, q->recipient);
    struct slice string = buffer_slice(&path);
    l->has_rcpt = true;
    bool waits = link_say(l, MILTER_RCPT, &string, 1);
    buffer_free(&path);
    return waits ? STEP_WAIT : STEP_AGAIN;
}

static bool is_of_message(enum gate_point point)
{
    return point != GATE_CONNECT && point != GATE_HELO && point != GATE_UNKNOWN;
}

/* One step with one filter. */
static enum step link_go(struct link *l, struct gate_question *q, struct gate_answer *out)
{
    bool applies = config_milter_applies(l->milter, q->is_submission, q->account.len > 0,
                                         q->client_is_trusted);
    if (!applies || l->awaits != 0)
        return applies ? STEP_WAIT : STEP_NEXT;
    if (l->failed)
        return without(l, q, out);
    if (l->passes_session || l->passes_message)
        return STEP_NEXT;
    if (l->state == LINK_CONNECTING)
        return STEP_WAIT;
    if (l->said != 0 && q->point != GATE_END)
        return filter_verdict(l, q, out);
    if (l->state == LINK_CLOSED && q->point == GATE_UNKNOWN)
        return STEP_NEXT;
    if (l->state == LINK_CLOSED) {
        if (is_of_message(q->point) && q->point != GATE_MAIL)
            link_fail(l, "it was lost within a message");
        else
            link_open(l);
        return STEP_AGAIN;
    }
    if (!l->has_connect)
        return say_connect(l, q);
    if (q->helo.len > 0 && !l->has_helo)
        return say_helo(l, q);
    if (q->point == GATE_MAIL && !l->has_mail)
        return say_mail(l, q);
    if (q->point == GATE_RCPT && !l->has_rcpt)
        return say_rcpt(l, q);
    if (q->point == GATE_DATA && !l->has_data) {
        l->has_data = true;
        return link_say(l, MILTER_DATA, NULL, 0) ? STEP_WAIT : STEP_AGAIN;
    }
    if (q->point == GATE_UNKNOWN && !l->has_unknown) {
        struct slice string = buffer_slice(&l->filter->command);
        l->has_unknown = true;
        return link_say(l, MILTER_UNKNOWN, &string, 1) ? STEP_WAIT : STEP_AGAIN;
    }
    return q->point == GATE_END && l->filter->has_letter ? content_go(l, q, out) : STEP_NEXT;
}

/* ---- the end of data ---- */

static enum gate_content_step content_next(struct gate_content *content, struct slice *out)
{
    struct filter *f = container_of(content, struct filter, content);
    while (f->content_part == CONTENT_FIELDS) {
        if (f->content_field < f->letter.fields_count) {
            *out = f->letter.fields[f->content_field++];
            return GATE_CONTENT_PIECE;
        }
        f->content_part = CONTENT_END_OF_HEADER;
    }
    if (f->content_part == CONTENT_END_OF_HEADER) {
        f->content_part = CONTENT_BODY;
        if (f->letter.has_end) {
            *out = SLICE("\r\n");
            return GATE_CONTENT_PIECE;
        }
    }
    switch (held_read(f->body, f->content_at, out)) {
    case HELD_OK:
        f->content_at += out->len;
        return out->len > 0 ? GATE_CONTENT_PIECE : GATE_CONTENT_END;
    case HELD_WAIT:
        return GATE_CONTENT_WAIT;
    case HELD_FAILED:
        break;
    }
    return GATE_CONTENT_FAILED;
}

/* What stands above our own Received field goes with it; the rest is content. */
static bool take_above(struct filter *f, struct slice *out)
{
    struct buffer above;
    size_t own = 0;
    while (own < f->letter.fields_count && f->letter.fields[own].len > 0)
        own++;
    buffer_init(&above, f->letter.limits.header_bytes + 1);
    for (size_t i = 0; i < own; i++)
        buffer_append(&above, f->letter.fields[i]);
    bool good = !above.overflow && arena_copy(&f->arena, buffer_slice(&above), out);
    buffer_free(&above);
    f->content_field = own + 1;
    return good;
}

/* All have agreed: the message goes on as they left it. */
static void give_back(struct filter *f, struct gate_question *q, struct gate_answer *out)
{
    struct letter *l = &f->letter;
    f->envelope = *q->envelope;
    f->envelope.sender = l->sender;
    f->envelope.envid = l->envid;
    f->envelope.ret = l->ret;
    f->envelope.recipients = l->recipients;
    f->envelope.recipients_count = l->recipients_count;
    f->envelope.smtputf8 |= l->is_utf8;
    f->envelope.content_8bit |= l->has_8bit || f->body_has_8bit;
    f->content_part = CONTENT_FIELDS;
    f->content_at = 0;
    if (!take_above(f, &out->above)) {
        *out = (struct gate_answer){ .action = GATE_REPLY, .reply = fault };
        return;
    }
    f->content = (struct gate_content){ .next = content_next };
    out->content = &f->content;
    out->envelope = &f->envelope;
    f->hold |= l->hold;
    if (l->recipients_count == 0) /* nobody is left to get it */
        out->action = GATE_DISCARD;
}

static bool prepare(struct filter *f, const struct gate_question *q)
{
    if (f->is_prepared)
        return true;
    f->is_prepared = true;
    return letter_prepend(&f->letter, q->prefix);
}

/* ---- a session ---- */

/* True: `out` is the answer; false: it waits. */
static bool filter_run(struct filter *f, struct gate_question *q, struct gate_answer *out)
{
    *out = (struct gate_answer){ .action = GATE_PASS };
    if (q->point == GATE_BODY) {
        out->action = f->hold ? GATE_HOLD : GATE_PASS;
        return !held_is_busy(f->body);
    }
    while (f->at < f->count) {
        switch (link_go(&f->links[f->at], q, out)) {
        case STEP_NEXT:
            f->at++;
            break;
        case STEP_AGAIN:
            break;
        case STEP_WAIT:
            return false;
        case STEP_ANSWERED:
            return true;
        }
    }
    if (q->point == GATE_END && f->has_letter)
        give_back(f, q, out);
    if (f->hold && is_of_message(q->point) && out->action == GATE_PASS)
        out->action = GATE_HOLD;
    return true;
}

void filter_go_on(struct filter *f)
{
    struct gate_question *q = f->question;
    struct gate_answer answer;
    if (q == NULL || !filter_run(f, q, &answer))
        return;
    f->question = NULL;
    q->parked = NULL;
    q->answered(q, &answer);
}

static void drop_message(struct filter *f)
{
    for (size_t i = 0; i < f->count; i++)
        link_abort(&f->links[i]);
    held_close(&f->body);
    arena_free(&f->arena);
    f->has_letter = f->is_prepared = f->body_has_8bit = false;
    f->content = (struct gate_content){ .next = NULL };
    f->hold = false;
}

static void filter_free(struct filter *f)
{
    for (size_t i = 0; i < f->count; i++) {
        struct link *l = &f->links[i];
        link_quit(l);
        milter_reader_free(&l->reader);
        buffer_free(&l->text);
    }
    held_close(&f->body);
    arena_free(&f->arena);
    buffer_free(&f->command);
    free(f->links);
    free(f);
}

static struct filter *filter_make(struct milter_gate *g, const struct gate_question *q)
{
    const struct config *c = q->config;
    struct filter *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    f->links = calloc(c->milters_count, sizeof *f->links);
    if (f->links == NULL) {
        free(f);
        return NULL;
    }
    f->gate = g;
    f->client = *q->address;
    buffer_init(&f->command, COMMAND_MAX);
    f->count = c->milters_count;
    arena_init(&f->arena, c->limits.header_bytes * 4 + ARENA_SPARE * (1 + f->count));
    for (size_t i = 0; i < f->count; i++) {
        f->links[i].filter = f;
        f->links[i].milter = &c->milters[i];
        milter_reader_init(&f->links[i].reader);
    }
    return f;
}

/* What is told anew at this point. */
static void begin_point(struct filter *f, struct gate_question *q)
{
    bool is_other = !net_address_equal_host(&f->client, q->address);
    f->at = 0;
    if (q->point == GATE_MAIL)
        drop_message(f);
    for (size_t i = 0; i < f->count; i++) {
        struct link *l = &f->links[i];
        if (is_other) {
            link_quit(l);
            l->failures = 0;
        }
        if (q->point == GATE_HELO)
            l->has_helo = false;
        if (q->point == GATE_RCPT)
            l->has_rcpt = false;
        if (q->point == GATE_UNKNOWN)
            l->has_unknown = false;
        if (q->point != GATE_MAIL)
            continue;
        l->passes_message = false;
        l->failed = l->failures >= FAILURES_MAX;
    }
    f->client = *q->address;
    if (q->point == GATE_UNKNOWN) {
        buffer_clear(&f->command);
        buffer_append(&f->command, q->command);
    }
}

static bool is_looked_at(const struct filter *f, const struct gate_question *q)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct link *l = &f->links[i];
        if (!l->failed && !l->passes_session && !l->passes_message &&
            config_milter_applies(l->milter, q->is_submission, q->account.len > 0,
                                  q->client_is_trusted))
            return true;
    }
    return false;
}

/* Keeps the message back, where somebody still wants to see it. */
static void at_header(struct filter *f, struct gate_question *q, struct gate_answer *out)
{
    const struct config_limits *limits = &q->config->limits;
    struct letter_limits of_letter = {
        .header_bytes = limits->header_bytes, .header_fields = limits->header_fields,
        .recipients = limits->recipients,
    };
    if (!is_looked_at(f, q))
        return;
    if (!letter_make(&f->letter, &f->arena, &of_letter, q->header, q->envelope) ||
        !content_open_body(f, limits->message_bytes, &f->body)) {
        *out = (struct gate_answer){ .action = GATE_REPLY, .reply = fault };
        return;
    }
    f->has_letter = true;
    out->keeps_content = true;
}

static enum gate_result at_body(struct filter *f, struct gate_question *q,
                                struct gate_answer *out)
{
    if (!f->has_letter)
        return GATE_ANSWERED;
    switch (held_append(f->body, q->body)) {
    case HELD_OK:
        return GATE_ANSWERED;
    case HELD_WAIT:
        f->question = q;
        q->parked = f;
        return GATE_PARKED;
    case HELD_FAILED:
        break;
    }
    enum err trouble = held_trouble(f->body);
    log_fault("milter", "a message that filters would look at", trouble);
    *out = (struct gate_answer){ .action = GATE_REPLY,
                                 .reply = trouble == ERR_FULL ? full : fault };
    return GATE_ANSWERED;
}

static enum gate_result ask_all(struct filter *f, struct gate_question *q,
                                struct gate_answer *out)
{
    begin_point(f, q);
    if (q->point == GATE_MAIL && q->state != NULL)
        *q->state = f;
    if (q->point == GATE_END && f->has_letter && !prepare(f, q)) {
        *out = (struct gate_answer){ .action = GATE_REPLY, .reply = fault };
        return GATE_ANSWERED;
    }
    f->question = q;
    if (!filter_run(f, q, out)) {
        q->parked = f;
        return GATE_PARKED;
    }
    f->question = NULL;
    return GATE_ANSWERED;
}

static enum gate_result milter_ask(struct gate *gate, struct gate_question *q,
                                   struct gate_answer *out)
{
    struct milter_gate *g = container_of(gate, struct milter_gate, gate);
    *out = (struct gate_answer){ .action = GATE_PASS };
    if (q->config->milters_count == 0)
        return GATE_ANSWERED;
    if (q->session_state != NULL && *q->session_state == NULL)
        *q->session_state = filter_make(g, q);
    struct filter *f = q->session_state == NULL ? NULL : *q->session_state;
    if (f == NULL) {
        *out = (struct gate_answer){ .action = GATE_REPLY, .reply = fault };
        return GATE_ANSWERED;
    }
    if (q->point == GATE_HEADER) {
        at_header(f, q, out);
        return GATE_ANSWERED;
    }
    return q->point == GATE_BODY ? at_body(f, q, out) : ask_all(f, q, out);
}

static void milter_cancel(struct gate *gate, struct gate_question *q)
{
    struct filter *f = q->parked;
    (void)gate;
    q->parked = NULL;
    if (f == NULL)
        return;
    f->question = NULL;
    for (size_t i = 0; i < f->count; i++)
        link_close(&f->links[i]);
}

static void milter_forget(struct gate *gate, void **state)
{
    (void)gate;
    drop_message(*state);
    *state = NULL;
}

static void milter_part(struct gate *gate, void **state)
{
    (void)gate;
    filter_free(*state);
    *state = NULL;
}

static const struct gate_ops milter_ops = {
    .name = "milter",
    .points = GATE_CONNECT | GATE_HELO | GATE_MAIL | GATE_RCPT | GATE_DATA | GATE_HEADER |
              GATE_BODY | GATE_END | GATE_UNKNOWN,
    .content_of = GATE_CONTENT_OF_FILTERED,
    .ask = milter_ask, .cancel = milter_cancel, .forget = milter_forget, .part = milter_part,
};

enum err milter_gate_open(struct loop *loop, struct workers *workers, struct slice folder,
                          struct gate **out)
{
    struct milter_gate *g = calloc(1, sizeof *g);
    char *copy = slice_to_string(folder);
    if (g == NULL || copy == NULL) {
        free(g);
        free(copy);
        return ERR_MEMORY;
    }
    *g = (struct milter_gate){ .gate.ops = &milter_ops, .loop = loop, .workers = workers,
                               .folder = copy };
    *out = &g->gate;
    return ERR_OK;
}

void milter_gate_close(struct gate **gate)
{
    if (*gate == NULL)
        return;
    struct milter_gate *g = container_of(*gate, struct milter_gate, gate);
    *gate = NULL;
    free(g->folder);
    free(g);
}
