/* verdict.c: from what was found to what is said. RFC 7372 3, RFC 9989 (the receiver may
 * do otherwise than the domain's owner wishes). */
#include "verify/verify_private.h"

#include "log/log.h"

static const struct smtp_reply spf_failed = {
    .code = 550, .status = { 5, 7, 23 },
    .text = SLICE_INIT("The sender's domain does not let your address send for it (SPF)"),
};
static const struct smtp_reply dmarc_rejects = {
    .code = 550, .status = { 5, 7, 1 },
    .text = SLICE_INIT("Rejected by the policy of the author's domain (DMARC)"),
};
static const struct smtp_reply no_author = {
    .code = 550, .status = { 5, 7, 1 },
    .text = SLICE_INIT("There is no one author's domain in From (DMARC)"),
};

struct slice verify_id(const struct config *config)
{
    return slice_is_empty(config->verify.authserv_id) ? config->hostname
                                                      : config->verify.authserv_id;
}

static void reply(struct gate_answer *out, const struct smtp_reply *reply)
{
    out->action = GATE_REPLY;
    out->reply = *reply;
}

static void do_as(enum config_verdict what, const struct smtp_reply *refusal,
                  struct gate_answer *out)
{
    switch (what) {
    case CONFIG_VERDICT_NOTE:
        return;
    case CONFIG_VERDICT_HOLD:
        if (out->action == GATE_PASS)
            out->action = GATE_HOLD;
        return;
    case CONFIG_VERDICT_REJECT:
        reply(out, refusal);
        return;
    }
}

static void apply_dmarc(const struct config_verify *c, const struct dmarc_verdict *v,
                        struct gate_answer *out)
{
    const struct smtp_reply *refusal = v->result == DMARC_PERMERROR ? &no_author
                                                                    : &dmarc_rejects;
    switch (v->disposition) {
    case DMARC_POLICY_NONE:
        return;
    case DMARC_POLICY_QUARANTINE:
        do_as(c->dmarc_quarantine, refusal, out);
        return;
    case DMARC_POLICY_REJECT:
        do_as(c->dmarc_reject, refusal, out);
        return;
    }
}

static void tell(const struct gate_question *q, const struct auth *auth,
                 const struct gate_answer *answer)
{
    struct log_line line;
    struct arc_verdict arc;
    if (!log_wants(LOG_INFO))
        return;
    arc_validator_verdict(auth_arc(auth), &arc);
    log_begin(&line, LOG_INFO, "verified");
    log_number(&line, "session", (int64_t)q->session_id);
    log_text(&line, "from", q->envelope->sender);
    if (auth_spf(auth) != NULL)
        log_text(&line, "spf", spf_result_name(spf_verdict(auth_spf(auth)).result));
    log_string(&line, "dkim", dkim_result_text(dkim_verifier_result(auth_dkim(auth))));
    log_string(&line, "arc", arc_result_text(arc.result));
    if (auth_dmarc(auth) != NULL) {
        struct dmarc_verdict v = dmarc_verdict(auth_dmarc(auth));
        log_text(&line, "dmarc", dmarc_result_name(v.result));
        log_text(&line, "author_domain", v.author_domain);
        log_text(&line, "disposition", dmarc_policy_name(v.disposition));
        if (v.reasons->count > 0)
            log_text(&line, "reason", reasons_at(v.reasons, (size_t)v.reasons->count - 1));
    }
    log_string(&line, "action", answer->action == GATE_REPLY ? "reject"
                                : answer->action == GATE_HOLD ? "hold" : "note");
    log_end(&line);
}

void verify_decide(const struct gate_question *q, const struct auth *auth,
                   struct buffer *field, struct gate_answer *out)
{
    const struct config_verify *c = &q->config->verify;
    *out = (struct gate_answer){ .action = GATE_PASS };
    if (auth_spf(auth) != NULL && spf_verdict(auth_spf(auth)).result == SPF_FAIL)
        do_as(c->spf_fail, &spf_failed, out);
    /* Where there is no author at all nobody is taken for another. */
    bool has_author = auth_author(auth)->result != DMARC_FROM_ABSENT;
    if (auth_dmarc(auth) != NULL && has_author && out->action != GATE_REPLY) {
        struct dmarc_verdict v = dmarc_verdict(auth_dmarc(auth));
        apply_dmarc(c, &v, out);
    }
    tell(q, auth, out);
    auth_append_results_field(auth, verify_id(q->config), field);
    if (!field->overflow)
        out->header_prefix = buffer_slice(field);
}
