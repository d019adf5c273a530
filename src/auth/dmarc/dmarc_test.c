/* dmarc_test.c: whole evaluations: the walk, alignment, policies, errors of the DNS. */
#include "auth/dmarc/dmarc.h"

#include "wire/dns/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* What is not here does not exist. */
struct fake_record {
    const char *name;
    const char *text; /* NULL: the look-up fails; "": the name exists, and has no record */
};

struct fake_zone {
    const struct fake_record *records;
    unsigned asked;
    char names[4096]; /* each with a space behind */
};

static void fake_answer(struct fake_zone *zone, struct dmarc *dmarc,
                        const struct lookup_question *question)
{
    static char data[4][256];
    struct slice found[4];
    struct lookup_answer answer = { .kind = LOOKUP_NXDOMAIN, .records = found };
    zone->asked++;
    size_t used = strlen(zone->names);
    snprintf(zone->names + used, sizeof zone->names - used, "%.*s ", (int)question->name.len,
             question->name.data);
    for (const struct fake_record *r = zone->records; r->name != NULL; r++) {
        if (!slice_equal(slice_from_string(r->name), question->name))
            continue;
        if (r->text == NULL)
            answer.kind = LOOKUP_FAILED;
        else if (r->text[0] == '\0' || question->type != DNS_TYPE_TXT)
            answer.kind = LOOKUP_NODATA;
        else {
            size_t len = strlen(r->text);
            char *at = data[answer.records_count];
            at[0] = (char)len;
            memcpy(at + 1, r->text, len);
            found[answer.records_count++] = slice_make(at, len + 1);
            answer.kind = LOOKUP_FOUND;
        }
    }
    dmarc_answer(dmarc, &answer);
}

struct expected {
    const char *author;
    const char *spf;   /* a pass of this domain; NULL: none */
    const char *dkim;
    enum dmarc_result result;
    enum dmarc_policy disposition;
    const char *policy_domain;
    const char *organizational_domain;
    unsigned asked;
};

static struct dmarc_identifier pass_of(const char *domain)
{
    return (struct dmarc_identifier){ .domain = slice_from_string(domain),
                                      .evidence = DMARC_CONFIRMED };
}

static void assert_evaluates(const struct fake_record *records, const struct expected *e)
{
    struct fake_zone zone = { .records = records };
    struct dmarc_from from;
    struct dmarc_identifier dkim = pass_of(e->dkim);
    struct dmarc_request request = { .from = &from, .spf = pass_of(e->spf), .dkim = &dkim,
                                     .dkim_count = e->dkim == NULL ? 0 : 1 };
    struct dmarc *dmarc;
    struct lookup_question question;
    dmarc_from_read_domain(slice_from_string(e->author), &from);
    assert_int_equal(dmarc_begin(&request, &dmarc), ERR_OK);
    while (dmarc_next(dmarc, &question))
        fake_answer(&zone, dmarc, &question);
    struct dmarc_verdict v = dmarc_verdict(dmarc);
    if (v.result != e->result || v.disposition != e->disposition ||
        zone.asked != e->asked ||
        !slice_equal(v.policy_domain, slice_from_string(e->policy_domain)) ||
        !slice_equal(v.organizational_domain, slice_from_string(e->organizational_domain)))
        fail_msg("%s, SPF %s, DKIM %s: result %d, disposition %d, policy of %.*s, "
                 "organization %.*s; asked %u: %s",
                 e->author, e->spf, e->dkim, (int)v.result, (int)v.disposition,
                 (int)v.policy_domain.len, v.policy_domain.data,
                 (int)v.organizational_domain.len, v.organizational_domain.data,
                 zone.asked, zone.names);
    assert_true(slice_ends_with_nocase(reasons_at(v.reasons, v.reasons->count - 1u),
                                       dmarc_result_name(v.result)));
    dmarc_free(&dmarc);
    assert_null(dmarc);
}

#define NONE DMARC_POLICY_NONE
#define QUARANTINE DMARC_POLICY_QUARANTINE
#define REJECT DMARC_POLICY_REJECT

static void test_evaluations(void **state)
{
    (void)state;
    static const struct fake_record records[] = {
        { "_dmarc.ex.test", "v=DMARC1; p=reject; sp=quarantine; np=none" },
        { "sub.ex.test", "" },
        { "_dmarc.own.ex.test", "v=DMARC1; p=none" },
        { "_dmarc.strict.test", "v=DMARC1; p=reject; adkim=s; aspf=s; pct=0" },
        { "_dmarc.testing.test", "v=DMARC1; p=reject; sp=quarantine; t=y" },
        { "_dmarc.two.test", "v=DMARC1; p=reject" },
        { "_dmarc.two.test", "v=DMARC1; p=none" },
        { "_dmarc.mixed.test", "v=spf1 -all" },
        { "_dmarc.mixed.test", "v=DMARC1; p=reject" },
        { "_dmarc.bad.test", "v=DMARC1; p=rejct" },
        { "_dmarc.fails.test", NULL },
        { "_dmarc.under.fails.test", "v=DMARC1; p=reject" },
        { "_dmarc.exists-fails.test", "v=DMARC1; p=reject; np=quarantine" },
        { "sub.exists-fails.test", NULL },
        { NULL, NULL },
    };
    static const struct expected cases[] = {
        { "ex.test", "ex.test", NULL, DMARC_PASS, NONE, "ex.test", "ex.test", 2 },
        { "ex.test", NULL, "Ex.Test", DMARC_PASS, NONE, "ex.test", "ex.test", 2 },
        { "ex.test", NULL, "sub.ex.test", DMARC_PASS, NONE, "ex.test", "ex.test", 3 },
        { "ex.test", "other.test", "ex.test.evil.test", DMARC_FAIL, REJECT, "ex.test",
          "ex.test", 2 },
        { "ex.test", NULL, "notex.test", DMARC_FAIL, REJECT, "ex.test", "ex.test", 2 },
        { "ex.test", NULL, "test", DMARC_FAIL, REJECT, "ex.test", "ex.test", 2 },
        { "sub.ex.test", NULL, NULL, DMARC_FAIL, QUARANTINE, "ex.test", "ex.test", 4 },
        { "sub.ex.test", "ex.test", NULL, DMARC_PASS, NONE, "ex.test", "ex.test", 4 },
        { "gone.ex.test", NULL, NULL, DMARC_FAIL, NONE, "ex.test", "ex.test", 4 },
        { "own.ex.test", NULL, "ex.test", DMARC_PASS, NONE, "own.ex.test", "ex.test", 3 },
        { "own.ex.test", NULL, NULL, DMARC_FAIL, NONE, "own.ex.test", "ex.test", 3 },
        { "strict.test", "strict.test", NULL, DMARC_PASS, NONE, "strict.test",
          "strict.test", 2 },
        { "strict.test", "a.strict.test", "b.strict.test", DMARC_FAIL, REJECT, "strict.test",
          "strict.test", 2 },
        { "testing.test", NULL, NULL, DMARC_FAIL, QUARANTINE, "testing.test",
          "testing.test", 2 },
        { "a.testing.test", NULL, NULL, DMARC_FAIL, NONE, "testing.test", "testing.test", 3 },
        { "two.test", NULL, NULL, DMARC_NONE, NONE, "", "two.test", 2 },
        { "mixed.test", NULL, NULL, DMARC_FAIL, REJECT, "mixed.test", "mixed.test", 2 },
        { "bad.test", NULL, NULL, DMARC_NONE, NONE, "bad.test", "bad.test", 2 },
        { "absent.test", "absent.test", NULL, DMARC_NONE, NONE, "", "absent.test", 2 },
        { "fails.test", "fails.test", NULL, DMARC_TEMPERROR, NONE, "", "", 1 },
        { "sub.fails.test", NULL, NULL, DMARC_TEMPERROR, NONE, "", "", 2 },
        /* a walk that fails, below a record of one's own */
        { "under.fails.test", NULL, NULL, DMARC_FAIL, REJECT, "under.fails.test", "", 2 },
        { "under.fails.test", "under.fails.test", NULL, DMARC_PASS, NONE,
          "under.fails.test", "", 2 },
        { "under.fails.test", "fails.test", NULL, DMARC_TEMPERROR, NONE,
          "under.fails.test", "", 2 },
        { "sub.exists-fails.test", NULL, NULL, DMARC_TEMPERROR, NONE, "exists-fails.test",
          "exists-fails.test", 4 },
        { "sub.exists-fails.test", "exists-fails.test", NULL, DMARC_PASS, NONE,
          "exists-fails.test", "exists-fails.test", 4 },
        /* not names of anything */
        { "192.0.2.1", NULL, NULL, DMARC_NONE, NONE, "", "192.0.2.1", 1 },
        { "localhost", NULL, NULL, DMARC_NONE, NONE, "", "localhost", 1 },
        { "[192.0.2.1]", NULL, NULL, DMARC_PERMERROR, REJECT, "", "", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_evaluates(records, &cases[i]);
}

/* RFC 9989 4.10.2, its examples among them. */
static void test_suffixes(void **state)
{
    (void)state;
    static const struct fake_record records[] = {
        { "_dmarc.suffix", "v=DMARC1; p=none; sp=quarantine; np=reject; psd=y" },
        { "_dmarc.org.suffix", "v=DMARC1; p=reject" },
        { "_dmarc.mail.org.suffix", "v=DMARC1; p=none; psd=n" },
        { "bare.suffix", "" },
        { "_dmarc.giant.bank", "v=DMARC1; p=none" },
        { "_dmarc.mail.giant.bank", "v=DMARC1; p=none" },
        { "_dmarc.a.b.c.d.e.f.g.h.suffix", "v=DMARC1; p=quarantine" },
        { NULL, NULL },
    };
    static const struct expected cases[] = {
        { "org.suffix", "x.org.suffix", NULL, DMARC_PASS, NONE, "org.suffix", "org.suffix",
          3 },
        { "x.org.suffix", NULL, "y.org.suffix", DMARC_PASS, NONE, "org.suffix",
          "org.suffix", 4 },
        { "org.suffix", "bare.suffix", "suffix", DMARC_FAIL, REJECT, "org.suffix",
          "org.suffix", 2 },
        /* psd=n: an organization of its own */
        { "mail.org.suffix", "org.suffix", NULL, DMARC_FAIL, NONE, "mail.org.suffix",
          "mail.org.suffix", 1 },
        { "x.mail.org.suffix", "y.mail.org.suffix", NULL, DMARC_PASS, NONE,
          "mail.org.suffix", "mail.org.suffix", 3 },
        { "org.suffix", "mail.org.suffix", NULL, DMARC_FAIL, REJECT, "org.suffix",
          "org.suffix", 3 },
        /* the policy of the suffix */
        { "bare.suffix", NULL, NULL, DMARC_FAIL, QUARANTINE, "suffix", "bare.suffix", 3 },
        { "gone.suffix", NULL, NULL, DMARC_FAIL, REJECT, "suffix", "gone.suffix", 3 },
        { "x.gone.suffix", "y.gone.suffix", NULL, DMARC_PASS, NONE, "suffix", "gone.suffix",
          5 },
        { "suffix", NULL, "suffix", DMARC_PASS, NONE, "suffix", "suffix", 1 },
        /* the fewest labels */
        { "a.mail.giant.bank", "giant.bank", NULL, DMARC_PASS, NONE, "giant.bank",
          "giant.bank", 4 },
        /* eight labels: nine questions would be one too many */
        { "1.2.3.4.5.6.giant.bank", NULL, NULL, DMARC_FAIL, NONE, "giant.bank",
          "giant.bank", 8 },
        { "a.b.c.d.e.f.g.h.suffix", NULL, NULL, DMARC_FAIL, QUARANTINE,
          "a.b.c.d.e.f.g.h.suffix", "h.suffix", 8 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_evaluates(records, &cases[i]);
}

/* A name of 120 labels (HOSTILE 99), and the names that RFC 9989 4.10 lists. */
static void test_long_walks(void **state)
{
    (void)state;
    static const struct fake_record nothing[] = { { NULL, NULL } };
    static char name[240];
    struct expected e = { name, "x.test", "y.test", DMARC_NONE, NONE, "", name, 8 };
    for (size_t i = 0; i < 239; i += 2)
        memcpy(name + i, "a.", 2);
    name[239] = '\0';
    assert_evaluates(nothing, &e);

    struct fake_zone zone = { .records = nothing };
    struct dmarc_from from;
    struct dmarc_request request = { .from = &from };
    struct dmarc *dmarc;
    struct lookup_question question;
    dmarc_from_read_domain(SLICE("a.b.c.d.e.f.g.h.i.j.mail.example.com"), &from);
    assert_int_equal(dmarc_begin(&request, &dmarc), ERR_OK);
    while (dmarc_next(dmarc, &question))
        fake_answer(&zone, dmarc, &question);
    assert_string_equal(zone.names,
                        "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com "
                        "_dmarc.g.h.i.j.mail.example.com _dmarc.h.i.j.mail.example.com "
                        "_dmarc.i.j.mail.example.com _dmarc.j.mail.example.com "
                        "_dmarc.mail.example.com _dmarc.example.com _dmarc.com ");
    dmarc_free(&dmarc);
}

static void assert_weighs(enum dmarc_evidence spf, enum dmarc_evidence dkim,
                          enum dmarc_result result, const char *text)
{
    static const struct fake_record records[] = {
        { "_dmarc.ex.test", "v=DMARC1; p=reject" }, { NULL, NULL },
    };
    struct fake_zone zone = { .records = records };
    struct dmarc_from from;
    struct dmarc_identifier dkims[DMARC_SIGNATURES_MAX + 1] = {
        { SLICE("other.test"), DMARC_UNDECIDED }, { SLICE("ex.test"), dkim },
    };
    struct dmarc_request request = { .from = &from, .spf = { SLICE("ex.test"), spf },
                                     .dkim = dkims, .dkim_count = DMARC_SIGNATURES_MAX + 1 };
    struct dmarc *dmarc;
    struct lookup_question question;
    struct buffer out;
    /* behind the last that is looked at */
    dkims[DMARC_SIGNATURES_MAX] = (struct dmarc_identifier){ SLICE("ex.test"),
                                                             DMARC_CONFIRMED };
    buffer_init(&out, 4096);
    dmarc_from_read_value(SLICE("a@ex.test"), &from);
    assert_int_equal(dmarc_begin(&request, &dmarc), ERR_OK);
    while (dmarc_next(dmarc, &question))
        fake_answer(&zone, dmarc, &question);
    struct dmarc_verdict v = dmarc_verdict(dmarc);
    assert_int_equal(v.result, result);
    assert_int_equal(v.is_spf_aligned, spf == DMARC_CONFIRMED);
    assert_int_equal(v.is_dkim_aligned, dkim == DMARC_CONFIRMED);
    dmarc_append_result(dmarc, &out);
    assert_true(slice_equal(buffer_slice(&out), slice_from_string(text)));
    buffer_free(&out);
    dmarc_free(&dmarc);
    dmarc_free(&dmarc);
}

static void test_evidence(void **state)
{
    (void)state;
    assert_weighs(DMARC_CONFIRMED, DMARC_REFUTED, DMARC_PASS,
                  "dmarc=pass header.from=ex.test policy.dmarc=none");
    assert_weighs(DMARC_REFUTED, DMARC_CONFIRMED, DMARC_PASS,
                  "dmarc=pass header.from=ex.test policy.dmarc=none");
    assert_weighs(DMARC_UNDECIDED, DMARC_CONFIRMED, DMARC_PASS,
                  "dmarc=pass header.from=ex.test policy.dmarc=none");
    assert_weighs(DMARC_REFUTED, DMARC_REFUTED, DMARC_FAIL,
                  "dmarc=fail header.from=ex.test policy.dmarc=reject");
    assert_weighs(DMARC_REFUTED, DMARC_UNDECIDED, DMARC_TEMPERROR,
                  "dmarc=temperror header.from=ex.test policy.dmarc=none");
}

static void test_without_an_author(void **state)
{
    (void)state;
    struct dmarc_from from;
    struct dmarc_request request = { .from = &from };
    struct dmarc *dmarc;
    struct lookup_question question;
    struct buffer out;
    buffer_init(&out, 4096);
    dmarc_from_read_header(SLICE("From: a@b.test\r\nFrom: c@d.test\r\n\r\n"), &from);
    assert_int_equal(dmarc_begin(&request, &dmarc), ERR_OK);
    assert_false(dmarc_next(dmarc, &question));
    assert_int_equal(dmarc_verdict(dmarc).result, DMARC_PERMERROR);
    dmarc_append_result(dmarc, &out);
    assert_true(slice_equal(buffer_slice(&out),
                            SLICE("dmarc=permerror reason=\"the message has more than one "
                                  "From field\"")));
    buffer_free(&out);
    dmarc_free(&dmarc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evaluations), cmocka_unit_test(test_suffixes),
        cmocka_unit_test(test_long_walks),  cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_without_an_author),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
