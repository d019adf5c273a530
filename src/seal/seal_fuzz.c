/* seal_fuzz.c: any content, in pieces of two sizes: the same comes out behind, and what
 * was signed verifies. */
#include "auth/dkim/verify.h"
#include "auth/signature/fake_zone.h"
#include "crypto/example_keys.h"
#include "seal/fake_intake.h"
#include "seal/seal.h"
#include "wire/message/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char zone[] =
    "e._domainkey.example.com v=DKIM1; k=ed25519; p=" EXAMPLE_ED25519_PUBLIC "\n";

static struct seal_keys *example_keys(void)
{
    static struct seal_keys *keys;
    struct key_trouble trouble;
    struct seal_key key = { .selector = SLICE("e") };
    struct seal_domain domain = { .name = SLICE("example.com"), .keys = &key,
                                  .keys_count = 1, .signs_below = true };
    if (keys == NULL) {
        must(private_key_read(SLICE(EXAMPLE_ED25519_PEM), &key.key, &trouble) == ERR_OK);
        must(seal_keys_make(&domain, 1, &keys) == ERR_OK);
        private_key_drop(&key.key);
    }
    return keys;
}

static void run(struct fake_intake *f, struct slice content, size_t step)
{
    struct seal *seal;
    struct intake_writer *writer;
    struct intake_begin begin = { .home = &f->home, .is_ours = true };
    struct intake_commit commit = { .prefix = SLICE("Received: x\r\n"),
                                    .received_wall_ms = INT64_C(1700000000000),
                                    .done = fake_intake_told, .context = f };
    fake_intake_open(f);
    must(seal_open(&f->base, example_keys(), &seal) == ERR_OK);
    must(intake_begin(seal_intake(seal), &begin, &writer) == ERR_OK);
    for (size_t at = 0; at < content.len; at += step)
        must(intake_write(writer, slice_part(content, at, step)) == INTAKE_MORE);
    intake_commit(&writer, &commit);
    fake_intake_run(f);
    must(f->told == 1 && f->told_result == ERR_OK && f->commits == 1);
    seal_close(&seal);
}

static void verify(struct slice message)
{
    struct dkim_options options = { .now_s = 1700000000 };
    struct dkim_verifier *v = NULL;
    struct lookup_question question;
    struct fake_zone_answer answer;
    struct dkim_verdict verdict;
    struct header_scan scan;
    struct slice body = message;
    header_scan_init(&scan, NULL);
    header_scan_feed(&scan, &body);
    must(dkim_verifier_new(&options, slice_part(message, 0, message.len - body.len), &v) ==
         ERR_OK);
    must(dkim_verifier_question(v, 0, &question));
    fake_zone_find(slice_make(zone, sizeof zone - 1), &question, &answer);
    dkim_verifier_answer(v, 0, &answer.answer);
    fake_zone_drop(&answer);
    for (size_t i = 1; i < dkim_verifier_count(v); i++)
        if (dkim_verifier_question(v, i, &question))
            dkim_verifier_answer(v, i,
                                 &(struct lookup_answer){ .kind = LOOKUP_NXDOMAIN });
    dkim_verifier_body(v, body);
    must(dkim_verifier_body_end(v) == ERR_OK);
    dkim_verifier_verdict(v, 0, &verdict);
    must(verdict.result == DKIM_PASS);
    dkim_verifier_free(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slice field = SLICE_INIT("DKIM-Signature:");
    struct slice content = slice_make(data, size);
    struct fake_intake a;
    struct fake_intake b;
    if (size > 64 * 1024)
        return 0;
    run(&a, content, size + 1);
    run(&b, content, 3);
    must(slice_equal(buffer_slice(&a.message), buffer_slice(&b.message)));
    must(slice_ends_with_nocase(buffer_slice(&a.message), content));
    if (slice_starts_with_nocase(buffer_slice(&a.message), field))
        verify(buffer_slice(&a.message));
    fake_intake_close(&a);
    fake_intake_close(&b);
    return 0;
}
