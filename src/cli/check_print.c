/* check_print.c: verdicts as JSON. */
#include "cli/check_private.h"

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
