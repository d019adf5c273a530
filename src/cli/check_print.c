/* check_print.c: verdicts as JSON. */
#include "cli/check_private.h"

#include "wire/message/header.h"

enum { FIELD_MAX = 16 * 1024 };

/* What a peer wrote may be no UTF-8, which JSON must be. */
json_t *check_text(struct slice text)
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

json_t *check_reasons(const struct reasons *reasons)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < reasons->count; i++)
        json_array_append_new(list, check_text(reasons_at(reasons, i)));
    return list;
}

json_t *check_print_spf(const struct spf *spf)
{
    struct spf_verdict verdict = spf_verdict(spf);
    return json_pack("{s:o, s:o, s:o, s:o, s:o}",
                     "result", check_text(spf_result_name(verdict.result)),
                     "identity", check_text(spf_identity_name(verdict.identity)),
                     "domain", check_text(verdict.domain),
                     "explanation", check_text(verdict.explanation),
                     "reason", check_reasons(verdict.reasons));
}

json_t *check_print_dmarc(const struct dmarc *dmarc)
{
    struct dmarc_verdict v = dmarc_verdict(dmarc);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:{s:b, s:b}, s:o}",
                     "result", check_text(dmarc_result_name(v.result)),
                     "disposition", check_text(dmarc_policy_name(v.disposition)),
                     "policy", check_text(dmarc_policy_name(v.policy)),
                     "policy_domain", check_text(v.policy_domain),
                     "org_domain", check_text(v.organizational_domain),
                     "record", check_text(v.record_text),
                     "aligned", "spf", v.is_spf_aligned, "dkim", v.is_dkim_aligned,
                     "reason", check_reasons(v.reasons));
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
    json_t *text = check_text(buffer_slice(&line));
    buffer_free(&field);
    buffer_free(&line);
    return text;
}

/* What was not evaluated is left out. */
json_t *check_print_message(const struct auth *auth, struct slice authserv_id)
{
    json_t *result = json_object();
    if (auth_spf(auth) != NULL)
        json_object_set_new(result, "spf", check_print_spf(auth_spf(auth)));
    if (auth_dmarc(auth) != NULL)
        json_object_set_new(result, "dmarc", check_print_dmarc(auth_dmarc(auth)));
    json_object_set_new(result, "headers", json_pack("[o]", print_field(auth, authserv_id)));
    return result;
}
