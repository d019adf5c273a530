/* ask.c: the engine's questions: to the gates, to the intake, and back. */
#include "session/session_private.h"

static void refuse_and_tell(struct session *s, const struct smtp_reply *reply)
{
    session_emit(s, MAIL_REFUSED, (struct mail_id){ 0 }, reply);
    smtp_server_answer(s->engine, reply);
}

/* The client is somebody else from now on: everything known of it is asked again. */
static void take_xclient(struct session *s, const struct smtp_xclient *x)
{
    struct net_address client = s->client;
    uint64_t port = net_address_port(&s->client);
    struct slice address = x->address;
    if (slice_starts_with_nocase(address, SLICE("IPV6:")))
        address = slice_from(address, 5);
    if (x->port.len > 0)
        slice_to_number(x->port, 65535, &port);
    if (address.len > 0 && !net_host_parse(address, (uint16_t)port, &client)) {
        struct smtp_reply bad = smtp_reply_make(501, 5, 5, 4, SLICE("Bad ADDR"));
        smtp_server_answer(s->engine, &bad);
        return;
    }
    if (s->counted)
        limiter_leave(s->host->options.limiter, &s->client);
    s->client = client;
    if (!session_enter(s)) {
        struct smtp_reply full = smtp_reply_make(
            421, 4, 7, 0, SLICE("Too many connections from your address"));
        smtp_server_answer(s->engine, &full);
        return;
    }
    session_take_account(s, x->login);
    smtp_server_set_authenticated(s->engine, x->login.len > 0);
    session_offer_auth(s);
    smtp_server_answer(s->engine, NULL);
}

/* RFC 6710 4.1: who is not trusted cannot raise it. */
static void keep_priority_down(struct session *s)
{
    bool is_trusted = s->trusted || buffer_len(&s->account) > 0;
    if (!is_trusted && smtp_server_envelope(s->engine)->priority > 0)
        smtp_server_set_priority(s->engine, 0);
}

/* RFC 4865 4.2: on submission alone. */
static void offer_release(struct session *s)
{
    int64_t most = session_config(s)->limits.future_release_ms;
    bool is_submission = s->profile->listener->role == CONFIG_ROLE_SUBMISSION;
    struct smtp_server_release release = { .seconds = 0 };
    if (is_submission && most >= SECOND_MS)
        release = (struct smtp_server_release){
            .seconds = (uint32_t)(most / SECOND_MS),
            .until_wall_ms = session_now(s).wall_ms + most,
        };
    smtp_server_offer_release(s->engine, &release);
}

static bool ask_mail(struct session *s)
{
    static const struct smtp_reply never = {
        .code = 501, .status = { 5, 5, 4 },
        .text = SLICE_INIT("It may not leave before the time to deliver it in is over"),
    };
    s->discard = s->hold = false;
    session_gates_forget(s);
    buffer_clear(&s->prefix);
    keep_priority_down(s);
    if (!smtp_server_took_mail(s->engine, session_now(s).wall_ms)) {
        refuse_and_tell(s, &never);
        return true;
    }
    return session_ask_gates(s, GATE_MAIL, slice_make(NULL, 0));
}

bool session_ask(struct session *s)
{
    const struct smtp_question *q = smtp_server_question(s->engine);
    switch (q->ask) {
    case SMTP_ASK_NOTHING:
        return true;
    case SMTP_ASK_HELO:
        offer_release(s);
        session_offer_etrn(s);
        return session_ask_gates(s, GATE_HELO, slice_make(NULL, 0));
    case SMTP_ASK_MAIL:
        return ask_mail(s);
    case SMTP_ASK_RCPT:
        s->discard_before = s->discard;
        s->hold_before = s->hold;
        return session_ask_gates(s, GATE_RCPT, q->recipient->address);
    case SMTP_ASK_DATA:
        return session_begin_intake(s);
    case SMTP_ASK_END:
        if (s->header_kept) /* no empty line came: the header is all there is */
            return session_ask_gates(s, GATE_HEADER, slice_make(NULL, 0)) &&
                   (s->wait != WAIT_INPUT || session_ask(s));
        return session_ask_gates(s, GATE_END, slice_make(NULL, 0));
    case SMTP_ASK_VRFY:
        smtp_server_answer(s->engine, NULL);
        return true;
    case SMTP_ASK_ETRN:
        return session_ask_etrn(s, q);
    case SMTP_ASK_UNKNOWN:
        return session_ask_gates(s, GATE_UNKNOWN, q->text);
    case SMTP_ASK_AUTH:
        return session_ask_auth(s, q);
    case SMTP_ASK_XCLIENT:
        take_xclient(s, q->xclient);
        return true;
    }
    return true;
}

static void connect_answered(struct session *s, const struct gate_answer *answer)
{
    smtp_server_greet(s->engine, answer == NULL ? NULL : &answer->reply);
    session_flush(s);
    if (answer != NULL)
        session_go_on(s);
}

static void close_with(struct session *s, const struct gate_answer *answer)
{
    session_emit(s, MAIL_REFUSED, (struct mail_id){ 0 }, &answer->reply);
    smtp_server_end(s->engine, &answer->reply);
}

void session_gates_answered(struct session *s, const struct gate_answer *answer)
{
    if (answer != NULL && answer->action == GATE_DROP) {
        session_flush(s); /* to what came before it */
        session_lost(s);
        return;
    }
    if (s->question.point == GATE_CONNECT) {
        connect_answered(s, answer);
        return;
    }
    if (s->question.point == GATE_HEADER) {
        session_header_answered(s, answer);
        return;
    }
    if (s->question.point == GATE_BODY) {
        session_body_answered(s, answer);
        return;
    }
    if (answer != NULL && answer->action == GATE_CLOSE) {
        close_with(s, answer);
        return;
    }
    if (answer != NULL) {
        bool is_end = s->question.point == GATE_END || s->question.point == GATE_DATA;
        if (s->question.point == GATE_RCPT) { /* who is refused decides nothing */
            s->discard = s->discard_before;
            s->hold = s->hold_before;
        }
        if (is_end)
            intake_abort(&s->writer);
        s->content_mono_ms = 0;
        refuse_and_tell(s, &answer->reply);
        if (is_end)
            session_gates_forget(s);
        return;
    }
    if (s->question.point == GATE_END && s->content != NULL && !s->discard)
        session_pour(s);
    else if (s->question.point == GATE_END)
        session_commit(s);
    else
        smtp_server_answer(s->engine, NULL);
}
