/* compliance_gate.c: what is found of one message is kept with its transaction. */
#include "verify/compliance_gate.h"

#include "base/list.h"
#include "log/log.h"
#include "verify/compliance.h"

#include <stdlib.h>

struct compliance_gate {
    struct gate gate;
};

struct checked {
    struct compliance compliance;
};

static bool is_asked(const struct gate_question *q)
{
    return q->is_submission && q->config->compliance.action != CONFIG_COMPLIANCE_OFF;
}

static void append_faults(unsigned faults, struct buffer *out)
{
    for (unsigned fault = 1; fault < COMPLIANCE_FAULTS_END; fault <<= 1) {
        if ((faults & fault) == 0)
            continue;
        if (buffer_len(out) > 0)
            buffer_append_string(out, "; ");
        buffer_append_string(out, compliance_fault_text((enum compliance_fault)fault));
    }
}

static void tell(const struct gate_question *q, struct slice faults, const char *action)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, "compliance");
    log_number(&line, "session", (int64_t)q->session_id);
    if (q->account.len > 0)
        log_text(&line, "account", q->account);
    log_text(&line, "from", q->envelope->sender);
    log_text(&line, "faults", faults);
    log_string(&line, "action", action);
    log_end(&line);
}

static void decide(struct gate_question *q, const struct checked *c, struct gate_answer *out)
{
    static const char *const actions[] = {
        [CONFIG_COMPLIANCE_OFF] = "none", [CONFIG_COMPLIANCE_NOTE] = "note",
        [CONFIG_COMPLIANCE_HOLD] = "hold", [CONFIG_COMPLIANCE_REJECT] = "reject",
    };
    const struct config_compliance *want = &q->config->compliance;
    bool is_to_many = q->envelope->recipients_count >= want->bulk_recipients;
    unsigned faults = compliance_faults(&c->compliance, is_to_many);
    if (faults == 0)
        return;
    buffer_clear(q->scratch);
    append_faults(faults, q->scratch);
    tell(q, buffer_slice(q->scratch), actions[want->action]);
    if (want->action == CONFIG_COMPLIANCE_HOLD)
        out->action = GATE_HOLD;
    if (want->action != CONFIG_COMPLIANCE_REJECT)
        return;
    out->action = GATE_REPLY;
    out->reply = smtp_reply_make(550, 5, 7, 1, buffer_slice(q->scratch));
}

static enum gate_result compliance_ask(struct gate *gate, struct gate_question *q,
                                       struct gate_answer *out)
{
    struct checked *c = *q->state;
    (void)gate;
    *out = (struct gate_answer){ .action = GATE_PASS };
    if (q->point == GATE_HEADER) {
        if (!is_asked(q) || (c = calloc(1, sizeof *c)) == NULL)
            return GATE_ANSWERED;
        compliance_header(q->config, q->header, &c->compliance);
        *q->state = c;
    } else if (c != NULL && q->point == GATE_BODY) {
        compliance_body(&c->compliance, q->body);
    } else if (c != NULL) {
        decide(q, c, out);
    }
    return GATE_ANSWERED;
}

/* It never parks. */
static void compliance_cancel(struct gate *gate, struct gate_question *question)
{
    (void)gate;
    (void)question;
}

static void compliance_forget(struct gate *gate, void **state)
{
    (void)gate;
    free(*state);
    *state = NULL;
}

enum err verify_compliance_gate_open(struct gate **out)
{
    static const struct gate_ops ops = {
        .name = "compliance", .points = GATE_HEADER | GATE_BODY | GATE_END,
        .content_of = GATE_CONTENT_OF_SUBMISSION, .ask = compliance_ask,
        .cancel = compliance_cancel, .forget = compliance_forget,
    };
    struct compliance_gate *g = calloc(1, sizeof *g);
    if (g == NULL)
        return ERR_MEMORY;
    g->gate.ops = &ops;
    *out = &g->gate;
    return ERR_OK;
}

void verify_compliance_gate_close(struct gate **gate)
{
    if (*gate != NULL)
        free(container_of(*gate, struct compliance_gate, gate));
    *gate = NULL;
}
