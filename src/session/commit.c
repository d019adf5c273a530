/* commit.c: the message on its way into the intake, and the 250 that follows.
 *
 * RFC 5321 4.2.5 and 6.1: the 250 is said when, and only when, the intake has answered
 * that it is durable. The trace field is put in front at commit, when everything is
 * known.
 */
#include "session/session_private.h"

#include "accounts/accounts.h"
#include "wire/message/received.h"

static const struct smtp_reply full = {
    .code = 452, .status = { 4, 3, 1 }, .text = SLICE_INIT("Not enough room, try later"),
};
static const struct smtp_reply fault = {
    .code = 451, .status = { 4, 3, 0 }, .text = SLICE_INIT("Local trouble, try later"),
};
static const struct smtp_reply closing = {
    .code = 421, .status = { 4, 3, 2 }, .text = SLICE_INIT("Shutting down, try later"),
};

static const struct smtp_reply *reply_for(enum err error)
{
    if (error == ERR_FULL)
        return &full;
    return error == ERR_CLOSED ? &closing : &fault;
}

static void on_resume(void *context)
{
    struct session *s = context;
    if (s->wait != WAIT_INTAKE)
        return;
    s->wait = WAIT_INPUT;
    if (s->content != NULL)
        session_pour(s);
    if (s->wait == WAIT_INPUT)
        session_go_on(s);
}

bool session_begin_intake(struct session *s)
{
    struct intake_begin begin = {
        .home = loop_home(s->host->options.loop),
        .resume = on_resume,
        .context = s,
        .session_id = s->id,
        .size_hint = smtp_server_question(s->engine)->declared_size,
        .is_ours = s->trusted || buffer_len(&s->account) > 0,
    };
    enum err error = intake_begin(s->host->options.intake, &begin, &s->writer);
    if (error == ERR_OK) {
        s->content_mono_ms = session_now(s).mono_ms;
        s->content_bytes = 0;
        s->id_sought = false;
        s->message_id_len = 0;
        s->body_asked = session_gates_want(s, GATE_BODY);
        s->header_kept = s->body_asked || session_gates_want(s, GATE_HEADER);
        header_scan_init(&s->header_scan, NULL);
        buffer_clear(&s->header);
        buffer_clear(&s->body);
        return session_ask_gates(s, GATE_DATA, slice_make(NULL, 0));
    } else {
        session_emit(s, MAIL_REFUSED, (struct mail_id){ 0 }, reply_for(error));
        smtp_server_answer(s->engine, reply_for(error));
    }
    return true;
}

/* The Message-ID, for whoever looks for the message by it; of a header that does not come in
 * one piece only where it stands in the first. */
static void seek_id(struct session *s, struct slice piece)
{
    struct header_field field;
    s->id_sought = true;
    if (!header_find(piece, SLICE("Message-ID"), &field) ||
        field.whole.data + field.whole.len >= piece.data + piece.len)
        return;
    struct slice id = slice_trim(field.value);
    if (id.len > 2 && id.data[0] == '<' && id.data[id.len - 1] == '>')
        id = slice_part(id, 1, id.len - 2);
    if (id.len == 0 || id.len > SESSION_MESSAGE_ID_MAX)
        return;
    memcpy(s->message_id, id.data, id.len);
    s->message_id_len = (uint8_t)id.len;
}

static void pass_on(struct session *s, struct slice piece)
{
    if (!s->id_sought)
        seek_id(s, piece);
    if (s->content_kept)
        return;
    switch (intake_write(s->writer, piece)) {
    case INTAKE_MORE:
        return;
    case INTAKE_WAIT:
        s->wait = WAIT_INTAKE;
        return;
    case INTAKE_FAILED:
        smtp_server_refuse_content(s->engine, &full);
        return;
    }
}

static void refuse_content(struct session *s, const struct smtp_reply *reply)
{
    session_emit(s, MAIL_REFUSED, (struct mail_id){ 0 }, reply);
    if (smtp_server_question(s->engine)->ask == SMTP_ASK_END) {
        intake_abort(&s->writer);
        s->content_mono_ms = 0;
        smtp_server_answer(s->engine, reply);
    } else {
        smtp_server_refuse_content(s->engine, reply);
    }
}

/* A piece of the body: to the gates that want to see it, then to the intake. One that a
 * gate takes its time about is kept. */
static void pass_body(struct session *s, struct slice piece)
{
    if (!s->body_asked) {
        pass_on(s, piece);
        return;
    }
    session_ask_gates(s, GATE_BODY, piece);
    if (s->over || (s->wait != WAIT_GATE && s->wait != WAIT_DELAY))
        return;
    if (buffer_len(&s->body) == 0)
        buffer_append(&s->body, piece);
    s->question.body = buffer_slice(&s->body);
}

void session_body_answered(struct session *s, const struct gate_answer *answer)
{
    struct slice piece = s->question.body;
    if (answer != NULL && answer->action == GATE_CLOSE)
        smtp_server_end(s->engine, &answer->reply);
    else if (answer != NULL)
        refuse_content(s, &answer->reply);
    else if (s->body.overflow)
        refuse_content(s, &fault);
    else
        pass_on(s, piece);
    buffer_free(&s->body);
}

/* The gates have seen the header: it goes on, as they left it. */
void session_header_answered(struct session *s, const struct gate_answer *answer)
{
    s->header_kept = false;
    if (answer != NULL && answer->action == GATE_CLOSE)
        smtp_server_end(s->engine, &answer->reply);
    else if (answer != NULL)
        refuse_content(s, &answer->reply);
    else if (s->header.overflow || s->body.overflow)
        refuse_content(s, &fault);
    bool goes_on = answer == NULL && !s->header.overflow && !s->body.overflow;
    if (goes_on && buffer_len(&s->header) > 0)
        pass_on(s, buffer_slice(&s->header));
    buffer_free(&s->header);
    if (goes_on && buffer_len(&s->body) > 0)
        pass_body(s, buffer_slice(&s->body)); /* frees it when it has gone on */
    else
        buffer_free(&s->body);
}

void session_receive(struct session *s, struct slice piece)
{
    s->content_bytes += piece.len;
    if (!s->header_kept) {
        pass_body(s, piece);
        return;
    }
    struct slice body = piece;
    bool ended = header_scan_feed(&s->header_scan, &body);
    buffer_append(&s->header, slice_part(piece, 0, piece.len - body.len));
    if (!ended)
        return;
    buffer_append(&s->body, body); /* what came in the same piece goes on behind it */
    session_ask_gates(s, GATE_HEADER, slice_make(NULL, 0));
}

/* A Received field without "from": what came through the network is told by nobody else. */
static bool is_hidden(const struct session *s)
{
    struct slice account = buffer_slice(&s->account);
    size_t at = slice_find_last(account, '@');
    if (at == SLICE_NOT_FOUND)
        return false;
    const struct config_domain *domain = config_domain(session_config(s),
                                                       slice_from(account, at + 1));
    return domain != NULL && domain->hide_client;
}

static void append_received(struct session *s, const struct envelope *e, struct buffer *out)
{
    struct buffer *text = &s->host->text;
    char id[MAIL_ID_CHARACTERS + 1];
    struct tls_facts tls = { 0 };
    bool secured = smtp_server_is_secured(s->engine);
    bool hidden = is_hidden(s);
    if (secured && s->stream != NULL)
        tls_describe(stream_tls(s->stream), &tls);
    buffer_clear(text);
    net_host_append(text, &s->client);
    struct received received = {
        .helo = hidden ? slice_make(NULL, 0) : smtp_server_helo(s->engine),
        .client_address = hidden ? slice_make(NULL, 0) : buffer_slice(text),
        .by = session_config(s)->hostname,
        .protocol = { .esmtp = smtp_server_is_esmtp(s->engine), .utf8 = e->smtputf8,
                      .tls = secured,
                      .auth = smtp_server_is_authenticated(s->engine) },
        .tls_version = slice_from_string(tls.version),
        .tls_cipher = slice_from_string(tls.cipher),
        .id = slice_from_string(mail_id_text(s->writer->id, id)),
        .recipient = e->recipients_count == 1 ? e->recipients[0].address
                                              : slice_make(NULL, 0),
        .priority = e->priority,
        .wall_ms = session_now(s).wall_ms,
    };
    received_append(out, &received);
}

static void accepted(struct session *s, struct mail_id id)
{
    struct buffer *text = &s->host->text;
    buffer_clear(text);
    buffer_append(text, SLICE("Ok: queued as "));
    mail_id_append(text, id);
    if (s->host->options.words != NULL)
        s->host->options.words->append(s->host->options.words, buffer_slice(&s->account), id, text);
    struct smtp_reply ok = smtp_reply_make(250, 2, 0, 0, buffer_slice(text));
    session_emit(s, MAIL_ACCEPTED, id, &ok);
    smtp_server_answer(s->engine, &ok);
}

static void on_committed(void *context, enum err result, struct mail_id id)
{
    struct session *s = context;
    s->committing = false;
    s->content_mono_ms = 0;
    if (s->over) {
        if (result == ERR_OK)
            session_emit(s, MAIL_ACCEPTED, id, NULL);
        session_over(s);
        return;
    }
    s->wait = WAIT_INPUT;
    if (result == ERR_OK) {
        accepted(s, id);
    } else {
        session_emit(s, MAIL_REFUSED, (struct mail_id){ 0 }, reply_for(result));
        smtp_server_answer(s->engine, reply_for(result));
    }
    session_gates_forget(s);
    if (s->host->draining)
        smtp_server_end(s->engine, &closing);
    session_go_on(s);
}

static void discard(struct session *s)
{
    struct mail_id id = s->writer->id;
    session_gates_forget(s);
    intake_abort(&s->writer);
    s->content_mono_ms = 0;
    session_emit(s, MAIL_DISCARDED, id, NULL);
    smtp_server_answer(s->engine, NULL);
}

/* It cannot be had from the gate that kept it, or the intake does not take it. */
static void cannot_pour(struct session *s, const struct smtp_reply *reply)
{
    session_emit(s, MAIL_REFUSED, (struct mail_id){ 0 }, reply);
    session_gates_forget(s);
    intake_abort(&s->writer);
    s->content_mono_ms = 0;
    smtp_server_answer(s->engine, reply);
}

static void on_content_ready(void *context)
{
    struct session *s = context;
    if (s->wait != WAIT_GATE || s->content == NULL)
        return;
    s->wait = WAIT_INPUT;
    session_pour(s);
    if (s->wait == WAIT_INPUT)
        session_go_on(s);
}

void session_pour(struct session *s)
{
    struct slice piece;
    s->content->ready = on_content_ready;
    s->content->context = s;
    for (;;) {
        switch (s->content->next(s->content, &piece)) {
        case GATE_CONTENT_PIECE:
            break;
        case GATE_CONTENT_WAIT:
            s->wait = WAIT_GATE;
            return;
        case GATE_CONTENT_END:
            s->content = NULL;
            session_commit(s);
            return;
        case GATE_CONTENT_FAILED:
            cannot_pour(s, &fault);
            return;
        }
        switch (intake_write(s->writer, piece)) {
        case INTAKE_MORE:
            break;
        case INTAKE_WAIT:
            s->wait = WAIT_INTAKE;
            return;
        case INTAKE_FAILED:
            cannot_pour(s, &full);
            return;
        }
    }
}

void session_commit(struct session *s)
{
    const struct envelope *said = s->final != NULL ? s->final : smtp_server_envelope(s->engine);
    struct buffer *prefix = &s->host->prefix;
    struct envelope envelope;
    if (s->discard) {
        discard(s);
        return;
    }
    buffer_clear(prefix);
    arena_reset(&s->host->arena);
    buffer_append(prefix, s->above);
    append_received(s, said, prefix);
    buffer_append(prefix, buffer_slice(&s->prefix));
    if (prefix->overflow || accounts_expand(session_config(s), said, &s->host->arena,
                                            &envelope) != ERR_OK) {
        intake_abort(&s->writer);
        smtp_server_answer(s->engine, &fault);
    } else {
        struct intake_commit commit = {
            .prefix = buffer_slice(prefix),
            .envelope = &envelope,
            .received_wall_ms = session_now(s).wall_ms,
            .not_before_wall_ms =
                smtp_server_release_at(s->engine, session_now(s).wall_ms),
            .hold = s->hold || session_config(s)->queue.hold,
            .done = on_committed,
            .context = s,
        };
        s->committing = true;
        s->wait = WAIT_COMMIT;
        intake_commit(&s->writer, &commit);
    }
}
