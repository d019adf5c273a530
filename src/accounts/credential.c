/* credential.c: read, made, compared. */
#include "accounts/credential.h"

#include "base/base64.h"
#include "base/cursor.h"

#include <gsasl.h>
#include <stdlib.h>

enum { TEXT_MAX = 4096 };

static const struct slice scram_names[SCRAM_HASHES] = {
    [SCRAM_SHA_1] = SLICE_INIT("SCRAM-SHA-1"),
    [SCRAM_SHA_256] = SLICE_INIT("SCRAM-SHA-256"),
};
static const size_t key_bytes[SCRAM_HASHES] = { [SCRAM_SHA_1] = 20, [SCRAM_SHA_256] = 32 };

/* The bytes up to `end`, which is taken as well. */
static struct slice take_until(struct slice *rest, char end)
{
    struct slice part;
    size_t at = slice_find(*rest, end);
    if (at == SLICE_NOT_FOUND) {
        part = *rest;
        *rest = slice_make(NULL, 0);
    } else {
        part = slice_part(*rest, 0, at);
        *rest = slice_from(*rest, at + 1);
    }
    return part;
}

/* `bytes` 0: any number of them but none. */
static bool is_coded(struct slice text, size_t bytes)
{
    struct buffer b;
    buffer_init(&b, 256);
    bool good = base64_decode(text, &b) && !b.overflow &&
                (bytes == 0 ? buffer_len(&b) > 0 : buffer_len(&b) == bytes);
    buffer_free(&b);
    return good;
}

static bool parse_scram(struct slice token, enum scram_hash hash, struct credential *out)
{
    struct credential_scram scram = { .is_there = true };
    uint64_t iterations;
    struct slice rest = slice_from(token, scram_names[hash].len + 1);
    if (!slice_to_number(take_until(&rest, ':'), CREDENTIAL_ITERATIONS_MAX, &iterations) ||
        iterations == 0)
        return false;
    scram.iterations = (uint32_t)iterations;
    scram.salt = take_until(&rest, '$');
    scram.stored_key = take_until(&rest, ':');
    scram.server_key = rest;
    if (!is_coded(scram.salt, 0) || !is_coded(scram.stored_key, key_bytes[hash]) ||
        !is_coded(scram.server_key, key_bytes[hash]))
        return false;
    out->scram[hash] = scram;
    return true;
}

static bool parse_token(struct slice token, struct credential *out)
{
    for (size_t i = 0; i < SCRAM_HASHES; i++)
        if (slice_starts_with_nocase(token, scram_names[i]) &&
            token.len > scram_names[i].len && token.data[scram_names[i].len] == '$')
            return parse_scram(token, (enum scram_hash)i, out);
    if (!password_hash_is_known(token))
        return false;
    out->hash = token;
    return true;
}

bool credential_parse(struct slice text, struct credential *out)
{
    struct slice token;
    bool good = true;
    *out = (struct credential){ .hash = slice_make(NULL, 0) };
    while (slice_split(&text, ' ', &token))
        good &= slice_is_empty(token) || parse_token(token, out);
    return good;
}

void credential_prepare(struct slice password, struct buffer *out)
{
    char *text = slice_to_string(password);
    char *prepared = NULL;
    bool has_nul = slice_find(password, '\0') != SLICE_NOT_FOUND;
    if (text != NULL && !has_nul &&
        gsasl_saslprep(text, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) == GSASL_OK &&
        prepared[0] != '\0')
        buffer_append_string(out, prepared);
    else
        buffer_append(out, password);
    if (prepared != NULL)
        explicit_bzero(prepared, strlen(prepared));
    if (text != NULL)
        explicit_bzero(text, password.len);
    gsasl_free(prepared);
    free(text);
}

static enum err append_scram(enum scram_hash hash, struct slice prepared,
                             struct buffer *out)
{
    uint8_t salt[SCRAM_SALT_BYTES];
    struct scram_keys keys;
    enum err error = crypto_random(salt, sizeof salt);
    if (error == ERR_OK)
        error = scram_keys_make(hash, prepared, slice_make(salt, sizeof salt),
                                CREDENTIAL_ITERATIONS, &keys);
    if (error != ERR_OK)
        return error;
    buffer_append_byte(out, ' ');
    buffer_append(out, scram_names[hash]);
    buffer_append_format(out, "$%d:", CREDENTIAL_ITERATIONS);
    base64_append(out, slice_make(salt, sizeof salt));
    buffer_append_byte(out, '$');
    base64_append(out, slice_make(keys.stored, keys.len));
    buffer_append_byte(out, ':');
    base64_append(out, slice_make(keys.server, keys.len));
    return ERR_OK;
}

static void wipe(struct buffer *b)
{
    if (b->memory != NULL)
        explicit_bzero(b->memory, b->capacity);
    buffer_free(b);
}

enum err credential_make(struct slice password, struct buffer *out)
{
    struct buffer prepared;
    if (password.len == 0)
        return ERR_INVALID;
    buffer_init(&prepared, TEXT_MAX);
    buffer_reserve(&prepared, TEXT_MAX); /* no copy stays behind when it grows */
    credential_prepare(password, &prepared);
    struct slice text = buffer_slice(&prepared);
    enum err error = prepared.overflow ? ERR_INVALID : password_hash(text, out);
    if (error == ERR_OK)
        error = append_scram(SCRAM_SHA_256, text, out);
    if (error == ERR_OK)
        error = append_scram(SCRAM_SHA_1, text, out);
    wipe(&prepared);
    return error == ERR_OK && out->overflow ? ERR_MEMORY : error;
}

bool credential_has_password(const struct credential *credential, struct slice password,
                             struct slice dummy)
{
    struct buffer prepared;
    bool has = !slice_is_empty(credential->hash);
    buffer_init(&prepared, TEXT_MAX);
    buffer_reserve(&prepared, TEXT_MAX);
    credential_prepare(password, &prepared);
    bool same = password_is(buffer_slice(&prepared), has ? credential->hash : dummy) &&
                !prepared.overflow;
    wipe(&prepared);
    return same && has;
}
