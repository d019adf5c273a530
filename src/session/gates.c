/* gates.c: asking the gates in their order, at every point of a session.
 *
 * A gate may park; the session then waits. It may want a delay before its answer
 * counts; the session waits then too. Who is refused again and again waits longer each
 * time (the tarpit). Under stress nobody is made to wait: each who does holds a connection.
 */
#include "session/session_private.h"

#include <stdlib.h>

static void gates_go_on(struct session *s);

static bool is_wanted(const struct session *s, const struct gate *gate,
                      enum gate_point point)
{
    if ((gate->ops->points & (unsigned)point) == 0)
        return false;
    if (point != GATE_HEADER && point != GATE_BODY)
        return true;
    bool is_account = buffer_len(&s->account) > 0;
    bool is_submission = s->profile->listener->role == CONFIG_ROLE_SUBMISSION;
    switch (gate->ops->content_of) {
    case GATE_CONTENT_OF_ALL:
        return true;
    case GATE_CONTENT_OF_ACCOUNTS:
        return is_account;
    case GATE_CONTENT_OF_SUBMISSION:
        return is_submission;
    case GATE_CONTENT_OF_SUBMITTERS:
        return is_account || (is_submission && !s->trusted);
    case GATE_CONTENT_OF_FILTERED:
        for (size_t i = 0; i < session_config(s)->milters_count; i++)
            if (config_milter_applies(&session_config(s)->milters[i], is_submission,
                                      is_account, s->trusted))
                return true;
        return false;
    case GATE_CONTENT_OF_STRANGERS:
        return !is_account && !is_submission && !s->trusted;
    }
    return true;
}

static void finish(struct session *s, const struct gate_answer *answer)
{
    s->wait = WAIT_INPUT;
    s->question.answered = NULL;
    session_gates_answered(s, answer);
}

static void on_delay_over(struct timer *timer)
{
    struct session *s = container_of(timer, struct session, delay);
    s->gate_at++;
    gates_go_on(s);
    if (s->wait == WAIT_INPUT)
        session_go_on(s);
}

/* How long the client waits for a refusal. */
static int64_t refusal_delay(const struct session *s, const struct gate_answer *answer)
{
    const struct config_tarpit *t = &session_config(s)->tarpit;
    bool is_known = s->trusted || buffer_len(&s->account) > 0;
    uint32_t errors = smtp_server_errors(s->engine);
    int64_t tarpit = 0;
    if (answer->action == GATE_DROP || s->host->is_stressed)
        return 0;
    if (!is_known && answer->reply.code >= 500 && errors >= t->after)
        tarpit = ((int64_t)(errors - t->after) + 1) * t->step_ms;
    return (tarpit < t->max_ms ? tarpit : t->max_ms) + answer->delay_ms;
}

static void on_refusal_due(struct timer *timer)
{
    struct session *s = container_of(timer, struct session, delay);
    struct refusal *refusal = s->refusal;
    s->refusal = NULL;
    finish(s, &refusal->answer);
    free(refusal);
    if (s->wait == WAIT_INPUT)
        session_go_on(s);
}

/* Its words are kept meanwhile: they may stand in the scratch that all sessions share. False
 * without memory. */
static bool put_off(struct session *s, const struct gate_answer *answer, int64_t ms)
{
    struct slice text = answer->reply.text;
    s->refusal = malloc(sizeof *s->refusal + text.len);
    if (s->refusal == NULL)
        return false;
    s->refusal->answer = *answer;
    if (text.len > 0)
        memcpy(s->refusal->text, text.data, text.len);
    s->refusal->answer.reply.text = slice_make(s->refusal->text, text.len);
    s->wait = WAIT_DELAY;
    timer_init(&s->delay, s->host->options.loop, on_refusal_due);
    timer_set(&s->delay, ms);
    return true;
}

static void refuse(struct session *s, const struct gate_answer *answer)
{
    int64_t delay = refusal_delay(s, answer);
    if (delay == 0 || !put_off(s, answer, delay))
        finish(s, answer);
}

/* One gate's answer. True: ask the next one. */
static bool take_answer(struct session *s, const struct gate_answer *answer)
{
    buffer_append(&s->prefix, answer->header_prefix);
    if (answer->cut_after > 0) {
        session_flush(s); /* what came before it goes out whole */
        s->cut_after = answer->cut_after;
    }
    if (s->question.point == GATE_HEADER && answer->keeps_content)
        s->content_kept = true;
    if (s->question.point == GATE_END && answer->content != NULL) {
        s->content = answer->content;
        s->final = answer->envelope;
        s->above = answer->above;
        buffer_clear(&s->prefix); /* it stands in the content */
    }
    if (answer->changes_header && s->question.point == GATE_HEADER) {
        buffer_clear(&s->header);
        buffer_append(&s->header, answer->header);
        s->question.header = buffer_slice(&s->header);
    }
    switch (answer->action) {
    case GATE_PASS:
        break;
    case GATE_DISCARD:
        s->discard = true;
        break;
    case GATE_HOLD:
        s->hold = true;
        break;
    case GATE_ACCEPT:
        finish(s, NULL);
        return false;
    case GATE_REPLY:
    case GATE_CLOSE:
    case GATE_DROP:
        refuse(s, answer);
        return false;
    }
    if (answer->delay_ms > 0 && !s->host->is_stressed) {
        s->wait = WAIT_DELAY;
        timer_init(&s->delay, s->host->options.loop, on_delay_over);
        timer_set(&s->delay, answer->delay_ms);
        return false;
    }
    s->gate_at++;
    return true;
}

static void on_answered(struct gate_question *question, const struct gate_answer *answer)
{
    struct session *s = container_of(question, struct session, question);
    s->gate_parked = NULL;
    s->wait = WAIT_INPUT;
    if (take_answer(s, answer))
        gates_go_on(s);
    if (s->wait == WAIT_INPUT)
        session_go_on(s);
}

/* Its place in this transaction; NULL without memory, or where it keeps nothing. */
static void **state_of(struct session *s, const struct gate *gate)
{
    if (gate->ops->forget == NULL)
        return NULL;
    if (s->gate_states == NULL)
        s->gate_states = calloc(s->host->options.gates_count, sizeof *s->gate_states);
    return s->gate_states == NULL ? NULL : &s->gate_states[s->gate_at];
}

/* Likewise for the session. */
static void **session_state_of(struct session *s, const struct gate *gate)
{
    if (gate->ops->part == NULL)
        return NULL;
    if (s->gate_kept == NULL)
        s->gate_kept = calloc(s->host->options.gates_count, sizeof *s->gate_kept);
    return s->gate_kept == NULL ? NULL : &s->gate_kept[s->gate_at];
}

void session_gates_part(struct session *s)
{
    const struct session_host_options *o = &s->host->options;
    for (size_t i = 0; s->gate_kept != NULL && i < o->gates_count; i++)
        if (s->gate_kept[i] != NULL)
            o->gates[i]->ops->part(o->gates[i], &s->gate_kept[i]);
    free(s->gate_kept);
    s->gate_kept = NULL;
}

void session_gates_forget(struct session *s)
{
    const struct session_host_options *o = &s->host->options;
    s->content = NULL;
    s->final = NULL;
    s->above = slice_make(NULL, 0);
    s->content_kept = false;
    for (size_t i = 0; s->gate_states != NULL && i < o->gates_count; i++)
        if (s->gate_states[i] != NULL)
            o->gates[i]->ops->forget(o->gates[i], &s->gate_states[i]);
    free(s->gate_states);
    s->gate_states = NULL;
}

static void gates_go_on(struct session *s)
{
    const struct session_host_options *o = &s->host->options;
    while (s->gate_at < o->gates_count) {
        struct gate_answer answer = { .action = GATE_PASS };
        struct gate *gate = o->gates[s->gate_at];
        if (!is_wanted(s, gate, s->question.point)) {
            s->gate_at++;
            continue;
        }
        s->question.state = state_of(s, gate);
        s->question.session_state = session_state_of(s, gate);
        s->question.prefix = buffer_slice(&s->prefix);
        if (gate->ops->ask(gate, &s->question, &answer) == GATE_PARKED) {
            s->gate_parked = gate;
            s->wait = WAIT_GATE;
            return;
        }
        if (!take_answer(s, &answer))
            return;
    }
    finish(s, NULL);
}

static uint64_t content_size(struct session *s, enum gate_point point)
{
    return point == GATE_RCPT || point == GATE_MAIL ? smtp_server_question(s->engine)->declared_size
                              : smtp_server_facts(s->engine)->size;
}

bool session_ask_gates(struct session *s, enum gate_point point, struct slice what)
{
    struct tls_facts tls = { 0 };
    if (s->stream != NULL && stream_tls(s->stream) != NULL)
        tls_describe(stream_tls(s->stream), &tls);
    s->gate_at = 0;
    s->question = (struct gate_question){
        .point = point,
        .now = session_now(s),
        .session_id = s->id,
        .config = session_config(s),
        .is_submission = s->profile->listener->role == CONFIG_ROLE_SUBMISSION,
        .client = &s->client.storage,
        .address = &s->client,
        .is_tls = smtp_server_is_secured(s->engine),
        .helo = point == GATE_HELO ? smtp_server_question(s->engine)->text
                                   : smtp_server_helo(s->engine),
        .client_is_trusted = s->trusted,
        .account = buffer_slice(&s->account),
        .mechanism = slice_from_string(s->mechanism),
        .tls_version = slice_from_string(tls.version),
        .tls_cipher = slice_from_string(tls.cipher),
        .tls_bits = tls.bits,
        .id = s->writer == NULL ? (struct mail_id){ 0 } : s->writer->id,
        .envelope = smtp_server_envelope(s->engine),
        .recipient = point == GATE_RCPT ? what : slice_make(NULL, 0),
        .command = point == GATE_UNKNOWN ? what : slice_make(NULL, 0),
        .body = point == GATE_BODY ? what : slice_make(NULL, 0),
        .header = point == GATE_HEADER ? buffer_slice(&s->header) : slice_make(NULL, 0),
        .content_size = content_size(s, point),
        .content_is_8bit = smtp_server_facts(s->engine)->has_8bit,
        .content_is_mime = smtp_server_is_mime(s->engine),
        .scratch = &s->host->scratch,
        .home = loop_home(s->host->options.loop),
        .answered = on_answered,
    };
    gates_go_on(s);
    return s->wait == WAIT_INPUT;
}

bool session_gates_want(const struct session *s, enum gate_point point)
{
    const struct session_host_options *o = &s->host->options;
    for (size_t i = 0; i < o->gates_count; i++)
        if (is_wanted(s, o->gates[i], point))
            return true;
    return false;
}

void session_gates_cancel(struct session *s)
{
    if (s->gate_parked != NULL)
        s->gate_parked->ops->cancel(s->gate_parked, &s->question);
    s->gate_parked = NULL;
    timer_clear(&s->delay);
    free(s->refusal);
    s->refusal = NULL;
}
