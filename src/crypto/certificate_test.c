/* certificate_test.c: pairs that are good, and everything that may be wrong with one. */
#include "crypto/certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/pem.h>

enum { PEM_MAX = 16 * 1024 };

static const int64_t now_ms = INT64_C(1795600000000); /* November 2026 */
static const int64_t day_ms = INT64_C(86400000);

struct pair {
    struct buffer chain;
    struct buffer key;
};

static struct pair make(const char *name)
{
    struct pair p;
    buffer_init(&p.chain, PEM_MAX);
    buffer_init(&p.key, PEM_MAX);
    assert_int_equal(certificate_make(slice_from_string(name), now_ms, 30, &p.chain,
                                      &p.key), ERR_OK);
    return p;
}

static void drop(struct pair *p)
{
    buffer_free(&p->chain);
    buffer_free(&p->key);
}

static void what_was_made_can_be_read(void **state)
{
    (void)state;
    struct certificate_trouble trouble;
    struct certificate *c;
    struct pair p = make("mx.example.com");
    assert_int_equal(certificate_read(buffer_slice(&p.chain), buffer_slice(&p.key), &c,
                                      &trouble), ERR_OK);
    assert_int_equal(certificate_begins_wall_ms(c), now_ms - day_ms);
    assert_int_equal(certificate_expires_wall_ms(c), now_ms + 30 * day_ms);
    struct buffer texts[4];
    for (size_t i = 0; i < 4; i++)
        buffer_init(&texts[i], 1000);
    certificate_describe(c, &(struct certificate_facts){ &texts[0], &texts[1], &texts[2],
                                                         &texts[3] });
    assert_true(slice_equal(buffer_slice(&texts[0]), SLICE("mx.example.com")));
    assert_true(slice_equal(buffer_slice(&texts[1]), SLICE("CN=mx.example.com")));
    assert_true(slice_equal(buffer_slice(&texts[2]), SLICE("EC 256")));
    assert_int_equal(buffer_len(&texts[3]), 64);
    for (size_t i = 0; i < 4; i++)
        buffer_free(&texts[i]);
    struct certificate *second = certificate_hold(c);
    certificate_drop(&c);
    assert_null(c);
    assert_true(certificate_is_for(second, SLICE("mx.example.com")));
    certificate_drop(&second);
    drop(&p);
}

static void names_that_it_is_for(void **state)
{
    (void)state;
    static const struct {
        const char *made_for;
        const char *asked;
        bool good;
    } rows[] = {
        { "mx.example.com", "mx.example.com", true },
        { "mx.example.com", "MX.Example.COM", true },
        { "mx.example.com", "example.com", false },
        { "mx.example.com", "a.mx.example.com", false },
        { "mx.example.com", "mx.example.com.evil.test", false },
        { "mx.example.com", "", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct certificate_trouble trouble;
        struct certificate *c;
        struct pair p = make(rows[i].made_for);
        assert_int_equal(certificate_read(buffer_slice(&p.chain), buffer_slice(&p.key),
                                          &c, &trouble), ERR_OK);
        if (certificate_is_for(c, slice_from_string(rows[i].asked)) != rows[i].good)
            fail_msg("%s for %s", rows[i].made_for, rows[i].asked);
        certificate_drop(&c);
        drop(&p);
    }
    struct pair p;
    buffer_init(&p.chain, PEM_MAX);
    buffer_init(&p.key, PEM_MAX);
    assert_int_equal(certificate_make(SLICE("a,DNS:b"), now_ms, 1, &p.chain, &p.key),
                     ERR_INVALID);
    assert_int_equal(certificate_make(SLICE(""), now_ms, 1, &p.chain, &p.key),
                     ERR_INVALID);
    drop(&p);
}

/* The key of a pair, locked up. */
static void lock(struct slice key_pem, struct buffer *out)
{
    BIO *from = BIO_new_mem_buf(key_pem.data, (int)key_pem.len);
    BIO *to = BIO_new(BIO_s_mem());
    EVP_PKEY *key = PEM_read_bio_PrivateKey(from, NULL, NULL, NULL);
    assert_non_null(key);
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(to, key, EVP_aes_128_cbc(), "secret", 6,
                                                   NULL, NULL), 1);
    char *text;
    long len = BIO_get_mem_data(to, &text);
    buffer_append(out, slice_make(text, (size_t)len));
    EVP_PKEY_free(key);
    BIO_free(from);
    BIO_free(to);
}

static void refuse(struct slice chain, struct slice key, const char *why)
{
    struct certificate_trouble trouble = { "" };
    struct certificate *c = NULL;
    assert_int_equal(certificate_read(chain, key, &c, &trouble), ERR_INVALID);
    assert_null(c);
    assert_string_equal(trouble.text, why);
}

static void each_thing_that_is_wrong_is_named(void **state)
{
    (void)state;
    struct pair one = make("one.test");
    struct pair two = make("two.test");
    struct slice chain = buffer_slice(&one.chain);
    struct slice key = buffer_slice(&one.key);
    refuse(SLICE(""), key, "there is no certificate in PEM form in it");
    refuse(SLICE("hello"), key, "there is no certificate in PEM form in it");
    refuse(chain, SLICE(""), "there is no private key in PEM form in it");
    refuse(chain, chain, "there is no private key in PEM form in it");
    refuse(chain, buffer_slice(&two.key), "the key does not belong to the certificate");
    struct buffer both;
    buffer_init(&both, 2 * PEM_MAX);
    lock(key, &both);
    refuse(chain, buffer_slice(&both),
           "the key has a pass phrase, which cannot be asked for");
    buffer_clear(&both);
    buffer_append(&both, chain);
    buffer_append(&both, slice_part(buffer_slice(&two.chain), 0, 200));
    refuse(buffer_slice(&both), key, "one of the certificates of the chain is damaged");
    buffer_free(&both);
    buffer_init(&both, 64 * PEM_MAX);
    for (int i = 0; i < 17; i++)
        buffer_append(&both, chain);
    refuse(buffer_slice(&both), key, "the chain holds more than 16 certificates");
    buffer_free(&both);
    drop(&one);
    drop(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_made_can_be_read),
        cmocka_unit_test(names_that_it_is_for),
        cmocka_unit_test(each_thing_that_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
