/* evaluate.c: RFC 9989 4.10.1 (whose policy), 4.10.2 (alignment), 5.3 (the result). */
#include "auth/dmarc/dmarc_private.h"

#include "wire/dns/message.h"

/* What is found out on the way; notes of it are made when everything is known. */
struct findings {
    const struct dmarc_node *policy;  /* the record that counts */
    struct dmarc_record record;       /* the same, settled */
    struct dmarc_walk walk;           /* of the author's domain */
    bool is_walk_known;
    bool is_aligned_spf;              /* whatever SPF says of it */
    bool is_aligned_dkim[DMARC_SIGNATURES_MAX];
    bool is_undecided;                /* an alignment is not known */
};

enum step {
    STEP_ASKS,
    STEP_GOES_ON,
    STEP_CONCLUDED,
};

static enum step conclude(struct dmarc *d, enum dmarc_result result, const char *why)
{
    reasons_add(&d->reasons, why);
    d->verdict.result = result;
    return STEP_CONCLUDED;
}

/* RFC 9989 4.10.1: the author's domain, its organizational domain, its public suffix. */
static enum step find_policy(struct dmarc *d, struct findings *f)
{
    struct slice author = dmarc_from_domain(&d->from);
    const struct dmarc_node *own = dmarc_node_of(d, author);
    if (own == NULL)
        return STEP_ASKS;
    if (own->state == DMARC_NODE_FAILED)
        return conclude(d, DMARC_TEMPERROR, "the policy of the author's domain could not be "
                                            "looked up");
    enum dmarc_walk_result walked = dmarc_walk(d, author, &f->walk);
    if (walked == DMARC_WALK_ASKS)
        return STEP_ASKS;
    f->is_walk_known = walked == DMARC_WALK_DONE;
    if (own->state == DMARC_NODE_RECORD)
        f->policy = own;
    else if (!f->is_walk_known)
        return conclude(d, DMARC_TEMPERROR, "the policy of a domain above the author's could "
                                            "not be looked up");
    else
        f->policy = f->walk.organizational != NULL ? f->walk.organizational : f->walk.suffix;
    if (f->policy == NULL)
        return conclude(d, DMARC_NONE, "no domain at or above the author's has a policy");
    f->record = f->policy->record;
    if (!dmarc_record_settle(&f->record))
        return conclude(d, DMARC_NONE, "the record has no policy that can be read, and nobody "
                                       "to report to");
    return STEP_GOES_ON;
}

/* RFC 9989 3.2.13; asked for only where it makes a difference. */
static enum step find_existence(struct dmarc *d, const struct findings *f)
{
    struct slice author = dmarc_from_domain(&d->from);
    if (d->existence != DMARC_EXISTENCE_UNASKED || slice_equal(f->policy->domain, author) ||
        f->record.non_existent.state != DMARC_TAG_VALID)
        return STEP_GOES_ON;
    d->asked_domain = SLICE("");
    d->question = (struct lookup_question){ .name = author, .type = DNS_TYPE_A };
    d->is_asking = true;
    return STEP_ASKS;
}

/* Two domains of one organization. Only what lies in the author's organization can be
 * of it, so that nothing else is walked. */
static enum step find_alignment(struct dmarc *d, const struct dmarc_identifier *identifier,
                                bool is_strict, struct findings *f, bool *out_is_aligned)
{
    struct slice author = dmarc_from_domain(&d->from);
    struct dmarc_walk walk;
    *out_is_aligned = false;
    if (identifier->domain.len == 0 || identifier->evidence == DMARC_REFUTED)
        return STEP_GOES_ON;
    if (slice_equal(identifier->domain, author)) {
        *out_is_aligned = true;
        return STEP_GOES_ON;
    }
    if (is_strict)
        return STEP_GOES_ON;
    if (!f->is_walk_known) {
        f->is_undecided = true;
        return STEP_GOES_ON;
    }
    if (!dmarc_is_at_or_in(identifier->domain, f->walk.organizational_domain))
        return STEP_GOES_ON;
    switch (dmarc_walk(d, identifier->domain, &walk)) {
    case DMARC_WALK_ASKS:
        return STEP_ASKS;
    case DMARC_WALK_FAILED:
        f->is_undecided = true;
        return STEP_GOES_ON;
    case DMARC_WALK_DONE:
        break;
    }
    *out_is_aligned =
        slice_equal(walk.organizational_domain, f->walk.organizational_domain);
    return STEP_GOES_ON;
}

static enum step find_alignments(struct dmarc *d, struct findings *f)
{
    if (find_alignment(d, &d->spf, f->record.is_spf_strict, f, &f->is_aligned_spf) ==
        STEP_ASKS)
        return STEP_ASKS;
    for (size_t i = 0; i < d->dkim_count; i++)
        if (find_alignment(d, &d->dkim[i], f->record.is_dkim_strict, f,
                           &f->is_aligned_dkim[i]) == STEP_ASKS)
            return STEP_ASKS;
    return STEP_GOES_ON;
}

/* Whether it is a pass that counts. */
static bool weigh(struct dmarc *d, const struct dmarc_identifier *identifier,
                  bool is_aligned, const char *method, bool *is_undecided)
{
    static const char *const says[] = {
        [DMARC_REFUTED] = " is no pass", [DMARC_CONFIRMED] = " is a pass",
        [DMARC_UNDECIDED] = " could not be decided",
    };
    if (identifier->domain.len == 0)
        return false;
    struct buffer *text = reasons_begin(&d->reasons);
    buffer_append_string(text, method);
    buffer_append_string(text, " of ");
    buffer_append_escaped(text, identifier->domain);
    buffer_append_string(text, says[identifier->evidence]);
    if (identifier->evidence != DMARC_REFUTED)
        buffer_append_string(text, is_aligned ? ", and aligned" : ", and not aligned");
    reasons_end(&d->reasons);
    if (is_aligned && identifier->evidence == DMARC_UNDECIDED)
        *is_undecided = true;
    return is_aligned && identifier->evidence == DMARC_CONFIRMED;
}

static void weigh_evidence(struct dmarc *d, const struct findings *f)
{
    struct dmarc_verdict *v = &d->verdict;
    bool is_undecided = f->is_undecided;
    v->is_spf_aligned = weigh(d, &d->spf, f->is_aligned_spf, "SPF", &is_undecided);
    for (size_t i = 0; i < d->dkim_count; i++)
        if (weigh(d, &d->dkim[i], f->is_aligned_dkim[i], "a signature", &is_undecided))
            v->is_dkim_aligned = true;
    v->result = v->is_spf_aligned || v->is_dkim_aligned ? DMARC_PASS
                : is_undecided                          ? DMARC_TEMPERROR
                                                        : DMARC_FAIL;
}

/* RFC 9989 4.10.1: "p", or for what lies below "np" or "sp". */
static void choose_policy(struct dmarc *d, const struct findings *f)
{
    struct dmarc_verdict *v = &d->verdict;
    const struct dmarc_record *r = &f->record;
    const char *tag = "p";
    v->policy = r->domain.policy;
    if (!slice_equal(v->policy_domain, v->author_domain)) {
        if (d->existence == DMARC_EXISTS_NOT && r->non_existent.state == DMARC_TAG_VALID) {
            v->policy = r->non_existent.policy;
            tag = "np";
        } else if (r->subdomains.state == DMARC_TAG_VALID) {
            v->policy = r->subdomains.policy;
            tag = "sp";
        }
    }
    struct buffer *text = reasons_begin(&d->reasons);
    buffer_append_format(text, "the policy is %s=", tag);
    buffer_append(text, dmarc_policy_name(v->policy));
    buffer_append_string(text, " of ");
    buffer_append(text, v->policy_domain);
    reasons_end(&d->reasons);
}

/* "t=y": one step below the policy (RFC 9989 4.7). */
static void choose_disposition(struct dmarc *d, const struct findings *f)
{
    struct dmarc_verdict *v = &d->verdict;
    v->disposition = DMARC_POLICY_NONE;
    if (v->result != DMARC_FAIL)
        return;
    v->disposition = v->policy;
    if (f->record.is_test && v->policy != DMARC_POLICY_NONE) {
        v->disposition = v->policy - 1;
        reasons_add(&d->reasons, "the domain is only testing its policy: one step less");
    }
}

static void note_places(struct dmarc *d, const struct findings *f)
{
    struct dmarc_verdict *v = &d->verdict;
    if (f->is_walk_known) {
        v->organizational_domain = f->walk.organizational_domain;
        reasons_add_about(&d->reasons, "the organizational domain is ",
                          v->organizational_domain, "");
    }
    if (f->policy != NULL) {
        v->policy_domain = f->policy->domain;
        v->record_text = f->policy->text;
        v->record = &f->policy->record;
    }
}

bool dmarc_evaluate(struct dmarc *d)
{
    struct findings f = { .policy = NULL };
    enum step step = STEP_CONCLUDED;
    if (d->from.result != DMARC_FROM_OK) {
        conclude(d, DMARC_PERMERROR, dmarc_from_text(d->from.result));
        d->verdict.disposition = DMARC_POLICY_REJECT;
        return true;
    }
    d->verdict.author_domain = dmarc_from_domain(&d->from);
    step = find_policy(d, &f);
    if (step == STEP_GOES_ON)
        step = find_existence(d, &f);
    if (step == STEP_GOES_ON)
        step = find_alignments(d, &f);
    if (step == STEP_ASKS)
        return false;
    note_places(d, &f);
    if (step == STEP_CONCLUDED)
        return true;
    weigh_evidence(d, &f);
    choose_policy(d, &f);
    if (d->verdict.result == DMARC_FAIL && d->existence == DMARC_EXISTENCE_UNKNOWN)
        conclude(d, DMARC_TEMPERROR, "whether the author's domain exists is not known");
    choose_disposition(d, &f);
    return true;
}
