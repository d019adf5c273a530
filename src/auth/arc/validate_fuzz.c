/* validate_fuzz.c: a zone and a message with a chain. In pieces and as a whole the verdict is
 * the same; sealing what comes out never makes a chain pass that did not. */
#include "auth/arc/chain_private.h"
#include "auth/arc/seal.h"
#include "auth/signature/fake_zone.h"
#include "base/must.h"
#include "crypto/example_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer_all(struct arc_validator *v, struct slice zone)
{
    for (size_t i = 0; i < arc_validator_questions(v); i++) {
        struct lookup_question question;
        struct fake_zone_answer answer;
        if (!arc_validator_question(v, i, &question))
            continue;
        fake_zone_find(zone, &question, &answer);
        arc_validator_answer(v, i, &answer.answer);
        fake_zone_drop(&answer);
    }
}

static enum arc_result validate(struct slice zone, struct slice header, struct slice body,
                                size_t step)
{
    struct arc_validator *v = NULL;
    struct arc_verdict verdict;
    struct arc_options options = { .now_s = 1528637909 };
    must(arc_validator_new(&options, header, &v) == ERR_OK);
    if (step == 1)
        answer_all(v, zone);
    for (size_t at = 0; at < body.len; at += step)
        arc_validator_body(v, slice_part(body, at, step));
    must(arc_validator_body_end(v) == ERR_OK);
    answer_all(v, zone);
    arc_validator_verdict(v, &verdict);
    must(verdict.sets <= SIGNATURE_INSTANCE_MAX && verdict.oldest_pass <= verdict.sets);
    must(verdict.steps->count > 0);
    for (unsigned i = 1; i <= verdict.sets; i++) {
        struct arc_sealer_claim claim;
        arc_validator_claim(v, i, &claim);
    }
    enum arc_result result = verdict.result;
    arc_validator_free(&v);
    return result;
}

static void seal(struct private_key *key, enum arc_result chain, struct slice header,
                 struct slice body, struct buffer *out)
{
    struct arc_sealer *sealer = NULL;
    enum arc_sealing_fault fault = ARC_SEALING_FINE;
    struct arc_sealing sealing = {
        .key = key, .domain = SLICE("a.b"), .selector = SLICE("s"),
        .results = SLICE("a.b; spf=none"), .chain = chain, .signed_at_s = 1528637909,
    };
    enum err error = arc_sealer_new(&sealing, header, &sealer, &fault);
    if (error != ERR_OK) {
        must(error == ERR_FULL || fault == ARC_SEALING_GIVEN_UP ||
             fault == ARC_SEALING_FULL || fault == ARC_SEALING_HEADER);
        return;
    }
    arc_sealer_body(sealer, body);
    must(arc_sealer_finish(sealer, out) == ERR_OK);
    arc_sealer_free(&sealer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct private_key *key;
    struct key_trouble trouble;
    if (key == NULL)
        must(private_key_read(SLICE(EXAMPLE_RSA_PEM), &key, &trouble) == ERR_OK);
    struct slice input = slice_make(data, size);
    struct slice zone = slice_part(input, 0, slice_find(input, '\0'));
    struct slice body = slice_from(input, zone.len + 1);
    struct slice message = body;
    struct header_scan scan;
    header_scan_init(&scan, NULL);
    header_scan_feed(&scan, &body);
    struct slice header = slice_part(message, 0, message.len - body.len);
    enum arc_result result = validate(zone, header, body, body.len + 1);
    must(result == validate(zone, header, body, 1));
    struct buffer sealed;
    buffer_init(&sealed, 1 << 22);
    seal(key, result, header, body, &sealed);
    if (buffer_len(&sealed) > 0) {
        buffer_append(&sealed, header);
        must(validate(SLICE("s._domainkey.a.b p=" EXAMPLE_RSA_PUBLIC), buffer_slice(&sealed),
                      body, 7) != ARC_NONE);
        must(result != ARC_NONE ||
             validate(SLICE("s._domainkey.a.b p=" EXAMPLE_RSA_PUBLIC), buffer_slice(&sealed),
                      body, 7) == ARC_PASS);
        must(result != ARC_FAIL ||
             validate(SLICE("s._domainkey.a.b p=" EXAMPLE_RSA_PUBLIC), buffer_slice(&sealed),
                      body, 7) == ARC_FAIL);
    }
    buffer_free(&sealed);
    return 0;
}
