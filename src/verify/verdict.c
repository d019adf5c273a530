/* verdict.c: from what was found to what is said. RFC 7372 3, RFC 9989 (the receiver may
 * do otherwise than the domain's owner wishes). */
#include "verify/verify_private.h"

#include "log/log.h"
#include "net/network.h"
#include "wire/message/results.h"

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

static bool is_trusted(const struct config_slices *sealers, struct slice domain)
{
    for (size_t i = 0; i < sealers->count; i++)
        if (config_name_matches(sealers->all[i], domain))
            return true;
    return false;
}

/* Whether the newest of those who passed it on, as far back as they are believed, found
 * that the author's domain vouches for it (RFC 8617 7.2.1). */
static bool sealers_say_pass(const struct config_verify *c, const struct auth *auth)
{
    const struct arc_validator *arc = auth_arc(auth);
    struct arc_verdict v;
    arc_validator_verdict(arc, &v);
    if (v.result != ARC_PASS)
        return false;
    for (unsigned i = v.sets; i >= 1; i--) {
        struct arc_sealer_claim claim;
        struct slice result;
        arc_validator_claim(arc, i, &claim);
        if (!is_trusted(&c->trusted_sealers, claim.domain))
            return false;
        if (results_find(claim.results, SLICE("dmarc"), &result) &&
            slice_equal_nocase(result, SLICE("pass")))
            return true;
    }
    return false;
}

/* Why a policy is not applied, or NULL: forwarding breaks SPF, and lists break DKIM. Of a
 * message without a readable author nobody has said anything. */
static const char *override(const struct gate_question *q, const struct auth *auth)
{
    const struct config_verify *c = &q->config->verify;
    struct dmarc_verdict v = dmarc_verdict(auth_dmarc(auth));
    if (v.result == DMARC_PERMERROR || v.disposition == DMARC_POLICY_NONE)
        return NULL;
    if (networks_have(c->forwarders, c->forwarders_count, q->address))
        return "forwarder";
    return sealers_say_pass(c, auth) ? "arc" : NULL;
}

static void tell(const struct gate_question *q, const struct auth *auth,
                 const struct gate_answer *answer, const char *overridden)
{
    struct log_line line;
    struct arc_verdict arc;
    if (!log_wants(LOG_INFO))
        return;
    arc_validator_verdict(auth_arc(auth), &arc);
    log_begin(&line, LOG_INFO, "verified");
    log_number(&line, "session", (int64_t)q->session_id);
    log_text(&line, "from", q->envelope->sender);
    if (auth_iprev(auth) != NULL)
        log_string(&line, "iprev", iprev_result_text(iprev_result(auth_iprev(auth))));
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
    if (overridden != NULL)
        log_string(&line, "override", overridden);
    log_string(&line, "action", answer->action == GATE_REPLY ? "reject"
                                : answer->action == GATE_HOLD ? "hold" : "note");
    log_end(&line);
}

static void tell_watcher(struct verify_watcher *watcher, const struct verify_facts *facts)
{
    if (watcher != NULL)
        watcher->decided(watcher, facts);
}

void verify_decide(const struct gate_question *q, const struct auth *auth,
                   struct verify_watcher *watcher, struct buffer *field,
                   struct gate_answer *out)
{
    const struct config_verify *c = &q->config->verify;
    const char *overridden = NULL;
    *out = (struct gate_answer){ .action = GATE_PASS };
    if (auth_spf(auth) != NULL && spf_verdict(auth_spf(auth)).result == SPF_FAIL)
        do_as(c->spf_fail, &spf_failed, out);
    bool is_spf_refusal = out->action == GATE_REPLY;
    /* Where there is no author at all nobody is taken for another. */
    bool has_author = auth_author(auth)->result != DMARC_FROM_ABSENT;
    if (auth_dmarc(auth) != NULL && has_author && out->action != GATE_REPLY) {
        struct dmarc_verdict v = dmarc_verdict(auth_dmarc(auth));
        overridden = override(q, auth);
        if (overridden == NULL)
            apply_dmarc(c, &v, out);
    }
    tell(q, auth, out, overridden);
    tell_watcher(watcher, &(struct verify_facts){ q, auth, out->action, is_spf_refusal,
                                                  overridden });
    if (c->received_spf && auth_spf(auth) != NULL)
        spf_append_received_field(auth_spf(auth), field);
    auth_append_results_field(auth, verify_id(q->config), field);
    if (!field->overflow)
        out->header_prefix = buffer_slice(field);
}
