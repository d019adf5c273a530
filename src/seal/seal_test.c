/* seal_test.c: who is signed for and who is not, in pieces of every size; and what the
 * intake behind is told, in all its moods. */
#include "auth/dkim/sign.h"
#include "auth/dkim/verify.h"
#include "auth/signature/fake_zone.h"
#include "crypto/example_keys.h"
#include "seal/fake_intake.h"
#include "seal/seal.h"
#include "wire/message/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/crypto.h>

enum { NOW_S = 1800000000 };

#define ZONE "r._domainkey.example.com v=DKIM1; p=" EXAMPLE_RSA_PUBLIC "\n" \
    "e._domainkey.example.com v=DKIM1; k=ed25519; p=" EXAMPLE_ED25519_PUBLIC "\n" \
    "b._domainkey.below.test v=DKIM1; k=ed25519; p=" EXAMPLE_ED25519_PUBLIC "\n" \
    "n._domainkey.near.below.test v=DKIM1; k=ed25519; p=" EXAMPLE_ED25519_PUBLIC "\n" \
    "i._domainkey.xn--bcher-kva.test v=DKIM1; k=ed25519; p=" EXAMPLE_ED25519_PUBLIC "\n"
#define PREFIX "Received: from x by y; z\r\n"
#define BODY "\r\na  b \r\n.\r\n\r\nlast line\r\n\r\n\r\n"

struct rig {
    struct fake_intake fake;
    struct private_key *rsa;
    struct private_key *ed25519;
    struct seal_keys *keys;
    struct seal *seal;
    struct intake_writer *writer;
};

static void set_up(struct rig *rig)
{
    struct key_trouble trouble;
    *rig = (struct rig){ .rsa = NULL };
    fake_intake_open(&rig->fake);
    assert_int_equal(private_key_read(SLICE(EXAMPLE_RSA_PEM), &rig->rsa, &trouble), ERR_OK);
    assert_int_equal(private_key_read(SLICE(EXAMPLE_ED25519_PEM), &rig->ed25519, &trouble),
                     ERR_OK);
    struct seal_key two[] = { { SLICE("r"), rig->rsa }, { SLICE("e"), rig->ed25519 } };
    struct seal_key below[] = { { SLICE("b"), rig->ed25519 } };
    struct seal_key near[] = { { SLICE("n"), rig->ed25519 } };
    struct seal_key other[] = { { SLICE("i"), rig->ed25519 } };
    struct seal_domain domains[] = {
        { .name = SLICE("example.com"), .keys = two, .keys_count = 2 },
        { .name = SLICE("below.test"), .keys = below, .keys_count = 1, .signs_below = true },
        { .name = SLICE("near.below.test"), .keys = near, .keys_count = 1 },
        { .name = SLICE("xn--bcher-kva.test"), .keys = other, .keys_count = 1 },
    };
    assert_int_equal(seal_keys_make(domains, sizeof domains / sizeof *domains, &rig->keys),
                     ERR_OK);
    assert_int_equal(seal_open(&rig->fake.base, rig->keys, &rig->seal), ERR_OK);
}

static void tear_down(struct rig *rig)
{
    seal_close(&rig->seal);
    seal_close(&rig->seal);
    seal_keys_drop(&rig->keys);
    private_key_drop(&rig->rsa);
    private_key_drop(&rig->ed25519);
    fake_intake_close(&rig->fake);
}

static enum err begin(struct rig *rig, bool is_ours)
{
    struct intake_begin begin = { .home = &rig->fake.home, .is_ours = is_ours };
    return intake_begin(seal_intake(rig->seal), &begin, &rig->writer);
}

static void write_in(struct rig *rig, struct slice content, size_t step)
{
    for (size_t at = 0; at < content.len; at += step)
        assert_int_equal(intake_write(rig->writer, slice_part(content, at, step)),
                         rig->fake.flow);
}

static void commit(struct rig *rig)
{
    struct intake_commit commit = { .prefix = SLICE(PREFIX), .hold = true,
                                    .received_wall_ms = INT64_C(1000) * NOW_S,
                                    .done = fake_intake_told, .context = &rig->fake };
    rig->fake.told = 0;
    intake_commit(&rig->writer, &commit);
    assert_null(rig->writer);
    assert_int_equal(rig->fake.told, 0);
    fake_intake_run(&rig->fake);
    assert_int_equal(rig->fake.told, 1);
    assert_int_equal(rig->fake.told_id.value, 4711);
}

static void send(struct rig *rig, bool is_ours, struct slice content, size_t step)
{
    assert_int_equal(begin(rig, is_ours), ERR_OK);
    write_in(rig, content, step);
    commit(rig);
    assert_int_equal(rig->fake.told_result, ERR_OK);
    assert_true(rig->fake.commit.hold);
    assert_true(slice_ends_with_nocase(buffer_slice(&rig->fake.message), content));
}

/* "d/s d/s ", of the signatures that pass, or what is wrong with one. */
static void signers_of(struct rig *rig, char *out, size_t size)
{
    struct dkim_options options = { .now_s = NOW_S };
    struct dkim_verifier *v = NULL;
    struct slice message = buffer_slice(&rig->fake.message);
    struct slice body = message;
    struct header_scan scan;
    size_t at = 0;
    header_scan_init(&scan, NULL);
    header_scan_feed(&scan, &body);
    assert_int_equal(dkim_verifier_new(&options,
                                       slice_part(message, 0, message.len - body.len), &v),
                     ERR_OK);
    for (size_t i = 0; i < dkim_verifier_count(v); i++) {
        struct lookup_question question;
        struct fake_zone_answer answer;
        assert_true(dkim_verifier_question(v, i, &question));
        fake_zone_find(SLICE(ZONE), &question, &answer);
        dkim_verifier_answer(v, i, &answer.answer);
        fake_zone_drop(&answer);
    }
    dkim_verifier_body(v, body);
    assert_int_equal(dkim_verifier_body_end(v), ERR_OK);
    out[0] = '\0';
    for (size_t i = 0; i < dkim_verifier_count(v); i++) {
        struct dkim_verdict verdict;
        dkim_verifier_verdict(v, i, &verdict);
        at += (size_t)snprintf(out + at, size - at, "%s%.*s/%.*s ",
                               verdict.result == DKIM_PASS ? "" : "NOT ",
                               (int)verdict.domain.len, verdict.domain.data,
                               (int)verdict.selector.len, verdict.selector.data);
    }
    dkim_verifier_free(&v);
}

static void expect_signers(struct rig *rig, const char *expected)
{
    char signers[256];
    signers_of(rig, signers, sizeof signers);
    assert_string_equal(signers, expected);
}

static void the_domain_of_from_signs_and_nobody_else(void **state)
{
    (void)state;
    static const struct { const char *header; const char *signers; } rows[] = {
        { "From: a@example.com\r\n", "example.com/r example.com/e " },
        { "Subject: x\r\nfrom:\r\n A <a@EXAMPLE.com>\r\nTo: b\r\n",
          "example.com/r example.com/e " },
        { "From: a@example.com, b@example.com\r\n", "example.com/r example.com/e " },
        { "From: a@sub.example.com\r\n", "" },
        { "From: a@notexample.com\r\n", "" },
        { "From: a@com\r\n", "" },
        { "From: a@elsewhere.test\r\nSender: a@example.com\r\n", "" },
        { "From: a@example.com\r\nFrom: a@elsewhere.test\r\n", "" },
        { "From: a@example.com\r\nFrom : a@example.com\r\n", "" },
        { "From: a@example.com, b@elsewhere.test\r\n", "" },
        { " hidden\r\nFrom: a@example.com\r\n", "" },
        { "From: example.com\r\n", "" },
        { "From: <a@[192.0.2.1]>\r\n", "" },
        { "Subject: nobody\r\n", "" },
        { "", "" },
        { "From: a@below.test\r\n", "below.test/b " },
        { "From: a@very.far.below.test\r\n", "below.test/b " },
        { "From: a@near.below.test\r\n", "near.below.test/n " },
        { "From: a@x.near.below.test\r\n", "below.test/b " },
        { "From: a@b\xc3\xbc" "cher.test\r\n", "xn--bcher-kva.test/i " },
    };
    struct rig rig;
    set_up(&rig);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer content;
        buffer_init(&content, 4096);
        buffer_append_string(&content, rows[i].header);
        buffer_append(&content, SLICE(BODY));
        for (size_t step = 1; step < 20; step += 6) {
            send(&rig, true, buffer_slice(&content), step);
            expect_signers(&rig, rows[i].signers);
        }
        send(&rig, false, buffer_slice(&content), 7);
        assert_memory_equal(buffer_slice(&rig.fake.message).data, PREFIX, strlen(PREFIX));
        expect_signers(&rig, "");
        buffer_free(&content);
    }
    tear_down(&rig);
}

static bool is_signed(const struct rig *rig)
{
    return slice_starts_with_nocase(buffer_slice(&rig->fake.message),
                                    SLICE("DKIM-Signature:"));
}

/* Where it ends within a line of its header, nobody need sign; but nobody signs badly. */
static void a_message_may_end_anywhere(void **state)
{
    (void)state;
    struct slice whole = SLICE("From: a@example.com\r\nSubject: x\r\n\r\nbody\r\n");
    struct rig rig;
    set_up(&rig);
    for (size_t len = 0; len <= whole.len; len++) {
        struct slice content = slice_part(whole, 0, len);
        send(&rig, true, content, 1);
        if (len > strlen("From: a@example.com") && content.data[len - 1] == '\n')
            assert_true(is_signed(&rig));
        expect_signers(&rig, is_signed(&rig) ? "example.com/r example.com/e " : "");
    }
    tear_down(&rig);
}

static void a_field_too_many_or_a_header_too_large_is_not_signed(void **state)
{
    (void)state;
    struct buffer content;
    struct rig rig;
    set_up(&rig);
    buffer_init(&content, FAKE_INTAKE_MAX);
    buffer_append(&content, SLICE("From: a@example.com\r\n"));
    for (int i = 0; i < HEADER_FIELDS_MAX - 1; i++)
        buffer_append(&content, SLICE("X: y\r\n"));
    size_t most = buffer_len(&content);
    buffer_append(&content, SLICE("\r\n"));
    send(&rig, true, buffer_slice(&content), 4096);
    assert_true(is_signed(&rig));
    buffer_truncate(&content, most);
    buffer_append(&content, SLICE("X: y\r\n\r\n"));
    send(&rig, true, buffer_slice(&content), 4096);
    assert_false(is_signed(&rig));
    buffer_clear(&content);
    buffer_append(&content, SLICE("From: a@example.com\r\nX: "));
    while (buffer_len(&content) < HEADER_BYTES_MAX)
        buffer_append(&content, SLICE("0123456789012345678901234567890123456789\r\n "));
    buffer_append(&content, SLICE("\r\n\r\nbody\r\n"));
    send(&rig, true, buffer_slice(&content), 4096);
    assert_false(is_signed(&rig));
    buffer_free(&content);
    tear_down(&rig);
}

static void the_signatures_stand_before_the_prefix(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    send(&rig, true, SLICE("From: a@example.com\r\n" BODY), 8);
    struct slice prefix = slice_part(buffer_slice(&rig.fake.message), 0,
                                     rig.fake.commit.prefix.len);
    assert_true(slice_starts_with_nocase(prefix, SLICE("DKIM-Signature:")));
    assert_true(slice_ends_with_nocase(prefix, SLICE("\r\n" PREFIX)));
    assert_non_null(memmem(prefix.data, prefix.len, "t=1800000000;", 13));
    assert_null(memmem(prefix.data, prefix.len, "l=", 2));
    tear_down(&rig);
}

static void what_is_written_anew_is_signed_anew(void **state)
{
    (void)state;
    static const char *const before[] = { "", "From: a@exam", "From: a@elsewhere.test\r\n\r\n",
                                          "From: a@example.com\r\n\r\nother" };
    struct rig rig;
    set_up(&rig);
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        assert_int_equal(begin(&rig, true), ERR_OK);
        write_in(&rig, slice_from_string(before[i]), 5);
        intake_rewind(rig.writer);
        assert_int_equal(rig.fake.rewinds, i + 1);
        write_in(&rig, SLICE("From: a@below.test\r\n" BODY), 5);
        commit(&rig);
        expect_signers(&rig, "below.test/b ");
    }
    tear_down(&rig);
}

static void the_intake_behind_is_heard(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    rig.fake.begin_result = ERR_FULL;
    assert_int_equal(begin(&rig, true), ERR_FULL);
    rig.fake.begin_result = ERR_OK;

    rig.fake.flow = INTAKE_WAIT;
    send(&rig, true, SLICE("From: a@example.com\r\n" BODY), 9);
    expect_signers(&rig, "example.com/r example.com/e ");

    rig.fake.flow = INTAKE_FAILED;
    rig.fake.commit_result = ERR_IO;
    assert_int_equal(begin(&rig, true), ERR_OK);
    write_in(&rig, SLICE("From: a@example.com\r\n" BODY), 9);
    commit(&rig);
    assert_int_equal(rig.fake.told_result, ERR_IO);

    rig.fake.flow = INTAKE_MORE;
    assert_int_equal(begin(&rig, true), ERR_OK);
    assert_int_equal(rig.writer->id.value, 4711);
    write_in(&rig, SLICE("From: a@example.com\r\n" BODY), 9);
    assert_int_equal(rig.fake.aborts, 0);
    intake_abort(&rig.writer);
    assert_int_equal(rig.fake.aborts, 1);
    assert_null(rig.writer);
    tear_down(&rig);
}

static void a_prefix_without_room_for_signatures_goes_alone(void **state)
{
    (void)state;
    static char prefix[64 * 1024];
    struct rig rig;
    set_up(&rig);
    memset(prefix, 'x', sizeof prefix);
    memcpy(prefix, "X: ", 3);
    memcpy(prefix + sizeof prefix - 2, "\r\n", 2);
    struct intake_commit commit = { .prefix = slice_make(prefix, sizeof prefix),
                                    .done = fake_intake_told, .context = &rig.fake };
    assert_int_equal(begin(&rig, true), ERR_OK);
    write_in(&rig, SLICE("From: a@example.com\r\n" BODY), 9);
    intake_commit(&rig.writer, &commit);
    assert_int_equal(rig.fake.commit.prefix.len, sizeof prefix);
    fake_intake_run(&rig.fake);
    assert_int_equal(rig.fake.told_result, ERR_OK);
    tear_down(&rig);
}

static void other_keys_are_for_what_begins_then(void **state)
{
    (void)state;
    struct rig rig;
    struct seal_keys *none = NULL;
    struct seal_keys *one = NULL;
    set_up(&rig);
    struct seal_key key = { SLICE("e"), rig.ed25519 };
    struct seal_domain domain = { .name = SLICE("example.com"), .keys = &key,
                                  .keys_count = 1 };
    assert_int_equal(seal_keys_make(NULL, 0, &none), ERR_OK);
    assert_int_equal(seal_keys_make(&domain, 1, &one), ERR_OK);
    assert_int_equal(begin(&rig, true), ERR_OK);
    seal_configure(rig.seal, one);
    seal_keys_drop(&one);
    write_in(&rig, SLICE("From: a@example.com\r\n" BODY), 9);
    commit(&rig);
    expect_signers(&rig, "example.com/r example.com/e ");
    send(&rig, true, SLICE("From: a@example.com\r\n" BODY), 9);
    expect_signers(&rig, "example.com/e ");
    seal_configure(rig.seal, none);
    seal_keys_drop(&none);
    send(&rig, true, SLICE("From: a@example.com\r\n" BODY), 9);
    expect_signers(&rig, "");
    tear_down(&rig);
}

static void what_no_signature_can_have_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    static const struct { const char *domain; const char *selector; } rows[] = {
        { "com", "s" }, { "example.com", "" }, { "example.com", "a..b" }, { "", "s" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct seal_keys *keys = NULL;
        struct seal_key key = { slice_from_string(rows[i].selector), rig.ed25519 };
        struct seal_domain domain = { .name = slice_from_string(rows[i].domain),
                                      .keys = &key, .keys_count = 1 };
        assert_int_equal(seal_keys_make(&domain, 1, &keys), ERR_INVALID);
        assert_null(keys);
    }
    tear_down(&rig);
}

/* What the crypto library asks for, counted; the one that comes at 0 is refused. */
static long allocations_left = -1;

static bool is_refused(void)
{
    return allocations_left >= 0 && allocations_left-- == 0;
}

static void *refusing_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return is_refused() ? NULL : malloc(size);
}

static void *refusing_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return is_refused() ? NULL : realloc(old, size);
}

static void plain_free(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    free(memory);
}

/* Whichever allocation fails: the message is signed as it should be, or refused as a
 * whole, later and once; and never signed badly. */
static void without_memory_it_is_refused(void **state)
{
    (void)state;
    unsigned refused = 0;
    bool was_spared = false;
    struct rig rig;
    set_up(&rig);
    for (long n = 0; !was_spared; n++) {
        unsigned aborts = rig.fake.aborts;
        unsigned commits = rig.fake.commits;
        assert_int_equal(begin(&rig, true), ERR_OK);
        allocations_left = n;
        write_in(&rig, SLICE("From: a@example.com\r\n" BODY), 9);
        struct intake_commit last = { .done = fake_intake_told, .context = &rig.fake,
                                      .received_wall_ms = INT64_C(1000) * NOW_S };
        rig.fake.told = 0;
        intake_commit(&rig.writer, &last);
        was_spared = allocations_left >= 0;
        allocations_left = -1;
        assert_int_equal(rig.fake.told, 0);
        fake_intake_run(&rig.fake);
        assert_int_equal(rig.fake.told, 1);
        assert_int_equal(rig.fake.told_id.value, 4711);
        if (rig.fake.told_result == ERR_OK) {
            assert_int_equal(rig.fake.commits, commits + 1);
            expect_signers(&rig, "example.com/r example.com/e ");
        } else {
            assert_int_equal(rig.fake.told_result, ERR_MEMORY);
            assert_int_equal(rig.fake.aborts, aborts + 1);
            assert_int_equal(rig.fake.commits, commits);
            refused++;
        }
    }
    assert_true(refused > 10);
    tear_down(&rig);
}

int main(void)
{
    if (CRYPTO_set_mem_functions(refusing_malloc, refusing_realloc, plain_free) != 1)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_domain_of_from_signs_and_nobody_else),
        cmocka_unit_test(a_message_may_end_anywhere),
        cmocka_unit_test(a_field_too_many_or_a_header_too_large_is_not_signed),
        cmocka_unit_test(the_signatures_stand_before_the_prefix),
        cmocka_unit_test(what_is_written_anew_is_signed_anew),
        cmocka_unit_test(the_intake_behind_is_heard),
        cmocka_unit_test(a_prefix_without_room_for_signatures_goes_alone),
        cmocka_unit_test(other_keys_are_for_what_begins_then),
        cmocka_unit_test(what_no_signature_can_have_is_refused),
        cmocka_unit_test(without_memory_it_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
