/* arc_test.c: chains that we seal pass, set upon set; and each way to break one is found
 * (HOSTILE 95). */
#include "auth/arc/chain_private.h"
#include "auth/arc/seal.h"
#include "auth/signature/fake_zone.h"
#include "crypto/example_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TEXT_MAX = 1 << 22, NOW = 1800000000 };

#define ZONE "r._domainkey.example.com p=" EXAMPLE_RSA_PUBLIC "\n" \
    "e._domainkey.example.com k=ed25519; p=" EXAMPLE_ED25519_PUBLIC "\n"
#define HEADER "From: Anna <anna@example.com>\r\nTo: b@example.net\r\nSubject: x\r\n" \
    "DKIM-Signature: v=1; something\r\n"
#define BODY "a  b \r\n\r\nc\r\n\r\n"
#define RESULTS "mx.example.com;\r\n spf=pass smtp.mailfrom=example.com"

struct rig {
    struct private_key *rsa;
    struct private_key *ed25519;
    struct buffer header;
    struct arc_validator *validator;
    struct arc_verdict verdict;
};

static void set_up(struct rig *rig)
{
    struct key_trouble trouble;
    *rig = (struct rig){ .rsa = NULL };
    buffer_init(&rig->header, TEXT_MAX);
    buffer_append(&rig->header, SLICE(HEADER));
    assert_int_equal(private_key_read(SLICE(EXAMPLE_RSA_PEM), &rig->rsa, &trouble), ERR_OK);
    assert_int_equal(private_key_read(SLICE(EXAMPLE_ED25519_PEM), &rig->ed25519, &trouble),
                     ERR_OK);
}

static void tear_down(struct rig *rig)
{
    private_key_drop(&rig->rsa);
    private_key_drop(&rig->ed25519);
    buffer_free(&rig->header);
    arc_validator_free(&rig->validator);
}

static void insert(struct rig *rig, struct slice at_front)
{
    struct buffer made;
    buffer_init(&made, TEXT_MAX);
    buffer_append(&made, at_front);
    buffer_append(&made, buffer_slice(&rig->header));
    buffer_move(&rig->header, &made);
}

static struct arc_sealing sealing(struct rig *rig, enum arc_result chain)
{
    return (struct arc_sealing){
        .key = rig->rsa, .domain = SLICE("example.com"), .selector = SLICE("r"),
        .results = SLICE(RESULTS), .chain = chain, .signed_at_s = NOW,
    };
}

static void seal_with(struct rig *rig, const struct arc_sealing *how)
{
    struct arc_sealer *sealer = NULL;
    enum arc_sealing_fault fault = ARC_SEALING_FINE;
    struct buffer set;
    buffer_init(&set, TEXT_MAX);
    assert_int_equal(arc_sealer_new(how, buffer_slice(&rig->header), &sealer, &fault), ERR_OK);
    arc_sealer_body(sealer, SLICE("a  b"));
    arc_sealer_body(sealer, slice_from(SLICE(BODY), 4));
    assert_int_equal(arc_sealer_finish(sealer, &set), ERR_OK);
    insert(rig, buffer_slice(&set));
    arc_sealer_free(&sealer);
    arc_sealer_free(&sealer);
    buffer_free(&set);
}

static void seal(struct rig *rig, enum arc_result chain)
{
    struct arc_sealing how = sealing(rig, chain);
    seal_with(rig, &how);
}

static enum arc_result validate_with(struct rig *rig, struct slice body, const char *zone)
{
    arc_validator_free(&rig->validator);
    struct arc_options options = { .now_s = NOW };
    assert_int_equal(arc_validator_new(&options, buffer_slice(&rig->header), &rig->validator),
                     ERR_OK);
    for (size_t i = 0; i < body.len; i += 3)
        arc_validator_body(rig->validator, slice_part(body, i, 3));
    assert_int_equal(arc_validator_body_end(rig->validator), ERR_OK);
    for (size_t i = 0; i < arc_validator_questions(rig->validator); i++) {
        struct lookup_question question;
        struct fake_zone_answer answer;
        assert_false(arc_validator_is_done(rig->validator));
        assert_true(arc_validator_question(rig->validator, i, &question));
        fake_zone_find(slice_from_string(zone), &question, &answer);
        arc_validator_answer(rig->validator, i, &answer.answer);
        fake_zone_drop(&answer);
        assert_false(arc_validator_question(rig->validator, i, &question));
    }
    assert_true(arc_validator_is_done(rig->validator));
    arc_validator_verdict(rig->validator, &rig->verdict);
    assert_true(rig->verdict.steps->count > 0);
    return rig->verdict.result;
}

static enum arc_result validate(struct rig *rig)
{
    return validate_with(rig, SLICE(BODY), ZONE);
}

static bool told(const struct rig *rig, const char *words)
{
    for (size_t i = 0; i < rig->verdict.steps->count; i++)
        if (strstr(rig->verdict.steps->text[i], words) != NULL)
            return true;
    return false;
}

static void change(struct rig *rig, const char *from, const char *to)
{
    struct slice text = buffer_slice(&rig->header);
    char *at = memmem(text.data, text.len, from, strlen(from));
    assert_non_null(at);
    memcpy(at, to, strlen(to));
}

static void set_upon_set_passes(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    assert_int_equal(validate(&rig), ARC_NONE);
    for (unsigned i = 1; i <= SIGNATURE_INSTANCE_MAX; i++) {
        struct arc_sealing how = sealing(&rig, i == 1 ? ARC_NONE : ARC_PASS);
        how.key = i % 2 == 0 ? rig.ed25519 : rig.rsa;
        how.selector = i % 2 == 0 ? SLICE("e") : SLICE("r");
        seal_with(&rig, &how);
        assert_int_equal(validate(&rig), ARC_PASS);
        assert_int_equal(rig.verdict.sets, i);
        assert_int_equal(rig.verdict.oldest_pass, 0);
        assert_int_equal(arc_validator_questions(rig.validator), i == 1 ? 1 : 2);
    }
    struct arc_sealer_claim claim;
    arc_validator_claim(rig.validator, 2, &claim);
    assert_true(slice_equal(claim.domain, SLICE("example.com")));
    assert_true(slice_equal(claim.selector, SLICE("e")));
    assert_true(slice_equal(claim.results, SLICE(" " RESULTS)));
    struct arc_sealing how = sealing(&rig, ARC_PASS);
    struct arc_sealer *sealer = NULL;
    enum arc_sealing_fault fault;
    assert_int_equal(arc_sealer_new(&how, buffer_slice(&rig.header), &sealer, &fault),
                     ERR_INVALID);
    assert_int_equal(fault, ARC_SEALING_FULL);
    tear_down(&rig);
}

/* The seals are; of the message signatures the newest, and so many before it as the length
 * of the header allows. */
static void a_long_header_is_not_hashed_for_every_set(void **state)
{
    (void)state;
    enum { LONG = 600 * 1024, HASHED = 4, SETS = 7 };
    struct rig rig;
    set_up(&rig);
    char *text = malloc(LONG);
    assert_non_null(text);
    memset(text, 'x', LONG);
    memcpy(text, "X: ", 3);
    memcpy(text + LONG - 2, "\r\n", 2);
    insert(&rig, slice_make(text, LONG));
    free(text);
    for (unsigned i = 1; i <= SETS; i++) {
        seal(&rig, i == 1 ? ARC_NONE : ARC_PASS);
        assert_int_equal(validate(&rig), ARC_PASS);
        assert_int_equal(rig.verdict.oldest_pass, i <= HASHED ? 0 : i - HASHED + 1);
    }
    change(&rig, "Subject: x", "Subject: y");
    assert_int_equal(validate(&rig), ARC_FAIL);
    change(&rig, "Subject: y", "Subject: x");
    change(&rig, "spf=pass", "spf=fail");
    assert_int_equal(validate(&rig), ARC_FAIL);
    tear_down(&rig);
}

static void a_change_on_the_way_is_found(void **state)
{
    (void)state;
    static const struct { const char *from, *to, *step; } rows[] = {
        { "Subject: x", "Subject: y", "message signature i=2 of example.com: header" },
        { "cv=pass", "cv=none", "seal with i=2 does not say cv=pass" },
        { "cv=none", "cv=pass", "seal with i=1 does not say cv=none" },
        { "i=2;", "i=3;", "is not whole" },
        { "i=2;", "i=1;", "two ARC-Seal fields with i=1" },
        { "i=2;", "i=0;", "ARC-Seal, i=0" },
        { "i=2; a", "i=51;a", "ARC-Seal, i=0" },
        { "spf=pass", "spf=fail", "seal i=2 of example.com" },
        { "Results: i=1", "Results: i=0", "does not begin with i=" },
        { "Results: i=1", "Results: j=1", "does not begin with i=" },
        { "ARC-Seal", "XRC-Seal", "is not whole" },
    };
    struct rig rig;
    set_up(&rig);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buffer_clear(&rig.header);
        buffer_append(&rig.header, SLICE(HEADER));
        seal(&rig, ARC_NONE);
        seal(&rig, ARC_PASS);
        assert_int_equal(validate(&rig), ARC_PASS);
        change(&rig, rows[i].from, rows[i].to);
        enum arc_result result = validate(&rig);
        if (result != ARC_FAIL || !told(&rig, rows[i].step))
            fail_msg("%s: %s: %s", rows[i].to, arc_result_text(result),
                     rig.verdict.steps->text[rig.verdict.steps->count - 1]);
    }
    tear_down(&rig);
}

static void who_changed_the_message_may_seal_it_anew(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    seal(&rig, ARC_NONE);
    change(&rig, "Subject: x", "Subject: y");
    assert_int_equal(validate(&rig), ARC_FAIL);
    change(&rig, "Subject: y", "Subject: x");
    assert_int_equal(validate(&rig), ARC_PASS);
    change(&rig, "Subject: x", "Subject: y");
    seal(&rig, ARC_PASS);
    assert_int_equal(validate(&rig), ARC_PASS);
    assert_int_equal(rig.verdict.oldest_pass, 2);
    assert_int_equal(validate_with(&rig, SLICE("other"), ZONE), ARC_FAIL);
    assert_true(told(&rig, "the body was changed"));
    tear_down(&rig);
}

static void a_broken_chain_stays_broken(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    seal(&rig, ARC_NONE);
    change(&rig, "spf=pass", "spf=fail");
    assert_int_equal(validate(&rig), ARC_FAIL);
    seal(&rig, ARC_FAIL);
    assert_non_null(memmem(rig.header.memory, buffer_len(&rig.header), "i=2; a=rsa-sha256; "
                           "cv=fail;", 27));
    assert_int_equal(validate(&rig), ARC_FAIL);
    assert_true(told(&rig, "cv=fail"));
    assert_int_equal(arc_validator_questions(rig.validator), 0);
    struct arc_sealing how = sealing(&rig, ARC_FAIL);
    struct arc_sealer *sealer = NULL;
    enum arc_sealing_fault fault;
    assert_int_equal(arc_sealer_new(&how, buffer_slice(&rig.header), &sealer, &fault),
                     ERR_INVALID);
    assert_int_equal(fault, ARC_SEALING_GIVEN_UP);
    tear_down(&rig);
}

static void a_failed_look_up_is_a_failed_chain(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    seal(&rig, ARC_NONE);
    assert_int_equal(validate_with(&rig, SLICE(BODY), "r._domainkey.example.com !failed"),
                     ARC_FAIL);
    assert_true(rig.verdict.dns_failed && told(&rig, "no answer"));
    assert_int_equal(validate_with(&rig, SLICE(BODY), ""), ARC_FAIL);
    assert_false(rig.verdict.dns_failed);
    assert_true(told(&rig, "does not exist"));
    tear_down(&rig);
}

/* HOSTILE 95: much too much of everything. */
static void a_thousand_sets_are_one_broken_chain(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    seal(&rig, ARC_NONE);
    struct buffer set;
    buffer_init(&set, TEXT_MAX);
    buffer_append(&set, slice_part(buffer_slice(&rig.header), 0,
                                   buffer_len(&rig.header) - strlen(HEADER)));
    for (int i = 0; i < 500; i++)
        insert(&rig, buffer_slice(&set));
    assert_int_equal(validate(&rig), ARC_FAIL);
    for (int i = 0; i < 300; i++)
        insert(&rig, buffer_slice(&set));
    assert_int_equal(validate(&rig), ARC_FAIL);
    assert_true(told(&rig, "too many fields"));
    buffer_free(&set);
    tear_down(&rig);
}

static void a_header_that_is_cut_never_passes(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    seal(&rig, ARC_NONE);
    size_t len = buffer_len(&rig.header);
    /* What stands at the end is the DKIM-Signature, which is signed, with its CRLF. */
    for (size_t i = 0; i + 2 < len; i++) {
        struct rig cut;
        set_up(&cut);
        buffer_clear(&cut.header);
        buffer_append(&cut.header, slice_part(buffer_slice(&rig.header), 0, i));
        assert_int_not_equal(validate(&cut), ARC_PASS);
        tear_down(&cut);
    }
    tear_down(&rig);
}

static void results_begin_with_an_instance(void **state)
{
    (void)state;
    static const struct { const char *value; unsigned instance; } rows[] = {
        { " i=1; x", 1 }, { "i = 50 ;", 50 }, { " (a) i (b) = (c) 7 (d) ; x", 7 },
        { "i=0; x", 0 }, { "i=51; x", 0 }, { "i=1", 0 }, { "i=; x", 0 }, { "I=1; x", 0 },
        { "", 0 }, { "x; i=1", 0 }, { "i=1x; y", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned instance = 0;
        struct slice payload;
        bool good = arc_results_read(slice_from_string(rows[i].value), &instance, &payload);
        if (good != (rows[i].instance > 0) || instance != rows[i].instance)
            fail_msg("%s: %u", rows[i].value, instance);
    }
}

static void what_cannot_be_sealed(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    struct arc_sealing base = sealing(&rig, ARC_NONE);
    struct { struct arc_sealing sealing; struct slice header;
             enum arc_sealing_fault fault; } rows[] = {
        { base, SLICE(HEADER), ARC_SEALING_DOMAIN },
        { base, SLICE(HEADER), ARC_SEALING_SELECTOR },
        { base, SLICE(HEADER), ARC_SEALING_RESULTS },
        { base, SLICE(HEADER), ARC_SEALING_RESULTS },
        { base, SLICE("\tx\r\n" HEADER), ARC_SEALING_HEADER },
    };
    rows[0].sealing.domain = SLICE("com");
    rows[1].sealing.selector = SLICE("");
    rows[2].sealing.results = SLICE("");
    rows[3].sealing.results = SLICE("x\r\nBcc: y");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arc_sealer *sealer = NULL;
        enum arc_sealing_fault fault = ARC_SEALING_FINE;
        assert_int_equal(arc_sealer_new(&rows[i].sealing, rows[i].header, &sealer, &fault),
                         ERR_INVALID);
        assert_int_equal(fault, rows[i].fault);
        assert_int_not_equal(arc_sealing_fault_text(fault)[0], '\0');
    }
    tear_down(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_upon_set_passes),
        cmocka_unit_test(a_long_header_is_not_hashed_for_every_set),
        cmocka_unit_test(a_change_on_the_way_is_found),
        cmocka_unit_test(who_changed_the_message_may_seal_it_anew),
        cmocka_unit_test(a_broken_chain_stays_broken),
        cmocka_unit_test(a_failed_look_up_is_a_failed_chain),
        cmocka_unit_test(a_thousand_sets_are_one_broken_chain),
        cmocka_unit_test(a_header_that_is_cut_never_passes),
        cmocka_unit_test(results_begin_with_an_instance),
        cmocka_unit_test(what_cannot_be_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
