/* signature_test.c: fields and key records that are right, and each way to be wrong. */
#include "auth/signature/body.h"
#include "auth/signature/check.h"
#include "auth/signature/fake_zone.h"
#include "auth/signature/record.h"
#include "base/base64.h"
#include "crypto/example_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define HASH "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
#define REST " d=example.com; s=sel; h=from:to; bh=" HASH "; b=QUJD"
#define DKIM "v=1; a=rsa-sha256;" REST

static enum signature_fault read(enum signature_kind kind, const char *value,
                                 struct signature_field *out)
{
    struct header_field field = { .name = SLICE("X"), .value = slice_from_string(value),
                                  .whole = slice_from_string(value) };
    return signature_field_read(kind, &field, out);
}

static void every_fault_of_a_field(void **state)
{
    (void)state;
    static const struct { const char *value; enum signature_fault fault; const char *about; }
    rows[] = {
        { DKIM, SIGNATURE_FINE, NULL },
        { DKIM ";", SIGNATURE_FINE, NULL },
        { DKIM "; c=relaxed", SIGNATURE_FINE, NULL },
        { DKIM "; c=RELAXED/simple; q=x : dns/txt; z=a|b; unknown=", SIGNATURE_FINE, NULL },
        { DKIM "; t=1; x=99999999999999999999999", SIGNATURE_FINE, NULL },
        { DKIM "; i=a=20b@Sub.Example.COM", SIGNATURE_FINE, NULL },
        { "v=1; a=ED25519-SHA256;" REST, SIGNATURE_FINE, NULL },
        { "no list", SIGNATURE_NO_LIST, NULL },
        { DKIM "; v=1", SIGNATURE_NO_LIST, NULL },
        { "v=2; a=rsa-sha256;" REST, SIGNATURE_VALUE, "v" },
        { "a=rsa-sha256;" REST, SIGNATURE_TAG_MISSING, "v" },
        { "v=1; a=rsa-sha1;" REST, SIGNATURE_ALGORITHM_BROKEN, "a" },
        { "v=1; a=dsa-sha256;" REST, SIGNATURE_ALGORITHM_UNKNOWN, "a" },
        { "v=1; a=;" REST, SIGNATURE_ALGORITHM_UNKNOWN, "a" },
        { "v=1; a=rsa-sha256; d=com; s=s; h=from; bh=" HASH "; b=QUJD", SIGNATURE_VALUE, "d" },
        { "v=1; a=rsa-sha256; d=*.b; s=s; h=from; bh=" HASH "; b=QUJD", SIGNATURE_VALUE, "d" },
        { "v=1; a=rsa-sha256; d=a.b; s=; h=from; bh=" HASH "; b=QUJD", SIGNATURE_VALUE, "s" },
        { "v=1; a=rsa-sha256; d=a.b; s=s; h=from; bh=QUJD; b=QUJD", SIGNATURE_VALUE, "bh" },
        { "v=1; a=rsa-sha256; d=a.b; s=s; h=from; bh=" HASH "; b=", SIGNATURE_VALUE, "b" },
        { "v=1; a=rsa-sha256; d=a.b; s=s; h=from; bh=" HASH "; b=x-y", SIGNATURE_VALUE, "b" },
        { "v=1; a=rsa-sha256; d=a.b; s=s; h=from; bh=" HASH, SIGNATURE_TAG_MISSING, "b" },
        { "v=1; a=rsa-sha256; d=a.b; s=s; h=to; bh=" HASH "; b=QUJD",
          SIGNATURE_FROM_UNSIGNED, NULL },
        { "v=1; a=rsa-sha256; d=a.b; s=s; h=; bh=" HASH "; b=QUJD",
          SIGNATURE_FROM_UNSIGNED, NULL },
        { DKIM "; c=", SIGNATURE_CANONICAL_UNKNOWN, "c" },
        { DKIM "; c=nofws", SIGNATURE_CANONICAL_UNKNOWN, "c" },
        { DKIM "; c=simple/", SIGNATURE_CANONICAL_UNKNOWN, "c" },
        { DKIM "; q=http", SIGNATURE_QUERY_UNKNOWN, "q" },
        { DKIM "; l=-1", SIGNATURE_VALUE, "l" },
        { DKIM "; l=", SIGNATURE_VALUE, "l" },
        { DKIM "; t=now", SIGNATURE_VALUE, "t" },
        { DKIM "; t=10; x=10", SIGNATURE_EXPIRES_EARLY, NULL },
        { DKIM "; i=nobody", SIGNATURE_VALUE, "i" },
        { DKIM "; i=@ample.com", SIGNATURE_IDENTITY_FOREIGN, "i" },
        { DKIM "; i=@badexample.com", SIGNATURE_IDENTITY_FOREIGN, "i" },
        { DKIM "; i=@com", SIGNATURE_IDENTITY_FOREIGN, "i" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct signature_field f;
        enum signature_fault fault = read(SIGNATURE_DKIM, rows[i].value, &f);
        if (fault != rows[i].fault)
            fail_msg("fault %d: %s", fault, rows[i].value);
        if (rows[i].about != NULL)
            assert_string_equal(f.about, rows[i].about);
        assert_int_not_equal(signature_fault_text(fault)[0], '\0');
    }
}

static void what_a_field_says(void **state)
{
    (void)state;
    struct signature_field f;
    assert_int_equal(read(SIGNATURE_DKIM, "v=1; a=ed25519-sha256; c=relaxed/relaxed; "
                          "d=B\xc3\xbc" "cher.example; s=Sel.Two; i=a@x.b\xc3\xbc" "cher.example; "
                          "h= From :\r\n To; l=17; t=5; x=9; bh=" HASH "; b= QU\r\n JD ", &f),
                     SIGNATURE_FINE);
    assert_string_equal(f.domain.text, "xn--bcher-kva.example");
    assert_string_equal(f.key_name.text, "sel.two._domainkey.xn--bcher-kva.example");
    assert_true(f.identity_is_below);
    assert_int_equal(f.algorithm, KEY_ED25519);
    assert_int_equal(f.header, CANONICAL_RELAXED);
    assert_int_equal(f.body, CANONICAL_RELAXED);
    assert_int_equal(f.body_limit, 17);
    assert_int_equal(f.signed_at_s, 5);
    assert_int_equal(f.expires_at_s, 9);
    assert_int_equal(f.signature_len, 3);
    assert_true(slice_equal(f.signature_raw, SLICE(" QU\r\n JD ")));
    assert_int_equal(read(SIGNATURE_DKIM, DKIM "; l=99999999999999999999999", &f),
                     SIGNATURE_FINE);
    assert_true(f.body_limit == UINT64_MAX - 1);
    assert_int_equal(read(SIGNATURE_DKIM, DKIM, &f), SIGNATURE_FINE);
    assert_int_equal(f.header, CANONICAL_SIMPLE);
    assert_true(f.body_limit == UINT64_MAX && f.signed_at_s == -1 && f.expires_at_s == -1);
}

static void names_of_domains_and_selectors(void **state)
{
    (void)state;
    static const struct { const char *text; const char *want; } rows[] = {
        { "Example.COM", "example.com" }, { "512", "512" }, { "a_b.c", "a_b.c" },
        { "B\xc3\xbc" "cher.example", "xn--bcher-kva.example" },
        { "xn--i-7iq.ws", "xn--i-7iq.ws" },
        { "", NULL }, { ".", NULL }, { "a.", NULL }, { ".a", NULL }, { "a..b", NULL },
        { "a b", NULL }, { "*.a", NULL }, { "[192.0.2.1]", NULL }, { "\xff.a", NULL },
        { "\xef\xbc\xa1.a", NULL }, { "a\xe3\x80\x82" "b", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dns_name name;
        bool good = signature_name_read(slice_from_string(rows[i].text), &name);
        if (good != (rows[i].want != NULL))
            fail_msg("%d: %s", good, rows[i].text);
        if (good)
            assert_string_equal(name.text, rows[i].want);
    }
}

static void fields_of_arc(void **state)
{
    (void)state;
    static const struct { enum signature_kind kind; const char *value;
                          enum signature_fault fault; } rows[] = {
        { SIGNATURE_ARC_MESSAGE, "i=1; a=rsa-sha256;" REST, SIGNATURE_FINE },
        { SIGNATURE_ARC_MESSAGE, "i=50; v=9; a=rsa-sha256;" REST, SIGNATURE_FINE },
        { SIGNATURE_ARC_MESSAGE, "a=rsa-sha256;" REST, SIGNATURE_TAG_MISSING },
        { SIGNATURE_ARC_MESSAGE, "i=0; a=rsa-sha256;" REST, SIGNATURE_VALUE },
        { SIGNATURE_ARC_MESSAGE, "i=51; a=rsa-sha256;" REST, SIGNATURE_VALUE },
        { SIGNATURE_ARC_MESSAGE, "i=1; a=rsa-sha256; d=a.b; s=s; h=from:arc-seal; bh=" HASH
          "; b=QUJD", SIGNATURE_VALUE },
        { SIGNATURE_ARC_SEAL, "i=1; cv=none; a=rsa-sha256; d=a.b; s=s; b=QUJD",
          SIGNATURE_FINE },
        { SIGNATURE_ARC_SEAL, "i=1; cv=; a=rsa-sha256; d=a.b; s=s; b=QUJD", SIGNATURE_VALUE },
        { SIGNATURE_ARC_SEAL, "i=1; a=rsa-sha256; d=a.b; s=s; b=QUJD",
          SIGNATURE_TAG_MISSING },
        { SIGNATURE_ARC_SEAL, "i=1; cv=none; h=from; a=rsa-sha256; d=a.b; s=s; b=QUJD",
          SIGNATURE_TAG_FORBIDDEN },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct signature_field f;
        if (read(rows[i].kind, rows[i].value, &f) != rows[i].fault)
            fail_msg("%s", rows[i].value);
    }
    struct signature_field f;
    assert_int_equal(read(SIGNATURE_ARC_MESSAGE, "i=7; a=rsa-sha256;" REST, &f),
                     SIGNATURE_FINE);
    assert_true(f.instance == 7 && f.header == CANONICAL_RELAXED &&
                f.body == CANONICAL_RELAXED);
    assert_int_equal(read(SIGNATURE_ARC_MESSAGE, "i=7; a=rsa-sha1;" REST "; c=relaxed", &f),
                     SIGNATURE_ALGORITHM_BROKEN);
    assert_int_equal(f.instance, 7);
    assert_int_equal(read(SIGNATURE_ARC_MESSAGE, "i=7; a=rsa-sha256; c=relaxed;" REST, &f),
                     SIGNATURE_FINE);
    assert_int_equal(f.body, CANONICAL_SIMPLE);
}

/* HOSTILE 93 */
static void names_and_fields_have_limits(void **state)
{
    (void)state;
    struct signature_field f;
    struct buffer value;
    buffer_init(&value, 1 << 18);
    buffer_append_string(&value, "v=1; a=rsa-sha256; d=a.b; s=s; bh=" HASH "; b=QUJD; h=from");
    for (int i = 1; i < SIGNATURE_NAMES_MAX; i++)
        buffer_append_string(&value, ":x");
    struct header_field field = { .value = buffer_slice(&value),
                                  .whole = buffer_slice(&value) };
    assert_int_equal(signature_field_read(SIGNATURE_DKIM, &field, &f), SIGNATURE_FINE);
    buffer_append_string(&value, ":x");
    field.value = field.whole = buffer_slice(&value);
    assert_int_equal(signature_field_read(SIGNATURE_DKIM, &field, &f),
                     SIGNATURE_TOO_MANY_NAMES);
    while (buffer_len(&value) <= SIGNATURE_FIELD_MAX)
        buffer_append_string(&value, ":x");
    field.value = field.whole = buffer_slice(&value);
    assert_int_equal(signature_field_read(SIGNATURE_DKIM, &field, &f), SIGNATURE_NO_LIST);
    buffer_free(&value);
}

static void every_fault_of_a_record(void **state)
{
    (void)state;
    static const struct { const char *text; enum signature_record_fault fault; } rows[] = {
        { "p=QUJD", SIGNATURE_RECORD_FINE },
        { "v=DKIM1; h=sha1:sha256; k=rsa; n=x; s=email; t=y:s; p=QU JD; g=*",
          SIGNATURE_RECORD_FINE },
        { "", SIGNATURE_RECORD_NO_LIST }, { "v=spf1 -all", SIGNATURE_RECORD_VERSION },
        { "v=DKIM1: g=*; p=QUJD", SIGNATURE_RECORD_VERSION },
        { "v=DKIM1.0; p=QUJD", SIGNATURE_RECORD_VERSION },
        { "p=QUJD; v=DKIM1", SIGNATURE_RECORD_VERSION },
        { "v=DKIM1; k=ed25519-sha256; p=QUJD", SIGNATURE_RECORD_KIND },
        { "v=DKIM1; h=sha1; p=QUJD", SIGNATURE_RECORD_HASHES },
        { "v=DKIM1; s=tlsrpt; p=QUJD", SIGNATURE_RECORD_SERVICE },
        { "v=DKIM1", SIGNATURE_RECORD_NO_KEY }, { "v=DKIM1; p=Q-", SIGNATURE_RECORD_NO_KEY },
        { "v=DKIM1; p=", SIGNATURE_RECORD_REVOKED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct signature_record record;
        enum signature_record_fault fault =
            signature_record_read(slice_from_string(rows[i].text), &record);
        if (fault != rows[i].fault)
            fail_msg("fault %d: %s", fault, rows[i].text);
        assert_int_not_equal(signature_record_fault_text(fault)[0], '\0');
    }
    struct signature_record record;
    assert_int_equal(signature_record_read(SLICE("t=y:s:z; p=QUJD"), &record),
                     SIGNATURE_RECORD_FINE);
    assert_true(record.is_testing && record.is_strict && record.key_len == 3);
}

static struct signature_check check(const char *zone, enum key_kind kind, const char *pem,
                                    struct signature_steps *steps)
{
    static const uint8_t digest[DIGEST_BYTES] = { 1, 2, 3 };
    struct signature_field f = { .algorithm = kind };
    struct private_key *key = NULL;
    struct key_trouble trouble;
    struct buffer made;
    struct fake_zone_answer answer;
    assert_true(dns_name_parse(SLICE("s._domainkey.a.b"), &f.key_name));
    struct lookup_question question = { .name = dns_name_slice(&f.key_name) };
    assert_int_equal(private_key_read(slice_from_string(pem), &key, &trouble), ERR_OK);
    buffer_init(&made, KEY_SIGNATURE_MAX);
    assert_int_equal(private_key_sign(key, digest, &made), ERR_OK);
    memcpy(f.signature, buffer_slice(&made).data, buffer_len(&made));
    f.signature_len = buffer_len(&made);
    f.identity_is_below = true;
    fake_zone_find(slice_from_string(zone), &question, &answer);
    struct signature_check result = signature_check(&f, digest, &answer.answer, NULL, steps);
    fake_zone_drop(&answer);
    buffer_free(&made);
    private_key_drop(&key);
    return result;
}

#define NAME "s._domainkey.a.b "

static void each_way_a_key_can_be(void **state)
{
    (void)state;
    static const struct { const char *zone; enum key_kind kind;
                          enum signature_check_result result; } rows[] = {
        { NAME "p=" EXAMPLE_RSA_PUBLIC, KEY_RSA, SIGNATURE_CHECK_GOOD },
        { NAME "k=ed25519; p=" EXAMPLE_ED25519_PUBLIC, KEY_ED25519, SIGNATURE_CHECK_GOOD },
        { NAME "t=s; p=" EXAMPLE_RSA_PUBLIC, KEY_RSA, SIGNATURE_CHECK_STRICT },
        { NAME "p=" EXAMPLE_RSA_PUBLIC, KEY_ED25519, SIGNATURE_CHECK_UNUSABLE },
        { NAME "k=ed25519; p=" EXAMPLE_RSA_PUBLIC, KEY_ED25519, SIGNATURE_CHECK_UNUSABLE },
        { NAME "p=QUJD", KEY_RSA, SIGNATURE_CHECK_UNUSABLE },
        { NAME "p=", KEY_RSA, SIGNATURE_CHECK_REVOKED },
        { "", KEY_RSA, SIGNATURE_CHECK_NO_KEY },
        { NAME "!nodata", KEY_RSA, SIGNATURE_CHECK_NO_KEY },
        { NAME "!failed", KEY_RSA, SIGNATURE_CHECK_TEMPORARY },
        /* of several the best counts */
        { NAME "p=\n" NAME "v=spf1\n" NAME "p=" EXAMPLE_RSA_PUBLIC, KEY_RSA,
          SIGNATURE_CHECK_GOOD },
        { NAME "v=spf1\n" NAME "p=", KEY_RSA, SIGNATURE_CHECK_REVOKED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct signature_steps steps = { .count = 0 };
        struct signature_check result = check(
            rows[i].zone, rows[i].kind,
            rows[i].kind == KEY_RSA ? EXAMPLE_RSA_PEM : EXAMPLE_ED25519_PEM, &steps);
        if (result.result != rows[i].result)
            fail_msg("row %zu: %d, %s", i, result.result, steps.text[0]);
        assert_true(steps.count > 0);
    }
}

/* RFC 8301 3.2, HOSTILE 93 */
static void keys_have_a_size(void **state)
{
    (void)state;
    static const struct { size_t bits; enum signature_check_result result; } rows[] = {
        { 512, SIGNATURE_CHECK_WEAK }, { 1016, SIGNATURE_CHECK_WEAK },
        { 1024, SIGNATURE_CHECK_BAD }, { 4096, SIGNATURE_CHECK_BAD },
        { 4104, SIGNATURE_CHECK_LARGE }, { 16384, SIGNATURE_CHECK_LARGE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct signature_steps steps = { .count = 0 };
        struct buffer der;
        struct buffer zone;
        buffer_init(&der, 8192);
        buffer_init(&zone, 8192);
        example_rsa_public(&der, rows[i].bits, 3);
        buffer_append(&zone, SLICE(NAME "p="));
        base64_append(&zone, buffer_slice(&der));
        buffer_append_byte(&zone, '\0');
        struct signature_check result =
            check(buffer_slice(&zone).data, KEY_RSA, EXAMPLE_RSA_PEM, &steps);
        assert_int_equal(result.result, rows[i].result);
        assert_int_equal(result.key_bits, rows[i].bits);
        buffer_free(&der);
        buffer_free(&zone);
    }
}

static void steps_are_bounded_and_printable(void **state)
{
    (void)state;
    struct signature_steps steps = { .count = 0 };
    char text[500];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    text[0] = '\n';
    text[1] = '\x1b';
    text[2] = '\xe4';
    for (int i = 0; i < SIGNATURE_STEPS_MAX + 3; i++)
        signature_step(&steps, "%s", text);
    assert_int_equal(steps.count, SIGNATURE_STEPS_MAX);
    assert_int_equal(strlen(steps.text[0]), SIGNATURE_STEP_BYTES - 1);
    assert_memory_equal(steps.text[0], "???xxx", 6);
}

static void hashes_of_one_body(void **state)
{
    (void)state;
    struct signature_body body = { .count = 0 };
    size_t whole;
    size_t same;
    size_t part;
    size_t none;
    assert_int_equal(signature_body_want(&body, CANONICAL_RELAXED, UINT64_MAX, &whole), ERR_OK);
    assert_int_equal(signature_body_want(&body, CANONICAL_RELAXED, UINT64_MAX, &same), ERR_OK);
    assert_int_equal(signature_body_want(&body, CANONICAL_SIMPLE, 3, &part), ERR_OK);
    assert_int_equal(signature_body_want(&body, CANONICAL_SIMPLE, 0, &none), ERR_OK);
    assert_int_equal(whole, same);
    assert_int_equal(body.count, 3);
    signature_body_push(&body, SLICE("ab"));
    signature_body_push(&body, SLICE("c  d\r\n\r\n"));
    assert_int_equal(signature_body_finish(&body), ERR_OK);
    assert_int_equal(body.totals[CANONICAL_RELAXED], 7);
    assert_int_equal(body.totals[CANONICAL_SIMPLE], 8);
    struct buffer text;
    buffer_init(&text, 64);
    base64_append(&text, slice_make(body.hashes[part].hash, DIGEST_BYTES)); /* of "abc" */
    assert_true(slice_equal(buffer_slice(&text),
                            SLICE("ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=")));
    buffer_clear(&text);
    base64_append(&text, slice_make(body.hashes[none].hash, DIGEST_BYTES)); /* of nothing */
    assert_true(slice_equal(buffer_slice(&text),
                            SLICE("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")));
    buffer_free(&text);
    signature_body_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_of_a_field),
        cmocka_unit_test(what_a_field_says),
        cmocka_unit_test(names_of_domains_and_selectors),
        cmocka_unit_test(fields_of_arc),
        cmocka_unit_test(names_and_fields_have_limits),
        cmocka_unit_test(every_fault_of_a_record),
        cmocka_unit_test(each_way_a_key_can_be),
        cmocka_unit_test(keys_have_a_size),
        cmocka_unit_test(steps_are_bounded_and_printable),
        cmocka_unit_test(hashes_of_one_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
