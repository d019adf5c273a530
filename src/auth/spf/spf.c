/* spf.c: check_host() (RFC 7208 4): from a sender to the record of its domain, and
 * through its terms. An include is a frame above the one that it stands in; a redirect
 * takes the place of its frame. */
#include "auth/spf/spf_private.h"

#include "base/must.h"

struct slice spf_result_name(enum spf_result result)
{
    switch (result) {
    case SPF_NONE:
        return SLICE("none");
    case SPF_NEUTRAL:
        return SLICE("neutral");
    case SPF_PASS:
        return SLICE("pass");
    case SPF_FAIL:
        return SLICE("fail");
    case SPF_SOFTFAIL:
        return SLICE("softfail");
    case SPF_TEMPERROR:
        return SLICE("temperror");
    case SPF_PERMERROR:
        return SLICE("permerror");
    }
    return SLICE("none");
}

struct slice spf_identity_name(enum spf_identity identity)
{
    return identity == SPF_HELO ? SLICE("helo") : SLICE("mailfrom");
}

void spf_ask(struct spf *spf, struct slice name, uint16_t type,
             void (*on_answer)(struct spf *, const struct lookup_answer *))
{
    must(spf->on_answer == NULL && !spf->is_done);
    spf->question = (struct lookup_question){ .name = name, .type = type };
    spf->on_answer = on_answer;
}

static void finish(struct spf *spf)
{
    reasons_make_room(&spf->reasons, 1);
    struct buffer *text = reasons_begin(&spf->reasons);
    buffer_append_string(text, "the result is ");
    buffer_append(text, spf_result_name(spf->verdict.result));
    reasons_end(&spf->reasons);
    spf->is_done = true;
}

void spf_conclude(struct spf *spf, enum spf_result result, const char *problem)
{
    must(!spf->is_done);
    if (spf->is_explaining) { /* whatever went wrong: there is no explanation */
        spf->is_done = true;
        return;
    }
    spf->verdict.result = result;
    spf->verdict.problem = slice_from_string(problem);
    if (problem != NULL) {
        spf->verdict.mechanism = SLICE("");
        reasons_make_room(&spf->reasons, 2);
        reasons_add(&spf->reasons, problem);
    }
    finish(spf);
    if (result != SPF_FAIL || spf_top(spf)->record.explanation.len == 0)
        return;
    spf->is_done = false;
    spf->is_explaining = true;
    spf_explain(spf);
}

/* The table of RFC 7208 5.2. */
static void return_to_include(struct spf *spf, enum spf_result result)
{
    struct buffer *text = reasons_begin(&spf->reasons);
    buffer_append_string(text, "included: ");
    buffer_append(text, spf_result_name(result));
    reasons_end(&spf->reasons);
    switch (result) {
    case SPF_PASS:
        spf_matches(spf);
        return;
    case SPF_FAIL:
    case SPF_SOFTFAIL:
    case SPF_NEUTRAL:
        spf_matches_not(spf);
        return;
    case SPF_TEMPERROR:
        spf_conclude(spf, SPF_TEMPERROR, "an included record could not be looked up");
        return;
    case SPF_PERMERROR:
        spf_conclude(spf, SPF_PERMERROR, "an included record is in error");
        return;
    case SPF_NONE:
        spf_conclude(spf, SPF_PERMERROR, "an included domain has no record");
        return;
    }
}

void spf_return(struct spf *spf, enum spf_result result)
{
    if (result == SPF_NONE && spf_top(spf)->is_redirected) {
        spf_conclude(spf, SPF_PERMERROR, "the domain of a redirect has no record");
        return;
    }
    if (spf->depth == 1) {
        spf_conclude(spf, result, NULL);
        return;
    }
    spf->depth--;
    *spf_macro_of(&spf->macros, 'd') = spf_top(spf)->domain;
    return_to_include(spf, result);
}

/* At most one record; *out_text is empty when there is none. The arena's. */
static bool select_record(struct spf *spf, const struct lookup_answer *answer,
                          struct slice *out_text, size_t *out_count)
{
    *out_count = 0;
    for (size_t i = 0; i < answer->records_count; i++) {
        buffer_clear(&spf->scratch);
        if (!dns_txt_append(answer->records[i], &spf->scratch) || spf->scratch.overflow ||
            !spf_record_is_spf(buffer_slice(&spf->scratch)))
            continue;
        if (++*out_count == 1 &&
            !arena_copy(&spf->arena, buffer_slice(&spf->scratch), out_text))
            return false;
    }
    return true;
}

static void read_record(struct spf *spf, struct slice text)
{
    struct spf_frame *frame = spf_top(spf);
    struct slice wrong;
    reasons_add_about(&spf->reasons, "found ", text, "");
    if (!spf_record_parse(text, &frame->record, &wrong)) {
        reasons_add_about(&spf->reasons, "the term ", wrong, " is not right");
        spf_conclude(spf, SPF_PERMERROR, "the record has an error in it");
        return;
    }
    frame->at = cursor_over(frame->record.terms);
}

/* RFC 7208 4.4 and 4.5. */
static void on_record(struct spf *spf, const struct lookup_answer *answer)
{
    struct slice text = { .len = 0 };
    size_t count = 0;
    switch (answer->kind) {
    case LOOKUP_FAILED:
        spf_conclude(spf, SPF_TEMPERROR, "the record could not be looked up");
        return;
    case LOOKUP_NXDOMAIN:
        reasons_add(&spf->reasons, "the domain does not exist");
        spf_return(spf, SPF_NONE);
        return;
    case LOOKUP_FOUND:
        if (!select_record(spf, answer, &text, &count)) {
            spf_conclude(spf, SPF_TEMPERROR, "memory is out");
            return;
        }
        break;
    case LOOKUP_NODATA:
        break;
    }
    if (count == 0) {
        reasons_add(&spf->reasons, "the domain has no SPF record");
        spf_return(spf, SPF_NONE);
    } else if (count > 1) {
        spf_conclude(spf, SPF_PERMERROR, "the domain has more than one SPF record");
    } else {
        read_record(spf, text);
    }
}

/* RFC 7208 4.3: a name of more than one label. */
static bool is_checkable(struct slice domain)
{
    struct slice target = spf_macro_target(domain);
    size_t given = domain.len;
    if (given > 0 && domain.data[given - 1] == '.')
        given--;
    return target.len > 0 && target.len == given && target.data[0] != '[' &&
           slice_find(target, '.') != SLICE_NOT_FOUND;
}

void spf_check_host(struct spf *spf, struct slice domain)
{
    struct spf_frame *frame = spf_top(spf);
    frame->domain = domain;
    frame->record = (struct spf_record){ .has_all = false };
    *spf_macro_of(&spf->macros, 'd') = domain;
    if (!is_checkable(domain)) {
        reasons_add_about(&spf->reasons, "", domain, " is no domain that can have a record");
        spf_return(spf, SPF_NONE);
        return;
    }
    reasons_add_about(&spf->reasons, "asks for the record of ", domain, "");
    spf_ask(spf, spf_macro_target(domain), DNS_TYPE_TXT, on_record);
}

/* RFC 7208 6.1. */
static void redirect_expanded(struct spf *spf)
{
    struct spf_frame *frame = spf_top(spf);
    if (!spf_expand_target(spf, frame->record.redirect))
        return;
    frame->is_redirected = true;
    reasons_add_about(&spf->reasons, "no term matches: redirect to ", spf->target, "");
    spf_check_host(spf, spf->target);
}

static void end_of_record(struct spf *spf)
{
    struct spf_frame *frame = spf_top(spf);
    if (frame->record.redirect.len == 0 || frame->record.has_all ||
        spf_uses_high_local(spf, frame->record.redirect)) {
        reasons_add(&spf->reasons, "no term matches"); /* RFC 7208 4.7 */
        spf->verdict.mechanism = SLICE("");
        spf_return(spf, SPF_NEUTRAL);
    } else if (spf_count_lookup(spf)) {
        spf_with_names(spf, frame->record.redirect, redirect_expanded);
    }
}

/* A loop, and no recursion: a record may have thousands of terms. */
static void run(struct spf *spf)
{
    while (!spf->is_done && spf->on_answer == NULL) {
        must(!spf->is_explaining);
        struct spf_frame *frame = spf_top(spf);
        if (spf_record_next(&frame->at, &frame->term))
            spf_evaluate(spf);
        else
            end_of_record(spf);
    }
}

bool spf_next(struct spf *spf, struct lookup_question *out_question)
{
    if (spf->is_done)
        return false;
    *out_question = spf->question;
    return true;
}

void spf_answer(struct spf *spf, const struct lookup_answer *answer)
{
    void (*on_answer)(struct spf *, const struct lookup_answer *) = spf->on_answer;
    must(on_answer != NULL);
    must(answer->kind == LOOKUP_FOUND || answer->records_count == 0);
    spf->on_answer = NULL;
    on_answer(spf, answer);
    run(spf);
}

struct spf_verdict spf_verdict(const struct spf *spf)
{
    must(spf->is_done);
    struct spf_verdict verdict = spf->verdict;
    verdict.reasons = &spf->reasons;
    return verdict;
}

/* Begins with a check of one domain. */
void spf_start(struct spf *spf, struct slice domain)
{
    spf->depth = 1;
    spf_check_host(spf, domain);
    run(spf);
}
