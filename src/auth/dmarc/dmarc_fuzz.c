/* dmarc_fuzz.c: an evaluation whose message and DNS are the fuzzer's: a header, domains of
 * SPF and of signatures, each behind its length, then answers as in spf_fuzz.c. It ends
 * after a bounded number of questions. */
#include "auth/dmarc/dmarc.h"
#include "base/must.h"

enum {
    SIGNATURES = 3,
    QUESTIONS_MAX = 8 * (SIGNATURES + 2) + 1,
    RECORDS_MAX = 8,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice take_text(struct cursor *c)
{
    struct slice text = { .len = 0 };
    int len = cursor_take(c);
    if (len > 0 && !cursor_take_part(c, (size_t)len, &text)) {
        text = cursor_rest(c);
        c->at = c->end;
    }
    return text;
}

static struct dmarc_identifier take_identifier(struct cursor *c)
{
    int evidence = cursor_take(c);
    return (struct dmarc_identifier){
        .evidence = evidence < 0 ? DMARC_REFUTED : (enum dmarc_evidence)(evidence % 3),
        .domain = take_text(c),
    };
}

static void give_answer(struct cursor *c, struct dmarc *dmarc)
{
    static const enum lookup_kind kinds[] = { LOOKUP_FAILED, LOOKUP_NODATA, LOOKUP_NXDOMAIN,
                                              LOOKUP_FOUND };
    struct slice records[RECORDS_MAX];
    struct lookup_answer answer = { .kind = LOOKUP_NXDOMAIN, .records = records };
    int kind = cursor_take(c);
    if (kind >= 0)
        answer.kind = kinds[kind & 3];
    if (answer.kind == LOOKUP_FOUND)
        answer.records_count = 1u + (size_t)(kind >> 2) % RECORDS_MAX;
    for (size_t i = 0; i < answer.records_count; i++)
        records[i] = take_text(c);
    dmarc_answer(dmarc, &answer);
}

static void check_verdict(const struct dmarc *dmarc)
{
    struct dmarc_verdict v = dmarc_verdict(dmarc);
    struct buffer out;
    buffer_init(&out, 4096);
    dmarc_append_result(dmarc, &out);
    must(!out.overflow && slice_find(buffer_slice(&out), '\n') == SLICE_NOT_FOUND);
    must(slice_find(buffer_slice(&out), ';') == SLICE_NOT_FOUND);
    buffer_free(&out);
    must((v.result == DMARC_PASS) == (v.is_spf_aligned || v.is_dkim_aligned));
    must(v.disposition == DMARC_POLICY_NONE || v.result == DMARC_FAIL ||
         v.result == DMARC_PERMERROR);
    must(v.result != DMARC_FAIL || (v.policy_domain.len > 0 && v.record != NULL));
    must(v.reasons->count > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor c = cursor_over(slice_make(data, size));
    struct dmarc_identifier dkim[SIGNATURES];
    struct dmarc_from from;
    struct dmarc_request request = { .from = &from, .dkim = dkim, .dkim_count = SIGNATURES };
    struct lookup_question question;
    struct dmarc *dmarc;
    dmarc_from_read_header(take_text(&c), &from);
    request.spf = take_identifier(&c);
    for (size_t i = 0; i < SIGNATURES; i++)
        dkim[i] = take_identifier(&c);
    must(dmarc_begin(&request, &dmarc) == ERR_OK);
    unsigned asked = 0;
    while (dmarc_next(dmarc, &question)) {
        must(++asked <= QUESTIONS_MAX && question.name.len > 0);
        give_answer(&c, dmarc);
    }
    check_verdict(dmarc);
    dmarc_free(&dmarc);
    return 0;
}
