/* password_test.c: hashes of crypt(5), and the keys of SCRAM's own examples. */
#include "crypto/password.h"

#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_hash_is_of_its_password_only(void **state)
{
    (void)state;
    struct buffer a, b;
    buffer_init(&a, 500);
    buffer_init(&b, 500);
    assert_int_equal(password_hash(SLICE("secret"), &a), ERR_OK);
    assert_int_equal(password_hash(SLICE("secret"), &b), ERR_OK);
    assert_false(slice_equal(buffer_slice(&a), buffer_slice(&b)));
    assert_true(slice_starts_with_nocase(buffer_slice(&a), SLICE("$y$")));
    assert_true(password_is(SLICE("secret"), buffer_slice(&a)));
    assert_true(password_is(SLICE("secret"), buffer_slice(&b)));
    assert_false(password_is(SLICE("Secret"), buffer_slice(&a)));
    assert_false(password_is(SLICE(""), buffer_slice(&a)));
    assert_false(password_is(SLICE("secret\0"), buffer_slice(&a)));
    buffer_free(&a);
    buffer_free(&b);
}

static void hashes_of_others_are_read(void **state)
{
    (void)state;
    /* "Hello world!" as `openssl passwd -5` has it. */
    struct slice sha256 = SLICE("$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5");
    assert_true(password_is(SLICE("Hello world!"), sha256));
    assert_false(password_is(SLICE("Hello world"), sha256));
    static const char *const unusable[] = { "", "*", "!", "x", "plain", "$", "$zz$abc", "**" };
    for (size_t i = 0; i < sizeof unusable / sizeof *unusable; i++) {
        struct slice hash = slice_from_string(unusable[i]);
        assert_false(password_hash_is_known(hash));
        assert_false(password_is(hash, hash));
    }
    char longest[PASSWORD_MAX + 1];
    struct buffer b;
    memset(longest, 'p', sizeof longest);
    buffer_init(&b, 500);
    assert_int_equal(password_hash(slice_make(longest, sizeof longest), &b), ERR_INVALID);
    assert_int_equal(password_hash(SLICE("a\0b"), &b), ERR_INVALID);
    buffer_free(&b);
}

/* The exchanges of RFC 5802 5 and RFC 7677 3: the signature of the server follows from
 * the server's key, and the proof of the client from the stored one; the keys themselves
 * were computed by another implementation. */
static void keys_of_scram(void **state)
{
    (void)state;
    static const struct {
        enum scram_hash hash;
        const char *salt, *stored, *server;
    } rows[] = {
        { SCRAM_SHA_1, "QSXCR+Q6sek8bf92", "6dlGYMOdZcOPutkcNY8U2g7vK9Y=",
          "D+CSWLOshSulAsxiupA+qs2/fTE=" },
        { SCRAM_SHA_256, "W22ZaJ0SNY7soEsUEjb6gQ==",
          "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=",
          "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer salt, text;
        struct scram_keys keys;
        buffer_init(&salt, 100);
        buffer_init(&text, 100);
        assert_true(base64_decode(slice_from_string(rows[i].salt), &salt));
        assert_int_equal(scram_keys_make(rows[i].hash, SLICE("pencil"), buffer_slice(&salt),
                                         4096, &keys), ERR_OK);
        base64_append(&text, slice_make(keys.stored, keys.len));
        assert_true(slice_equal(buffer_slice(&text), slice_from_string(rows[i].stored)));
        buffer_clear(&text);
        base64_append(&text, slice_make(keys.server, keys.len));
        assert_true(slice_equal(buffer_slice(&text), slice_from_string(rows[i].server)));
        buffer_free(&salt);
        buffer_free(&text);
    }
}

static void nobody_has_the_same_salt_each_time(void **state)
{
    (void)state;
    uint8_t a[SCRAM_SALT_BYTES], b[SCRAM_SALT_BYTES], c[SCRAM_SALT_BYTES];
    scram_salt_of_nobody(SLICE("key"), SLICE("ann"), a);
    scram_salt_of_nobody(SLICE("key"), SLICE("ann"), b);
    assert_memory_equal(a, b, sizeof a);
    scram_salt_of_nobody(SLICE("key"), SLICE("bob"), c);
    assert_memory_not_equal(a, c, sizeof a);
    scram_salt_of_nobody(SLICE("kez"), SLICE("ann"), c);
    assert_memory_not_equal(a, c, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hash_is_of_its_password_only),
        cmocka_unit_test(hashes_of_others_are_read),
        cmocka_unit_test(keys_of_scram),
        cmocka_unit_test(nobody_has_the_same_salt_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
