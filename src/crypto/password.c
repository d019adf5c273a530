/* password.c: crypt(5) and the keys of SCRAM. RFC 5802 3; RFC 8018 5.2 (PBKDF2). */
#include "crypto/password.h"

#include "base/must.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <sys/random.h>

enum { HASH_MAX = CRYPT_OUTPUT_SIZE };

enum err crypto_random(void *out, size_t len)
{
    return getrandom(out, len, 0) == (ssize_t)len ? ERR_OK : ERR_IO;
}

bool crypto_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}

/* As crypt() wants it: with its final NUL. False when it has no such form. */
static bool to_phrase(struct slice password, char out[PASSWORD_MAX + 1])
{
    if (password.len > PASSWORD_MAX || slice_find(password, '\0') != SLICE_NOT_FOUND)
        return false;
    if (password.len > 0)
        memcpy(out, password.data, password.len);
    out[password.len] = '\0';
    return true;
}

static enum err run_crypt(const char *phrase, const char *setting, struct buffer *out)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    if (data == NULL)
        return ERR_MEMORY;
    const char *hash = crypt_rn(phrase, setting, data, sizeof *data);
    if (hash != NULL)
        buffer_append_string(out, hash);
    explicit_bzero(data, sizeof *data);
    free(data);
    return hash == NULL || out->overflow ? ERR_MEMORY : ERR_OK;
}

enum err password_hash(struct slice password, struct buffer *out)
{
    char phrase[PASSWORD_MAX + 1];
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    char random[32];
    if (!to_phrase(password, phrase))
        return ERR_INVALID;
    enum err error = crypto_random(random, sizeof random);
    if (error == ERR_OK &&
        crypt_gensalt_rn("$y$", 0, random, sizeof random, setting, sizeof setting) == NULL)
        error = ERR_IO;
    if (error == ERR_OK)
        error = run_crypt(phrase, setting, out);
    explicit_bzero(phrase, sizeof phrase);
    return error;
}

static bool to_setting(struct slice hash, char out[HASH_MAX])
{
    if (hash.len >= HASH_MAX || slice_find(hash, '\0') != SLICE_NOT_FOUND)
        return false;
    memset(out, 0, HASH_MAX);
    if (hash.len > 0)
        memcpy(out, hash.data, hash.len);
    return true;
}

bool password_hash_is_known(struct slice hash)
{
    char setting[HASH_MAX];
    if (!to_setting(hash, setting) || hash.len == 0 || hash.data[0] != '$')
        return false;
    int result = crypt_checksalt(setting);
    return result == CRYPT_SALT_OK || result == CRYPT_SALT_METHOD_LEGACY;
}

bool password_is(struct slice password, struct slice hash)
{
    char phrase[PASSWORD_MAX + 1];
    char setting[HASH_MAX];
    struct buffer have;
    if (!to_phrase(password, phrase) || !to_setting(hash, setting) ||
        !password_hash_is_known(hash))
        return false;
    buffer_init(&have, HASH_MAX);
    bool same = run_crypt(phrase, setting, &have) == ERR_OK &&
                crypto_equal(buffer_slice(&have), hash);
    buffer_free(&have);
    explicit_bzero(phrase, sizeof phrase);
    return same;
}

static bool hmac(const EVP_MD *md, const uint8_t *key, size_t key_len, struct slice text,
                 uint8_t *out)
{
    unsigned len = 0;
    return HMAC(md, key, (int)key_len, (const uint8_t *)text.data, text.len, out, &len) !=
           NULL;
}

enum err scram_keys_make(enum scram_hash hash, struct slice password, struct slice salt,
                         uint32_t iterations, struct scram_keys *out)
{
    const EVP_MD *md = hash == SCRAM_SHA_1 ? EVP_sha1() : EVP_sha256();
    size_t len = (size_t)EVP_MD_get_size(md);
    uint8_t salted[SCRAM_KEY_MAX];
    uint8_t client[SCRAM_KEY_MAX];
    struct scram_keys keys = { .len = len };
    must(len <= SCRAM_KEY_MAX && iterations > 0 && iterations <= INT32_MAX);
    bool good = PKCS5_PBKDF2_HMAC(password.data, (int)password.len,
                                  (const uint8_t *)salt.data, (int)salt.len,
                                  (int)iterations, md, (int)len, salted) == 1 &&
                hmac(md, salted, len, SLICE("Client Key"), client) &&
                EVP_Digest(client, len, keys.stored, NULL, md, NULL) == 1 &&
                hmac(md, salted, len, SLICE("Server Key"), keys.server);
    explicit_bzero(salted, sizeof salted);
    explicit_bzero(client, sizeof client);
    if (!good)
        return ERR_MEMORY;
    *out = keys;
    return ERR_OK;
}

void scram_salt_of_nobody(struct slice secret, struct slice name,
                          uint8_t out[SCRAM_SALT_BYTES])
{
    uint8_t full[EVP_MAX_MD_SIZE] = { 0 };
    must(hmac(EVP_sha256(), (const uint8_t *)secret.data, secret.len, name, full));
    memcpy(out, full, SCRAM_SALT_BYTES);
}
