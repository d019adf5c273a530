/* spf_fuzz.c: a whole check whose DNS is the fuzzer's. It begins with what the client
 * says, then come answers: a byte for the kind, then records, each behind its length.
 * However they look, the check ends after a bounded number of questions, and its header
 * text is one field. */
#include "auth/spf/spf.h"
#include "base/cursor.h"
#include "base/must.h"

enum {
    QUESTIONS_MAX = 1 + 10 * 11 + 11 + 1, /* as spf.h says */
    RECORDS_MAX = 16,
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

static void give_answer(struct cursor *c, struct spf *spf)
{
    struct slice records[RECORDS_MAX];
    struct lookup_answer answer = { .kind = LOOKUP_FAILED, .records = records };
    int kind = cursor_take(c);
    if (kind >= 0 && (kind & 3) != 0) {
        answer.kind = (kind & 3) == 1 ? LOOKUP_NODATA : (kind & 3) == 2 ? LOOKUP_NXDOMAIN
                                                                       : LOOKUP_FOUND;
        size_t count = answer.kind == LOOKUP_FOUND ? 1u + (size_t)(kind >> 2) % RECORDS_MAX : 0;
        for (size_t i = 0; i < count; i++)
            records[i] = take_text(c);
        answer.records_count = count;
    }
    spf_answer(spf, &answer);
}

static void check_text(const struct spf *spf)
{
    struct buffer out;
    buffer_init(&out, 64 * 1024);
    spf_append_result(spf, &out);
    must(!out.overflow && slice_find(buffer_slice(&out), '\n') == SLICE_NOT_FOUND);
    must(slice_find(buffer_slice(&out), '\r') == SLICE_NOT_FOUND);
    buffer_clear(&out);
    spf_append_received_field(spf, &out);
    struct slice rest = buffer_slice(&out);
    struct slice line;
    bool is_first = true;
    while (slice_split(&rest, '\n', &line)) {
        must(line.len > 1 && line.len <= 998 && line.data[line.len - 1] == '\r');
        must(is_first || line.data[0] == '\t');
        is_first = false;
    }
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor c = cursor_over(slice_make(data, size));
    struct spf_request request = { .receiver = SLICE("mx.example"), .now_s = 1 };
    struct lookup_question question;
    struct spf *spf;
    struct slice address;
    int kind = cursor_take(&c);
    if (kind < 0 || !cursor_take_part(&c, (kind & 1) != 0 ? 16 : 4, &address))
        return 0;
    spf_client_make(address.data, address.len, &request.client);
    request.identity = (kind & 2) != 0 ? SPF_HELO : SPF_MAIL_FROM;
    request.helo = take_text(&c);
    request.mail_from = take_text(&c);
    must(spf_begin(&request, &spf) == ERR_OK);
    unsigned asked = 0;
    while (spf_next(spf, &question)) {
        must(++asked <= QUESTIONS_MAX);
        must(question.name.len > 0 && question.name.len <= 253);
        give_answer(&c, spf);
    }
    struct spf_verdict verdict = spf_verdict(spf);
    must(verdict.reasons->count > 0 && verdict.reasons->count <= REASONS_MAX);
    must(verdict.explanation.len == 0 || verdict.result == SPF_FAIL);
    check_text(spf);
    spf_free(&spf);
    return 0;
}
