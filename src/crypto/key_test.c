/* key_test.c: keys of all sorts, what they sign, and what they do not. */
#include "crypto/example_keys.h"
#include "crypto/key_private.h"

#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

enum { TEXT_MAX = 8192 };

static struct private_key *private_key(const char *pem)
{
    struct private_key *key = NULL;
    struct key_trouble trouble;
    assert_int_equal(private_key_read(slice_from_string(pem), &key, &trouble), ERR_OK);
    return key;
}

static struct public_key *public_key(enum key_kind kind, const char *text)
{
    struct public_key *key = NULL;
    struct buffer octets;
    buffer_init(&octets, TEXT_MAX);
    assert_true(base64_read(slice_from_string(text), &octets));
    assert_int_equal(public_key_read(kind, buffer_slice(&octets), &key), ERR_OK);
    buffer_free(&octets);
    return key;
}

static void digest_of(struct slice text, uint8_t out[DIGEST_BYTES])
{
    struct digest *digest;
    assert_int_equal(digest_new(&digest), ERR_OK);
    digest_update(digest, text);
    assert_int_equal(digest_finish(digest, out), ERR_OK);
    digest_free(&digest);
    digest_free(&digest);
}

static void a_digest_is_sha256(void **state)
{
    (void)state;
    /* FIPS 180-2 B.1 */
    static const uint8_t abc[DIGEST_BYTES] = {
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae,
        0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61,
        0xf2, 0x00, 0x15, 0xad };
    struct digest *digest;
    struct digest *copy;
    uint8_t made[DIGEST_BYTES];
    assert_int_equal(digest_new(&digest), ERR_OK);
    digest_update(digest, SLICE("a"));
    assert_int_equal(digest_copy(digest, &copy), ERR_OK);
    digest_update(digest, SLICE("XYZ"));
    digest_update(copy, SLICE("bc"));
    assert_int_equal(digest_finish(copy, made), ERR_OK);
    assert_memory_equal(made, abc, DIGEST_BYTES);
    digest_free(&digest);
    digest_free(&copy);
}

static void what_is_signed_verifies_and_nothing_else(void **state)
{
    (void)state;
    static const struct { const char *pem; const char *public; enum key_kind kind;
                          unsigned bits; size_t len; } rows[] = {
        { EXAMPLE_RSA_PEM, EXAMPLE_RSA_PUBLIC, KEY_RSA, 1024, 128 },
        { EXAMPLE_ED25519_PEM, EXAMPLE_ED25519_PUBLIC, KEY_ED25519, 256, 64 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct private_key *ours = private_key(rows[i].pem);
        struct public_key *theirs = public_key(rows[i].kind, rows[i].public);
        struct buffer signature;
        struct buffer public;
        uint8_t digest[DIGEST_BYTES];
        buffer_init(&signature, KEY_SIGNATURE_MAX);
        buffer_init(&public, TEXT_MAX);
        digest_of(SLICE("text"), digest);
        assert_int_equal(private_key_kind(ours), rows[i].kind);
        assert_int_equal(private_key_sign(ours, digest, &signature), ERR_OK);
        assert_int_equal(buffer_len(&signature), rows[i].len);
        assert_true(public_key_verify(theirs, digest, buffer_slice(&signature)));
        assert_false(public_key_verify(theirs, digest,
                                       slice_part(buffer_slice(&signature), 0,
                                                  rows[i].len - 1)));
        assert_false(public_key_verify(theirs, digest, SLICE("")));
        digest[0] ^= 1;
        assert_false(public_key_verify(theirs, digest, buffer_slice(&signature)));
        assert_int_equal(private_key_public(ours, &public), ERR_OK);
        struct buffer text;
        buffer_init(&text, TEXT_MAX);
        base64_append(&text, buffer_slice(&public));
        assert_true(slice_equal(buffer_slice(&text), slice_from_string(rows[i].public)));
        assert_int_equal(private_key_bits(ours), rows[i].bits);
        assert_int_equal(public_key_bits(theirs), rows[i].bits);
        struct private_key *again = private_key_hold(ours);
        private_key_drop(&ours);
        private_key_drop(&again);
        private_key_drop(&again);
        public_key_free(&theirs);
        public_key_free(&theirs);
        buffer_free(&signature);
        buffer_free(&public);
        buffer_free(&text);
    }
}

static void what_is_no_private_key_is_refused(void **state)
{
    (void)state;
    static const char encrypted[] =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhoXvOYMVgrRwICCAAw\n"
        "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEKi/AAAAAAAAAAAAAAAAAAAEQA==\n"
        "-----END ENCRYPTED PRIVATE KEY-----\n";
    static const char *const texts[] = {
        "", "nothing", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        encrypted,
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct private_key *key = NULL;
        struct key_trouble trouble = { "" };
        assert_int_equal(private_key_read(slice_from_string(texts[i]), &key, &trouble),
                         ERR_INVALID);
        assert_null(key);
        assert_int_not_equal(trouble.text[0], '\0');
    }
}

/* A key of that kind and size, as PEM and as it stands in a record. */
static void make(int id, int bits, struct buffer *pem, struct buffer *der)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(id, NULL);
    assert_int_equal(EVP_PKEY_keygen_init(context), 1);
    if (id == EVP_PKEY_RSA)
        assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits), 1);
    else
        assert_int_equal(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context,
                                                                NID_X9_62_prime256v1), 1);
    assert_int_equal(EVP_PKEY_keygen(context, &pkey), 1);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    assert_int_equal(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
    long len = BIO_get_mem_data(bio, &text);
    buffer_append(pem, slice_make(text, (size_t)len));
    unsigned char *octets = NULL;
    int octets_len = i2d_PUBKEY(pkey, &octets);
    buffer_append(der, slice_make(octets, (size_t)octets_len));
    OPENSSL_free(octets);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    EVP_PKEY_CTX_free(context);
}

static void keys_of_other_sizes_and_kinds_do_not_sign(void **state)
{
    (void)state;
    static const struct { int id; int bits; bool is_public; } rows[] = {
        { EVP_PKEY_RSA, 512, true }, { EVP_PKEY_RSA, 1016, true },
        { EVP_PKEY_EC, 256, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer pem;
        struct buffer der;
        struct private_key *key = NULL;
        struct public_key *public = NULL;
        struct key_trouble trouble = { "" };
        buffer_init(&pem, TEXT_MAX);
        buffer_init(&der, TEXT_MAX);
        make(rows[i].id, rows[i].bits, &pem, &der);
        assert_int_equal(private_key_read(buffer_slice(&pem), &key, &trouble), ERR_INVALID);
        assert_int_equal(public_key_read(KEY_RSA, buffer_slice(&der), &public) == ERR_OK,
                         rows[i].is_public);
        if (rows[i].is_public)
            assert_int_equal(public_key_bits(public), rows[i].bits);
        assert_int_equal(public_key_read(KEY_ED25519, buffer_slice(&der), &public),
                         ERR_INVALID);
        public_key_free(&public);
        buffer_free(&pem);
        buffer_free(&der);
    }
}

/* HOSTILE 93: a key may be of any size, and is then not used. */
static void keys_of_any_size_are_read_and_not_used(void **state)
{
    (void)state;
    static const struct { size_t bits, exponent; bool good; } rows[] = {
        { 1024, 3, true }, { 1016, 3, true }, { 4096, 8, true }, { 4104, 3, true },
        { 16384, 3, true }, { 2048, 9, false }, { 40000, 3, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t digest[DIGEST_BYTES] = { 0 };
        char zeros[16384 / 8] = { 0 };
        struct buffer der;
        struct public_key *key = NULL;
        buffer_init(&der, TEXT_MAX);
        example_rsa_public(&der, rows[i].bits, rows[i].exponent);
        assert_int_equal(public_key_read(KEY_RSA, buffer_slice(&der), &key) == ERR_OK,
                         rows[i].good);
        if (rows[i].good) {
            assert_int_equal(public_key_bits(key), rows[i].bits);
            assert_false(public_key_verify(key, digest, slice_make(zeros, rows[i].bits / 8)));
        }
        public_key_free(&key);
        buffer_free(&der);
    }
}

/* HOSTILE 93: every shorter text, and every octet changed. */
static void damaged_public_keys_do_no_harm(void **state)
{
    (void)state;
    struct buffer der;
    uint8_t digest[DIGEST_BYTES] = { 1 };
    buffer_init(&der, TEXT_MAX);
    assert_true(base64_read(SLICE(EXAMPLE_RSA_PUBLIC), &der));
    struct slice whole = buffer_slice(&der);
    for (size_t i = 0; i < whole.len; i++) {
        struct public_key *key = NULL;
        assert_int_equal(public_key_read(KEY_RSA, slice_part(whole, 0, i), &key), ERR_INVALID);
        der.memory[der.start + i] ^= 0x55;
        if (public_key_read(KEY_RSA, whole, &key) == ERR_OK)
            assert_false(public_key_verify(key, digest, slice_part(whole, 0, 128)));
        public_key_free(&key);
        der.memory[der.start + i] ^= 0x55;
    }
    struct public_key *key = NULL;
    buffer_append_byte(&der, 'x');
    assert_int_equal(public_key_read(KEY_RSA, buffer_slice(&der), &key), ERR_INVALID);
    buffer_free(&der);
}

static void a_key_that_is_made_can_be_read_and_signs(void **state)
{
    (void)state;
    static const struct { enum key_kind kind; unsigned bits; enum err result; } rows[] = {
        { KEY_RSA, 1024, ERR_OK },      { KEY_RSA, 2048, ERR_OK },
        { KEY_ED25519, 0, ERR_OK },     { KEY_RSA, 1023, ERR_INVALID },
        { KEY_RSA, 4097, ERR_INVALID }, { KEY_RSA, 0, ERR_INVALID },
    };
    static const uint8_t digest[DIGEST_BYTES] = { 1 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer pem, public, signature;
        struct key_trouble trouble;
        struct private_key *ours = NULL;
        struct public_key *theirs = NULL;
        buffer_init(&pem, TEXT_MAX);
        buffer_init(&public, TEXT_MAX);
        buffer_init(&signature, TEXT_MAX);
        assert_int_equal(private_key_make(rows[i].kind, rows[i].bits, &pem), rows[i].result);
        assert_int_equal(buffer_len(&pem) > 0, rows[i].result == ERR_OK);
        if (rows[i].result == ERR_OK) {
            assert_int_equal(private_key_read(buffer_slice(&pem), &ours, &trouble), ERR_OK);
            assert_int_equal(private_key_kind(ours), rows[i].kind);
            if (rows[i].bits > 0)
                assert_int_equal(private_key_bits(ours), rows[i].bits);
            assert_int_equal(private_key_public(ours, &public), ERR_OK);
            assert_int_equal(public_key_read(rows[i].kind, buffer_slice(&public), &theirs),
                             ERR_OK);
            assert_int_equal(private_key_sign(ours, digest, &signature), ERR_OK);
            assert_true(public_key_verify(theirs, digest, buffer_slice(&signature)));
        }
        public_key_free(&theirs);
        private_key_drop(&ours);
        buffer_free(&pem);
        buffer_free(&public);
        buffer_free(&signature);
    }
}

/* Both forms, as OpenSSL writes them; and no octet less or more. */
static void an_rsa_key_is_read_by_hand_as_by_the_library(void **state)
{
    (void)state;
    static const int bits[] = { 512, 1024, 2048, 4096 };
    for (size_t i = 0; i < 2 * sizeof bits / sizeof *bits; i++) {
        EVP_PKEY *made = EVP_RSA_gen((unsigned)bits[i / 2]);
        unsigned char *octets = NULL;
        int len = i % 2 == 0 ? i2d_PUBKEY(made, &octets) : i2d_PublicKey(made, &octets);
        struct slice der = slice_make(octets, (size_t)len);
        EVP_PKEY *read = key_rsa_read(der);
        assert_non_null(read);
        assert_int_equal(EVP_PKEY_eq(made, read), 1);
        EVP_PKEY_free(read);
        for (size_t cut = 0; cut < der.len; cut++)
            assert_null(key_rsa_read(slice_part(der, 0, cut)));
        struct buffer longer;
        buffer_init(&longer, TEXT_MAX);
        buffer_append(&longer, der);
        buffer_append_byte(&longer, '\0');
        assert_null(key_rsa_read(buffer_slice(&longer)));
        buffer_free(&longer);
        OPENSSL_free(octets);
        EVP_PKEY_free(made);
    }
}

static void numbers_that_der_does_not_write_are_not_read_by_hand(void **state)
{
    (void)state;
    static const struct { const char *octets; size_t len; bool good; } rows[] = {
        { "\x30\x07\x02\x02\x00\xbb\x02\x01\x03", 9, true },
        { "\x30\x06\x02\x01\xbb\x02\x01\x03", 8, false },             /* negative */
        { "\x30\x07\x02\x02\x00\x3b\x02\x01\x03", 9, false },         /* a zero too many */
        { "\x30\x05\x02\x00\x02\x01\x03", 7, false },                 /* no octet */
        { "\x30\x81\x07\x02\x02\x00\xbb\x02\x01\x03", 10, false },    /* a long length */
        { "\x30\x82\x00\x07\x02\x02\x00\xbb\x02\x01\x03", 11, false },
        { "\x30\x80\x02\x02\x00\xbb\x02\x01\x03\x00\x00", 11, false }, /* no length */
        { "\x30\x0a\x02\x02\x00\xbb\x02\x01\x03\x02\x01\x00", 12, false },
        { "\x31\x07\x02\x02\x00\xbb\x02\x01\x03", 9, false },         /* another tag */
        { "\x30\x07\x03\x02\x00\xbb\x02\x01\x03", 9, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        EVP_PKEY *key = key_rsa_read(slice_make(rows[i].octets, rows[i].len));
        assert_int_equal(key != NULL, rows[i].good);
        EVP_PKEY_free(key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_rsa_key_is_read_by_hand_as_by_the_library),
        cmocka_unit_test(numbers_that_der_does_not_write_are_not_read_by_hand),
        cmocka_unit_test(a_key_that_is_made_can_be_read_and_signs),
        cmocka_unit_test(a_digest_is_sha256),
        cmocka_unit_test(what_is_signed_verifies_and_nothing_else),
        cmocka_unit_test(what_is_no_private_key_is_refused),
        cmocka_unit_test(keys_of_other_sizes_and_kinds_do_not_sign),
        cmocka_unit_test(keys_of_any_size_are_read_and_not_used),
        cmocka_unit_test(damaged_public_keys_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
