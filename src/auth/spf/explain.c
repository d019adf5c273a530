/* explain.c: RFC 7208 6.2: what the owner of a domain says about a fail. Whatever goes
 * wrong here, the fail stands, without an explanation. */
#include "auth/spf/spf_private.h"

enum { EXPLANATION_MAX = 1000 };

/* It is to be part of a reply: US-ASCII, and printable. */
static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] < ' ' || s.data[i] > '~')
            return false;
    return true;
}

static void explanation_expanded(struct spf *spf)
{
    struct buffer text;
    buffer_init(&text, EXPLANATION_MAX);
    spf_macro_expand(&spf->macros, spf->target, SPF_MACRO_EXPLAIN, &text);
    if (text.overflow || !is_printable(buffer_slice(&text)) ||
        !arena_copy(&spf->arena, buffer_slice(&text), &spf->verdict.explanation))
        spf->verdict.explanation = SLICE("");
    buffer_free(&text);
    spf->is_done = true;
}

static void on_explanation(struct spf *spf, const struct lookup_answer *answer)
{
    buffer_clear(&spf->scratch);
    if (answer->records_count == 1 &&
        dns_txt_append(answer->records[0], &spf->scratch) && !spf->scratch.overflow &&
        spf_macro_is_valid(buffer_slice(&spf->scratch), SPF_MACRO_EXPLAIN) &&
        arena_copy(&spf->arena, buffer_slice(&spf->scratch), &spf->target))
        spf_with_names(spf, spf->target, explanation_expanded);
    else
        spf->is_done = true;
}

static void target_expanded(struct spf *spf)
{
    if (spf_expand_target(spf, spf_top(spf)->record.explanation) && spf->target.len > 0)
        spf_ask(spf, spf->target, DNS_TYPE_TXT, on_explanation);
    else
        spf->is_done = true;
}

void spf_explain(struct spf *spf)
{
    spf_with_names(spf, spf_top(spf)->record.explanation, target_expanded);
}
