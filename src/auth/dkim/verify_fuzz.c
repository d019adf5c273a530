/* verify_fuzz.c: a zone and a message. In pieces and as a whole, answered before the body
 * and after it, the verdicts are the same. */
#include "auth/dkim/verify.h"
#include "auth/signature/fake_zone.h"
#include "base/must.h"
#include "wire/message/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer_all(struct dkim_verifier *v, struct slice zone)
{
    for (size_t i = 0; i < dkim_verifier_count(v); i++) {
        struct lookup_question question;
        struct fake_zone_answer answer;
        if (!dkim_verifier_question(v, i, &question))
            continue;
        fake_zone_find(zone, &question, &answer);
        dkim_verifier_answer(v, i, &answer.answer);
        fake_zone_drop(&answer);
    }
}

static struct dkim_verifier *verify(struct slice zone, struct slice message, bool late,
                                    size_t step)
{
    struct dkim_options options = { .now_s = 1528637909 };
    struct dkim_verifier *v = NULL;
    struct header_scan scan;
    struct slice body = message;
    header_scan_init(&scan, NULL);
    header_scan_feed(&scan, &body);
    must(dkim_verifier_new(&options, slice_part(message, 0, message.len - body.len), &v) ==
         ERR_OK);
    if (!late)
        answer_all(v, zone);
    for (size_t at = 0; at < body.len; at += step)
        dkim_verifier_body(v, slice_part(body, at, step));
    must(dkim_verifier_body_end(v) == ERR_OK);
    if (late)
        answer_all(v, zone);
    must(dkim_verifier_is_done(v));
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    size_t end = slice_find(input, '\0');
    struct slice zone = slice_part(input, 0, end);
    struct slice message = slice_from(input, zone.len + 1);
    struct dkim_verifier *a = verify(zone, message, false, message.len + 1);
    struct dkim_verifier *b = verify(zone, message, true, 3);
    must(dkim_verifier_count(a) == dkim_verifier_count(b));
    must(dkim_verifier_result(a) == dkim_verifier_result(b));
    for (size_t i = 0; i < dkim_verifier_count(a); i++) {
        struct dkim_verdict x;
        struct dkim_verdict y;
        dkim_verifier_verdict(a, i, &x);
        dkim_verifier_verdict(b, i, &y);
        must(x.result == y.result && x.steps->count == y.steps->count);
        must(x.steps->count > 0 && x.steps->count < SIGNATURE_STEPS_MAX);
    }
    dkim_verifier_free(&a);
    dkim_verifier_free(&b);
    return 0;
}
