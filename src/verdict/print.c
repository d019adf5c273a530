/* print.c: verdicts as JSON. */
#include "verdict/verdict.h"

#include "wire/message/header.h"

enum { FIELD_MAX = 16 * 1024 };

/* What a peer wrote may be no UTF-8, which JSON must be. */
json_t *verdict_text(struct slice text)
{
    json_t *value = json_stringn(text.data == NULL ? "" : text.data, text.len);
    struct buffer escaped;
    if (value != NULL)
        return value;
    buffer_init(&escaped, text.len * 4 + 1);
    buffer_append_escaped(&escaped, text);
    value = json_stringn(escaped.memory, buffer_len(&escaped));
    buffer_free(&escaped);
    return value;
}

json_t *verdict_reasons(const struct reasons *reasons)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < reasons->count; i++)
        json_array_append_new(list, verdict_text(reasons_at(reasons, i)));
    return list;
}

json_t *verdict_spf(const struct spf *spf)
{
    struct spf_verdict verdict = spf_verdict(spf);
    return json_pack("{s:o, s:o, s:o, s:o, s:o}",
                     "result", verdict_text(spf_result_name(verdict.result)),
                     "identity", verdict_text(spf_identity_name(verdict.identity)),
                     "domain", verdict_text(verdict.domain),
                     "explanation", verdict_text(verdict.explanation),
                     "reason", verdict_reasons(verdict.reasons));
}

static json_t *print_steps(const struct signature_steps *steps)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < steps->count; i++)
        json_array_append_new(list, verdict_text(slice_from_string(steps->text[i])));
    return list;
}

static json_t *print_signature(const struct dkim_verifier *dkim, size_t index)
{
    struct dkim_verdict v;
    dkim_verifier_verdict(dkim, index, &v);
    return json_pack("{s:s, s:o, s:o, s:s, s:o}", "result", dkim_result_text(v.result),
                     "domain", verdict_text(v.domain), "selector", verdict_text(v.selector),
                     "algorithm", v.algorithm == NULL ? "" : v.algorithm,
                     "reason", print_steps(v.steps));
}

static json_t *print_dkim(const struct dkim_verifier *dkim)
{
    json_t *list = json_array();
    for (size_t i = 0; i < dkim_verifier_count(dkim); i++)
        json_array_append_new(list, print_signature(dkim, i));
    return list;
}

static json_t *print_arc(const struct arc_validator *arc)
{
    struct arc_verdict v;
    arc_validator_verdict(arc, &v);
    return json_pack("{s:s, s:i, s:o}", "result", arc_result_text(v.result), "instance",
                     (int)v.sets, "reason", print_steps(v.steps));
}

json_t *verdict_dmarc(const struct dmarc *dmarc)
{
    struct dmarc_verdict v = dmarc_verdict(dmarc);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:{s:b, s:b}, s:o}",
                     "result", verdict_text(dmarc_result_name(v.result)),
                     "disposition", verdict_text(dmarc_policy_name(v.disposition)),
                     "policy", verdict_text(dmarc_policy_name(v.policy)),
                     "policy_domain", verdict_text(v.policy_domain),
                     "org_domain", verdict_text(v.organizational_domain),
                     "record", verdict_text(v.record_text),
                     "aligned", "spf", v.is_spf_aligned, "dkim", v.is_dkim_aligned,
                     "reason", verdict_reasons(v.reasons));
}

/* The field as one line, without its end. */
static json_t *print_field(const struct auth *auth, struct slice authserv_id)
{
    struct buffer field;
    struct buffer line;
    buffer_init(&field, FIELD_MAX);
    buffer_init(&line, FIELD_MAX);
    auth_append_results_field(auth, authserv_id, &field);
    header_append_unfolded(&line, slice_part(buffer_slice(&field), 0, buffer_len(&field) - 2));
    json_t *text = verdict_text(buffer_slice(&line));
    buffer_free(&field);
    buffer_free(&line);
    return text;
}

/* What was not evaluated is left out. */
json_t *verdict_message(const struct auth *auth, struct slice authserv_id)
{
    json_t *result = json_object();
    if (auth_spf(auth) != NULL)
        json_object_set_new(result, "spf", verdict_spf(auth_spf(auth)));
    json_object_set_new(result, "dkim", print_dkim(auth_dkim(auth)));
    json_object_set_new(result, "arc", print_arc(auth_arc(auth)));
    if (auth_dmarc(auth) != NULL)
        json_object_set_new(result, "dmarc", verdict_dmarc(auth_dmarc(auth)));
    json_object_set_new(result, "headers", json_pack("[o]", print_field(auth, authserv_id)));
    return result;
}
