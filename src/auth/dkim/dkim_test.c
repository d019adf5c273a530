/* dkim_test.c: what we sign verifies, in every form and in pieces of every size; and what is
 * done to it afterwards is found, and named (HOSTILE 91 to 93). */
#include "auth/dkim/sign.h"
#include "auth/dkim/verify.h"
#include "auth/signature/fake_zone.h"
#include "base/ascii.h"
#include "base/base64.h"
#include "crypto/example_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TEXT_MAX = 1 << 21, NOW = 1800000000 };

#define ZONE_RSA "r._domainkey.example.com v=DKIM1; p=" EXAMPLE_RSA_PUBLIC "\n"
#define ZONE_ED "e._domainkey.example.com v=DKIM1; k=ed25519; p=" EXAMPLE_ED25519_PUBLIC "\n"
#define HEADER "From: Anna <anna@example.com>\r\nTo:  Bert\r\n\t<bert@example.net> \r\n" \
    "Subject: \xc3\xa4  x\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\nX: y\r\n"
#define BODY "a  b \r\n\r\nc\xe4\r\n\r\n\r\n"

struct rig {
    struct private_key *rsa;
    struct private_key *ed25519;
    struct buffer message;
    struct dkim_verifier *verifier;
    struct dkim_verdict verdict; /* of the first signature */
};

static void set_up(struct rig *rig)
{
    struct key_trouble trouble;
    *rig = (struct rig){ .rsa = NULL };
    buffer_init(&rig->message, TEXT_MAX);
    assert_int_equal(private_key_read(SLICE(EXAMPLE_RSA_PEM), &rig->rsa, &trouble), ERR_OK);
    assert_int_equal(private_key_read(SLICE(EXAMPLE_ED25519_PEM), &rig->ed25519, &trouble),
                     ERR_OK);
}

static void tear_down(struct rig *rig)
{
    private_key_drop(&rig->rsa);
    private_key_drop(&rig->ed25519);
    buffer_free(&rig->message);
    dkim_verifier_free(&rig->verifier);
}

static struct dkim_signing signing(struct rig *rig)
{
    return (struct dkim_signing){
        .key = rig->rsa, .domain = SLICE("example.com"), .selector = SLICE("r"),
        .header = CANONICAL_RELAXED, .body = CANONICAL_RELAXED,
        .signed_at_s = NOW, .expires_at_s = -1,
    };
}

/* The message becomes the signed one. */
static void sign(struct rig *rig, const struct dkim_signing *signings, size_t count,
                 struct slice body, size_t step)
{
    struct dkim_signer *signer = NULL;
    enum dkim_signing_fault fault = DKIM_SIGNING_FINE;
    buffer_clear(&rig->message);
    assert_int_equal(dkim_signer_new(signings, count, SLICE(HEADER), &signer, &fault), ERR_OK);
    for (size_t at = 0; at < body.len; at += step)
        dkim_signer_body(signer, slice_part(body, at, step));
    assert_int_equal(dkim_signer_finish(signer, &rig->message), ERR_OK);
    buffer_append(&rig->message, SLICE(HEADER "\r\n"));
    buffer_append(&rig->message, body);
    dkim_signer_free(&signer);
    dkim_signer_free(&signer);
}

static void answer(struct rig *rig, size_t i, const char *zone)
{
    struct lookup_question question;
    struct fake_zone_answer found;
    if (!dkim_verifier_question(rig->verifier, i, &question))
        return;
    fake_zone_find(slice_from_string(zone), &question, &found);
    dkim_verifier_answer(rig->verifier, i, &found.answer);
    fake_zone_drop(&found);
}

static enum dkim_result verify_with(struct rig *rig, const char *zone,
                                    const struct dkim_options *options, size_t step)
{
    struct slice message = buffer_slice(&rig->message);
    char *empty_line = memmem(message.data, message.len, "\r\n\r\n", 4);
    size_t end = empty_line == NULL ? message.len
                                    : (size_t)(empty_line - message.data) + 2;
    struct slice body = slice_from(message, end + 2);
    dkim_verifier_free(&rig->verifier);
    assert_int_equal(dkim_verifier_new(options, slice_part(message, 0, end), &rig->verifier),
                     ERR_OK);
    if (dkim_verifier_count(rig->verifier) > 0)
        answer(rig, 0, zone); /* one before the body, the others after it */
    for (size_t at = 0; at < body.len; at += step)
        dkim_verifier_body(rig->verifier, slice_part(body, at, step));
    assert_false(dkim_verifier_is_done(rig->verifier));
    assert_int_equal(dkim_verifier_body_end(rig->verifier), ERR_OK);
    for (size_t i = 1; i < dkim_verifier_count(rig->verifier); i++)
        answer(rig, i, zone);
    assert_true(dkim_verifier_is_done(rig->verifier));
    if (dkim_verifier_count(rig->verifier) > 0)
        dkim_verifier_verdict(rig->verifier, 0, &rig->verdict);
    return dkim_verifier_result(rig->verifier);
}

static enum dkim_result verify(struct rig *rig)
{
    struct dkim_options options = { .now_s = NOW };
    return verify_with(rig, ZONE_RSA ZONE_ED, &options, 5);
}

static bool told(const struct rig *rig, const char *words)
{
    for (size_t i = 0; i < rig->verdict.steps->count; i++)
        if (strstr(rig->verdict.steps->text[i], words) != NULL)
            return true;
    return false;
}

/* Replaces the first occurrence, whose length stays. */
static void change(struct rig *rig, const char *from, const char *to)
{
    struct slice text = buffer_slice(&rig->message);
    char *at = memmem(text.data, text.len, from, strlen(from));
    assert_non_null(at);
    memcpy(at, to, strlen(to));
}

static void insert(struct rig *rig, struct slice at_front)
{
    struct buffer made;
    buffer_init(&made, TEXT_MAX);
    buffer_append(&made, at_front);
    buffer_append(&made, buffer_slice(&rig->message));
    buffer_move(&rig->message, &made);
}

static void what_is_signed_passes(void **state)
{
    (void)state;
    static const char *const bodies[] = { "", "\r\n", BODY, "no end", " \t\r\n", "\r\nx" };
    struct rig rig;
    set_up(&rig);
    for (unsigned form = 0; form < 4; form++) {
        for (size_t b = 0; b < sizeof bodies / sizeof *bodies; b++) {
            struct dkim_signing two[] = { signing(&rig), signing(&rig) };
            struct dkim_options options = { .now_s = NOW };
            two[0].header = two[1].header = (enum canonical_kind)(form & 1);
            two[0].body = two[1].body = (enum canonical_kind)(form >> 1);
            two[1].key = rig.ed25519;
            two[1].selector = SLICE("e");
            sign(&rig, two, 2, slice_from_string(bodies[b]), 1 + b);
            for (size_t step = 1; step < 9; step += 3)
                assert_int_equal(verify_with(&rig, ZONE_RSA ZONE_ED, &options, step), DKIM_PASS);
            assert_int_equal(dkim_verifier_count(rig.verifier), 2);
            assert_string_equal(rig.verdict.algorithm, "rsa-sha256");
            assert_int_equal(rig.verdict.key_bits, 1024);
            assert_true(told(&rig, "body: the hash agrees"));
            dkim_verifier_verdict(rig.verifier, 1, &rig.verdict);
            assert_int_equal(rig.verdict.result, DKIM_PASS);
            assert_string_equal(rig.verdict.algorithm, "ed25519-sha256");
        }
    }
    tear_down(&rig);
}

static void the_steps_say_what_was_changed(void **state)
{
    (void)state;
    static const struct { const char *from, *to, *step; enum dkim_result result; } rows[] = {
        { "a  b", "A  b", "body: its hash is", DKIM_FAIL },
        { "Anna", "Inna", "header: the signature is not", DKIM_FAIL },
        { "s=r;", "s=q;", "q._domainkey.example.com does not exist", DKIM_PERMERROR },
        { "t=18", "t=19", "header: the signature is not", DKIM_FAIL },
        { "v=1;", "v=2;", "value cannot be read: v=", DKIM_PERMERROR },
        { "rsa-sha256", "rsa-sha1  ", "SHA-1", DKIM_PERMERROR },
        { "rsa-sha256", "rsa-sha512", "algorithm that is not known", DKIM_NEUTRAL },
        { "c=relaxed/", "c=raxeled/", "canonicalization", DKIM_NEUTRAL },
        { "X: y", "X: z", "body: the hash agrees", DKIM_PASS },
        { "a  b ", "a b  ", "body: the hash agrees", DKIM_PASS },
    };
    struct rig rig;
    set_up(&rig);
    struct dkim_signing one = signing(&rig);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sign(&rig, &one, 1, SLICE(BODY), 99);
        change(&rig, rows[i].from, rows[i].to);
        enum dkim_result result = verify(&rig);
        if (result != rows[i].result || !told(&rig, rows[i].step))
            fail_msg("%s: %s: %s", rows[i].to, dkim_result_text(result),
                     rig.verdict.steps->text[rig.verdict.steps->count - 1]);
    }
    tear_down(&rig);
}

/* HOSTILE 91: what is not there cannot be put in. */
static void a_second_field_breaks_the_signature(void **state)
{
    (void)state;
    static const char *const added[] = {
        "From: x@example.net\r\n", "subject: other\r\n", "To: x@example.net\r\n",
        "Date: Tue, 03 Mar 2026 10:00:00 +0000\r\n", "Content-Type: text/html\r\n",
        "MIME-Version: 1.0\r\n", "Cc: x@example.net\r\n", "Reply-To: x@example.net\r\n",
    };
    struct rig rig;
    set_up(&rig);
    struct dkim_signing one = signing(&rig);
    for (size_t i = 0; i < sizeof added / sizeof *added; i++) {
        sign(&rig, &one, 1, SLICE(BODY), 99);
        insert(&rig, slice_from_string(added[i]));
        assert_int_equal(verify(&rig), DKIM_FAIL);
    }
    sign(&rig, &one, 1, SLICE(BODY), 99);
    insert(&rig, SLICE("Received: x\r\nList-Id: <y>\r\n"));
    assert_int_equal(verify(&rig), DKIM_PASS);
    tear_down(&rig);
}

static void times_are_held_against_the_clock(void **state)
{
    (void)state;
    static const struct { int64_t signed_at, expires_at; enum dkim_result result;
                          const char *step; } rows[] = {
        { NOW, NOW, DKIM_PASS, "agrees" },
        { NOW - 10, NOW - 1, DKIM_FAIL, "expired 1 seconds ago" },
        { NOW + DKIM_CLOCK_SLACK_S, -1, DKIM_PASS, "agrees" },
        { NOW + DKIM_CLOCK_SLACK_S + 1, -1, DKIM_POLICY, "301 seconds in the future" },
        { -1, -1, DKIM_PASS, "agrees" },
    };
    struct rig rig;
    set_up(&rig);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dkim_signing one = signing(&rig);
        one.signed_at_s = rows[i].signed_at;
        one.expires_at_s = rows[i].expires_at;
        if (one.expires_at_s == one.signed_at_s && one.expires_at_s > 0)
            one.signed_at_s--;
        sign(&rig, &one, 1, SLICE(BODY), 99);
        assert_int_equal(verify(&rig), rows[i].result);
        assert_true(told(&rig, rows[i].step));
    }
    tear_down(&rig);
}

static void what_a_key_record_says_counts(void **state)
{
    (void)state;
    static const struct { const char *zone; bool changed; enum dkim_result result;
                          const char *step; } rows[] = {
        { "r._domainkey.example.com t=y; p=" EXAMPLE_RSA_PUBLIC, false, DKIM_PASS, "t=y" },
        { "r._domainkey.example.com t=y; p=" EXAMPLE_RSA_PUBLIC, true, DKIM_NEUTRAL,
          "marked as a test" },
        { "r._domainkey.example.com t=s; p=" EXAMPLE_RSA_PUBLIC, false, DKIM_POLICY,
          "not for subdomains" },
        { "r._domainkey.example.com p=", false, DKIM_PERMERROR, "revoked" },
        { "r._domainkey.example.com !failed", false, DKIM_TEMPERROR, "no answer" },
        { "r._domainkey.example.com !failed", true, DKIM_FAIL, "body: its hash is" },
        { "r._domainkey.example.com !nodata", false, DKIM_PERMERROR, "no TXT record" },
    };
    struct rig rig;
    set_up(&rig);
    struct dkim_options options = { .now_s = NOW };
    struct dkim_signing one = signing(&rig);
    one.identity = SLICE("anna@mail.example.com");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sign(&rig, &one, 1, SLICE(BODY), 99);
        if (rows[i].changed)
            change(&rig, "a  b", "A  b");
        assert_int_equal(verify_with(&rig, rows[i].zone, &options, 99), rows[i].result);
        assert_true(told(&rig, rows[i].step));
        assert_true(slice_equal(rig.verdict.identity, SLICE("anna@mail.example.com")));
    }
    tear_down(&rig);
}

/* A message signed up to `limit` octets of its body, as our signer never does. */
static void sign_part(struct rig *rig, struct slice body, size_t part, unsigned limit)
{
    struct digest *digest;
    uint8_t hash[DIGEST_BYTES];
    struct buffer field;
    struct buffer signature;
    buffer_init(&field, 4096);
    buffer_init(&signature, KEY_SIGNATURE_MAX);
    assert_int_equal(digest_new(&digest), ERR_OK);
    digest_update(digest, slice_part(body, 0, part));
    assert_int_equal(digest_finish(digest, hash), ERR_OK);
    digest_free(&digest);
    buffer_append_format(&field, "v=1; a=rsa-sha256; c=relaxed; d=example.com; s=r; h=from; "
                         "l=%u; bh=", limit);
    base64_append(&field, slice_make(hash, DIGEST_BYTES));
    buffer_append(&field, SLICE("; b="));
    assert_int_equal(digest_new(&digest), ERR_OK);
    digest_update(digest, SLICE("from:a@b.c\r\ndkim-signature:"));
    digest_update(digest, buffer_slice(&field));
    assert_int_equal(digest_finish(digest, hash), ERR_OK);
    digest_free(&digest);
    assert_int_equal(private_key_sign(rig->rsa, hash, &signature), ERR_OK);
    base64_append(&field, buffer_slice(&signature));
    buffer_clear(&rig->message);
    buffer_append(&rig->message, SLICE("DKIM-Signature: "));
    buffer_append(&rig->message, buffer_slice(&field));
    buffer_append(&rig->message, SLICE("\r\nFrom: a@b.c\r\n\r\n"));
    buffer_append(&rig->message, body);
    buffer_free(&field);
    buffer_free(&signature);
}

/* HOSTILE 91 */
static void a_body_behind_its_limit_is_not_trusted(void **state)
{
    (void)state;
    static const struct { size_t part; unsigned limit; enum dkim_result result, trusting;
                          const char *step; } rows[] = {
        { 8, 8, DKIM_PASS, DKIM_PASS, "body: the hash agrees" },
        { 3, 3, DKIM_POLICY, DKIM_PASS, "l= covers 3 of 8 octets" },
        { 0, 0, DKIM_POLICY, DKIM_PASS, "l= covers 0 of 8 octets" },
        { 8, 9, DKIM_FAIL, DKIM_FAIL, "l= counts 9 octets, but there are only 8" },
        { 3, 4, DKIM_FAIL, DKIM_FAIL, "body: its hash is" },
    };
    struct rig rig;
    set_up(&rig);
    struct dkim_options trusting = { .now_s = NOW, .takes_partial_body = true };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sign_part(&rig, SLICE("abc\r\nd\r\n"), rows[i].part, rows[i].limit);
        assert_int_equal(verify(&rig), rows[i].result);
        if (!told(&rig, rows[i].step))
            fail_msg("%s", rig.verdict.steps->text[rig.verdict.steps->count - 1]);
        assert_int_equal(verify_with(&rig, ZONE_RSA, &trusting, 3), rows[i].trusting);
    }
    tear_down(&rig);
}

/* HOSTILE 93 */
static void a_thousand_signatures_cost_ten(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    struct dkim_signing one = signing(&rig);
    sign(&rig, &one, 1, SLICE(BODY), 99);
    struct buffer field;
    buffer_init(&field, TEXT_MAX);
    buffer_append(&field, slice_part(buffer_slice(&rig.message), 0,
                                     buffer_len(&rig.message) - strlen(HEADER "\r\n" BODY)));
    for (int i = 0; i < 999; i++)
        insert(&rig, buffer_slice(&field));
    assert_int_equal(verify(&rig), DKIM_PASS);
    assert_int_equal(dkim_verifier_count(rig.verifier), DKIM_SIGNATURES_MAX);
    assert_int_equal(dkim_verifier_found(rig.verifier), 1000);
    buffer_free(&field);
    tear_down(&rig);
}

static void a_header_that_is_cut_does_no_harm(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    struct dkim_signing one = signing(&rig);
    sign(&rig, &one, 1, SLICE(""), 99);
    struct slice whole = buffer_slice(&rig.message);
    size_t passes = 0;
    for (size_t i = 0; i < whole.len; i++) {
        struct rig cut = { .message = { .memory = whole.data == NULL ? NULL
                                                  : rig.message.memory,
                                        .end = i, .capacity = i, .max = i } };
        passes += verify(&cut) == DKIM_PASS;
        dkim_verifier_free(&cut.verifier);
    }
    /* "X: y" and the empty line are not signed; a lone CR behind the Date is no line end. */
    assert_int_equal(passes, strlen("\r\nX: y\r\n\r\n") - 1);
    tear_down(&rig);
}

static void the_field_is_folded(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    struct dkim_signing one = signing(&rig);
    one.identity = SLICE("a.rather.long.user.name.that.needs.a.line@mail.example.com");
    one.expires_at_s = NOW + 1000000;
    sign(&rig, &one, 1, SLICE(BODY), 99);
    struct slice rest = buffer_slice(&rig.message);
    struct slice line;
    size_t lines = 0;
    while (slice_split(&rest, '\n', &line) && !slice_starts_with_nocase(line, SLICE("From:"))) {
        lines++;
        assert_in_range(line.len, 3, 78); /* with its CR */
        assert_true(lines == 1 || ascii_is_blank(line.data[0]));
    }
    assert_in_range(lines, 5, 12);
    assert_null(memmem(rig.message.memory, buffer_len(&rig.message), "l=", 2));
    assert_int_equal(verify(&rig), DKIM_PASS);
    tear_down(&rig);
}

static void names_can_be_given(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    struct dkim_signing one = signing(&rig);
    one.domain = SLICE("B\xc3\xbc" "cher.example");
    one.names = SLICE("from : from:X");
    sign(&rig, &one, 1, SLICE(BODY), 99);
    assert_non_null(memmem(rig.message.memory, buffer_len(&rig.message), "h=from:from:X;", 14));
    struct dkim_options options = { .now_s = NOW };
    assert_int_equal(verify_with(&rig, "r._domainkey.xn--bcher-kva.example p="
                                 EXAMPLE_RSA_PUBLIC, &options, 7), DKIM_PASS);
    assert_true(slice_equal(rig.verdict.domain, SLICE("xn--bcher-kva.example")));
    tear_down(&rig);
}

static void what_cannot_be_signed(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    struct dkim_signing base = signing(&rig);
    struct { struct dkim_signing signing; struct slice header;
             enum dkim_signing_fault fault; } rows[] = {
        { base, SLICE(HEADER), DKIM_SIGNING_DOMAIN },
        { base, SLICE(HEADER), DKIM_SIGNING_SELECTOR },
        { base, SLICE(HEADER), DKIM_SIGNING_IDENTITY },
        { base, SLICE(HEADER), DKIM_SIGNING_NAMES },
        { base, SLICE(HEADER), DKIM_SIGNING_NAMES },
        { base, SLICE(HEADER), DKIM_SIGNING_TIMES },
        { base, SLICE("To: x\r\n"), DKIM_SIGNING_NO_FROM },
        { base, SLICE(HEADER), DKIM_SIGNING_IDENTITY },
        { base, SLICE(" x\r\n" HEADER), DKIM_SIGNING_HEADER },
    };
    rows[0].signing.domain = SLICE("com");
    rows[1].signing.selector = SLICE("a b");
    rows[2].signing.identity = SLICE("x@example.org");
    rows[3].signing.names = SLICE("to");
    rows[4].signing.names = SLICE("from:a b");
    rows[5].signing.expires_at_s = NOW;
    rows[7].signing.identity = SLICE("a;b@example.com");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dkim_signer *signer = NULL;
        enum dkim_signing_fault fault = DKIM_SIGNING_FINE;
        assert_int_equal(dkim_signer_new(&rows[i].signing, 1, rows[i].header, &signer, &fault),
                         ERR_INVALID);
        assert_int_equal(fault, rows[i].fault);
        assert_int_not_equal(dkim_signing_fault_text(fault)[0], '\0');
        assert_null(signer);
    }
    tear_down(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_signed_passes),
        cmocka_unit_test(the_steps_say_what_was_changed),
        cmocka_unit_test(a_second_field_breaks_the_signature),
        cmocka_unit_test(times_are_held_against_the_clock),
        cmocka_unit_test(what_a_key_record_says_counts),
        cmocka_unit_test(a_body_behind_its_limit_is_not_trusted),
        cmocka_unit_test(a_thousand_signatures_cost_ten),
        cmocka_unit_test(a_header_that_is_cut_does_no_harm),
        cmocka_unit_test(the_field_is_folded),
        cmocka_unit_test(names_can_be_given),
        cmocka_unit_test(what_cannot_be_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
