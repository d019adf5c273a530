/* public_keys_test.c: what is kept is the same key, what is too much goes, and what was
 * handed out outlives both. */
#include "crypto/public_keys.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

enum { OCTETS_MAX = 4096, THREADS = 4, READS = 2000, SORTS = 6 };

/* One of many: 32 octets are an Ed25519 key, whatever they say. */
static struct slice octets_of(uint8_t sort, uint8_t space[32])
{
    memset(space, sort, 32);
    return slice_make(space, 32);
}

static struct public_key *read_one(struct public_keys *keys, uint8_t sort)
{
    uint8_t space[32];
    struct public_key *key = NULL;
    must(public_keys_read(keys, KEY_ED25519, octets_of(sort, space), &key) == ERR_OK);
    return key;
}

static void a_key_is_read_once(void **state)
{
    (void)state;
    struct public_keys *keys = NULL;
    assert_int_equal(public_keys_new(4, &keys), ERR_OK);
    struct public_key *first = read_one(keys, 1), *second = read_one(keys, 1);
    assert_ptr_equal(first, second);
    assert_int_equal(public_keys_count(keys), 1);
    struct public_key *other = read_one(keys, 2);
    assert_ptr_not_equal(first, other);
    public_keys_free(&keys);
    assert_int_equal(public_key_bits(first), public_key_bits(other)); /* they live on */
    public_key_free(&first);
    public_key_free(&second);
    public_key_free(&other);
}

static void the_least_recently_used_goes(void **state)
{
    (void)state;
    struct public_keys *keys = NULL;
    assert_int_equal(public_keys_new(2, &keys), ERR_OK);
    struct public_key *one = read_one(keys, 1), *two = read_one(keys, 2);
    struct public_key *again = read_one(keys, 1);
    struct public_key *three = read_one(keys, 3); /* for two */
    assert_int_equal(public_keys_count(keys), 2);
    struct public_key *kept = read_one(keys, 1), *anew = read_one(keys, 2);
    assert_ptr_equal(kept, one);
    assert_ptr_not_equal(anew, two);
    struct public_key *all[] = { one, two, again, three, kept, anew };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        public_key_free(&all[i]);
    public_keys_free(&keys);
}

static void kinds_and_lengths_are_no_mix(void **state)
{
    (void)state;
    struct public_keys *keys = NULL;
    struct public_key *key = NULL, *none = NULL;
    uint8_t space[32];
    struct private_key *secret = NULL;
    struct key_trouble trouble;
    struct buffer pem, rsa;
    buffer_init(&rsa, OCTETS_MAX);
    buffer_init(&pem, OCTETS_MAX);
    assert_int_equal(private_key_make(KEY_RSA, KEY_RSA_BITS_MIN, &pem), ERR_OK);
    assert_int_equal(private_key_read(buffer_slice(&pem), &secret, &trouble), ERR_OK);
    assert_int_equal(private_key_public(secret, &rsa), ERR_OK);
    assert_int_equal(public_keys_new(4, &keys), ERR_OK);
    assert_int_equal(public_keys_read(keys, KEY_RSA, buffer_slice(&rsa), &key), ERR_OK);
    assert_int_equal(public_keys_read(keys, KEY_ED25519, buffer_slice(&rsa), &none),
                     ERR_INVALID);
    assert_int_equal(public_keys_read(keys, KEY_RSA, octets_of(1, space), &none),
                     ERR_INVALID);
    assert_int_equal(public_keys_read(keys, KEY_RSA, slice_make(NULL, 0), &none),
                     ERR_INVALID);
    assert_null(none);
    assert_int_equal(public_keys_count(keys), 1); /* what is no key is not kept */
    public_key_free(&key);
    public_keys_free(&keys);
    assert_int_equal(public_keys_read(NULL, KEY_RSA, buffer_slice(&rsa), &key), ERR_OK);
    public_key_free(&key);
    private_key_drop(&secret);
    buffer_free(&pem);
    buffer_free(&rsa);
}

static void *read_many(void *keys)
{
    for (unsigned i = 0; i < READS; i++) {
        struct public_key *key = read_one(keys, (uint8_t)(i % SORTS));
        must(public_key_bits(key) > 0);
        public_key_free(&key);
    }
    return NULL;
}

static void threads_share_them(void **state)
{
    (void)state;
    struct public_keys *keys = NULL;
    pthread_t threads[THREADS];
    assert_int_equal(public_keys_new(SORTS / 2, &keys), ERR_OK);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_many, keys), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(public_keys_count(keys), SORTS / 2);
    public_keys_free(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_read_once),
        cmocka_unit_test(the_least_recently_used_goes),
        cmocka_unit_test(kinds_and_lengths_are_no_mix),
        cmocka_unit_test(threads_share_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
