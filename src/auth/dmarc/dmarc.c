/* dmarc.c: questions and answers of an evaluation, and its verdict. */
#include "auth/dmarc/dmarc_private.h"

#include "base/must.h"
#include "wire/dns/message.h"

#include <stdlib.h>

struct slice dmarc_result_name(enum dmarc_result result)
{
    switch (result) {
    case DMARC_NONE:
        return SLICE("none");
    case DMARC_PASS:
        return SLICE("pass");
    case DMARC_FAIL:
        return SLICE("fail");
    case DMARC_TEMPERROR:
        return SLICE("temperror");
    case DMARC_PERMERROR:
        return SLICE("permerror");
    }
    return SLICE("none");
}

/* What is no domain name is aligned with nothing. */
static struct dmarc_identifier copy_identifier(struct dmarc *d,
                                               const struct dmarc_identifier *given)
{
    struct dmarc_identifier kept = { .evidence = given->evidence };
    struct dmarc_from canonical;
    dmarc_from_read_domain(given->domain, &canonical);
    if (canonical.result == DMARC_FROM_OK &&
        !arena_copy(&d->arena, dmarc_from_domain(&canonical), &kept.domain))
        d->is_out_of_memory = true;
    return kept;
}

static void finish(struct dmarc *d)
{
    if (d->is_out_of_memory) {
        d->verdict.result = DMARC_TEMPERROR;
        d->verdict.disposition = DMARC_POLICY_NONE;
        reasons_make_room(&d->reasons, 2);
        reasons_add(&d->reasons, "memory is out");
    }
    reasons_make_room(&d->reasons, 1);
    struct buffer *text = reasons_begin(&d->reasons);
    buffer_append_string(text, "the result is ");
    buffer_append(text, dmarc_result_name(d->verdict.result));
    reasons_end(&d->reasons);
}

enum err dmarc_begin(const struct dmarc_request *request, struct dmarc **out)
{
    struct dmarc *d = calloc(1, sizeof *d);
    if (d == NULL)
        return ERR_MEMORY;
    arena_init(&d->arena, DMARC_ARENA_MAX);
    reasons_init(&d->reasons);
    d->from = *request->from;
    d->spf = copy_identifier(d, &request->spf);
    for (size_t i = 0; i < request->dkim_count && i < DMARC_SIGNATURES_MAX; i++)
        d->dkim[d->dkim_count++] = copy_identifier(d, &request->dkim[i]);
    if (dmarc_evaluate(d))
        finish(d);
    *out = d;
    return ERR_OK;
}

void dmarc_free(struct dmarc **dmarc)
{
    struct dmarc *d = *dmarc;
    *dmarc = NULL;
    if (d == NULL)
        return;
    arena_free(&d->arena);
    reasons_free(&d->reasons);
    free(d);
}

bool dmarc_next(struct dmarc *dmarc, struct lookup_question *out_question)
{
    if (dmarc->is_asking)
        *out_question = dmarc->question;
    return dmarc->is_asking;
}

static void note_answer(struct dmarc *d, struct slice name, const char *found)
{
    reasons_add_about(&d->reasons, "", name, found);
}

/* RFC 9989 4.10, steps 2 and 6: several records are none. */
static void read_records(struct dmarc *d, const struct lookup_answer *answer,
                         struct dmarc_node *node)
{
    struct buffer text;
    size_t count = 0;
    buffer_init(&text, DMARC_RECORD_MAX);
    for (size_t i = 0; i < answer->records_count; i++) {
        struct dmarc_record record;
        buffer_clear(&text);
        if (dns_txt_append(answer->records[i], &text) && !text.overflow &&
            dmarc_record_parse(buffer_slice(&text), &record) && count++ == 0)
            if (!arena_copy(&d->arena, buffer_slice(&text), &node->text))
                d->is_out_of_memory = true;
    }
    buffer_free(&text);
    if (count == 1 && dmarc_record_parse(node->text, &node->record)) {
        node->state = DMARC_NODE_RECORD;
        reasons_add_about(&d->reasons, "found ", node->text, "");
    } else if (count > 1) {
        note_answer(d, d->question.name, " has more than one record, so none");
    } else {
        note_answer(d, d->question.name, " has no record");
    }
}

static void take_node(struct dmarc *d, const struct lookup_answer *answer)
{
    struct dmarc_node *node = &d->nodes[d->nodes_count++];
    *node = (struct dmarc_node){ .domain = d->asked_domain };
    switch (answer->kind) {
    case LOOKUP_FOUND:
        read_records(d, answer, node);
        return;
    case LOOKUP_NODATA:
    case LOOKUP_NXDOMAIN:
        note_answer(d, d->question.name, " has no record");
        return;
    case LOOKUP_FAILED:
        node->state = DMARC_NODE_FAILED;
        note_answer(d, d->question.name, " could not be looked up");
        return;
    }
}

static void take_existence(struct dmarc *d, const struct lookup_answer *answer)
{
    switch (answer->kind) {
    case LOOKUP_FOUND:
    case LOOKUP_NODATA:
        d->existence = DMARC_EXISTS;
        return;
    case LOOKUP_NXDOMAIN:
        d->existence = DMARC_EXISTS_NOT;
        note_answer(d, d->question.name, " does not exist");
        return;
    case LOOKUP_FAILED:
        d->existence = DMARC_EXISTENCE_UNKNOWN;
        note_answer(d, d->question.name, " could not be looked up");
        return;
    }
}

void dmarc_answer(struct dmarc *dmarc, const struct lookup_answer *answer)
{
    must(dmarc->is_asking);
    must(answer->kind == LOOKUP_FOUND || answer->records_count == 0);
    dmarc->is_asking = false;
    if (dmarc->asked_domain.len == 0)
        take_existence(dmarc, answer);
    else
        take_node(dmarc, answer);
    if (dmarc_evaluate(dmarc))
        finish(dmarc);
}

struct dmarc_verdict dmarc_verdict(const struct dmarc *dmarc)
{
    must(!dmarc->is_asking);
    struct dmarc_verdict verdict = dmarc->verdict;
    verdict.reasons = &dmarc->reasons;
    return verdict;
}

void dmarc_append_result(const struct dmarc *dmarc, struct buffer *out)
{
    struct dmarc_verdict verdict = dmarc_verdict(dmarc);
    buffer_append_string(out, "dmarc=");
    buffer_append(out, dmarc_result_name(verdict.result));
    if (verdict.result == DMARC_PERMERROR)
        buffer_append_format(out, " reason=\"%s\"", dmarc_from_text(dmarc->from.result));
    if (verdict.author_domain.len > 0) {
        buffer_append_string(out, " header.from=");
        buffer_append(out, verdict.author_domain);
    }
    if (verdict.policy_domain.len > 0) {
        buffer_append_string(out, " policy.dmarc=");
        buffer_append(out, dmarc_policy_name(verdict.disposition));
    }
}
