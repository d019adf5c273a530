/* srs.c: see srs.h. What is hashed is taken in lower case, for servers on the way may
 * change that of a local part. */
#include "mail/srs.h"

#include "base/ascii.h"
#include "crypto/hmac.h"
#include "wire/smtp/address.h"

#include <stdio.h>

enum {
    DAY_MS = 24 * 3600 * 1000,
    DAYS = 1024,                 /* two digits of base 32 */
    HASH_DIGITS = 8,
    TEXT_MAX = SMTP_PATH_MAX * 2,
};

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

int64_t srs_day(int64_t wall_ms)
{
    return wall_ms / DAY_MS;
}

/* ---- the hash ---- */

static enum err make_hash(struct slice secret, struct slice text, char out[HASH_DIGITS + 1])
{
    uint8_t hash[HMAC_BYTES];
    struct buffer lower;
    buffer_init(&lower, TEXT_MAX);
    for (size_t i = 0; i < text.len; i++)
        buffer_append_byte(&lower, ascii_lower(text.data[i]));
    enum err error = lower.overflow ? ERR_MEMORY
                                    : hmac_make(secret, buffer_slice(&lower), hash);
    buffer_free(&lower);
    if (error == ERR_OK)
        snprintf(out, HASH_DIGITS + 1, "%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3]);
    return error;
}

/* Each digit is compared, whatever the first ones were. */
static bool is_same_hash(struct slice said, const char *made)
{
    unsigned differs = said.len != HASH_DIGITS;
    for (size_t i = 0; i < HASH_DIGITS && i < said.len; i++)
        differs |= (unsigned char)ascii_lower(said.data[i]) ^ (unsigned char)made[i];
    return differs == 0;
}

static enum err check_hash(const struct srs *srs, struct slice said, struct slice text)
{
    for (size_t i = 0; i < srs->secrets_count; i++) {
        char made[HASH_DIGITS + 1];
        enum err error = make_hash(srs->secrets[i], text, made);
        if (error != ERR_OK)
            return error;
        if (is_same_hash(said, made))
            return ERR_OK;
    }
    return ERR_INVALID;
}

/* ---- local parts ---- */

/* Appends what means `text` as a local part: quoted where it must be. */
static void append_local(struct buffer *out, struct slice text)
{
    struct buffer quoted;
    buffer_init(&quoted, TEXT_MAX);
    buffer_append_byte(&quoted, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            buffer_append_byte(&quoted, '\\');
        buffer_append_byte(&quoted, text.data[i]);
    }
    buffer_append_byte(&quoted, '"');
    out->overflow |= quoted.overflow;
    if (!quoted.overflow)
        smtp_local_canonical(buffer_slice(&quoted), out);
    buffer_free(&quoted);
}

static bool is_address(struct slice text)
{
    struct smtp_address parsed;
    return smtp_address_parse(text, SMTP_UTF8_ALLOWED, &parsed) == SMTP_PATH_OK;
}

/* Appends local@domain to `out`, when that is an address. */
static enum err put_address(struct buffer *out, struct slice local, struct slice domain)
{
    struct buffer made;
    enum err error = ERR_MEMORY;
    buffer_init(&made, TEXT_MAX);
    append_local(&made, local);
    buffer_append_byte(&made, '@');
    buffer_append(&made, domain);
    if (!made.overflow)
        error = is_address(buffer_slice(&made)) ? ERR_OK : ERR_INVALID;
    if (error == ERR_OK) {
        buffer_append(out, buffer_slice(&made));
        error = out->overflow ? ERR_MEMORY : ERR_OK;
    }
    buffer_free(&made);
    return error;
}

/* "SRS0=", "SRS1-" and so on; `kind` is the digit. Out: what follows the separator. */
static bool is_srs(struct slice local, char kind, struct slice *out_rest)
{
    if (local.len < 5 || !slice_starts_with_nocase(local, SLICE("SRS")) ||
        local.data[3] != kind ||
        (local.data[4] != '=' && local.data[4] != '+' && local.data[4] != '-'))
        return false;
    *out_rest = slice_from(local, 5);
    return true;
}

static bool take_until_equals(struct slice *rest, struct slice *out)
{
    size_t at = slice_find(*rest, '=');
    if (at == SLICE_NOT_FOUND)
        return false;
    *out = slice_part(*rest, 0, at);
    *rest = slice_from(*rest, at + 1);
    return true;
}

/* ---- forward ---- */

/* local = "SRS" kind "=" hash "=" text */
static enum err put_signed(const struct srs *srs, char kind, struct slice text,
                           struct buffer *out)
{
    char hash[HASH_DIGITS + 1];
    struct buffer local;
    enum err error = make_hash(srs->secrets[0], text, hash);
    if (error != ERR_OK)
        return error;
    buffer_init(&local, TEXT_MAX);
    buffer_append_format(&local, "SRS%c=%s=", kind, hash);
    buffer_append(&local, text);
    error = local.overflow ? ERR_MEMORY : put_address(out, buffer_slice(&local), srs->domain);
    buffer_free(&local);
    return error;
}

/* rest = first "=" what follows "SRS0" in the address that `first` has made. Appends that
 * address. */
static enum err put_first(struct buffer *out, struct slice rest)
{
    struct slice first;
    struct buffer local;
    if (!take_until_equals(&rest, &first))
        return ERR_INVALID;
    buffer_init(&local, TEXT_MAX);
    buffer_append(&local, SLICE("SRS0"));
    buffer_append(&local, rest);
    enum err error = local.overflow ? ERR_MEMORY : put_address(out, buffer_slice(&local), first);
    buffer_free(&local);
    return error;
}

static bool leads_back(struct slice rest)
{
    struct buffer address;
    buffer_init(&address, TEXT_MAX);
    bool leads = put_first(&address, rest) == ERR_OK;
    buffer_free(&address);
    return leads;
}

/* What an SRS1 address hides, of a sender that is one of SRS already: the domain that has made
 * its SRS0, then "=", then that address's local part behind "SRS0". False: it is none. */
static bool guarded(struct slice local, struct slice domain, struct buffer *text)
{
    struct slice rest;
    if (is_srs(local, '0', &rest)) {
        buffer_append(text, domain);
        buffer_append_byte(text, '=');
        buffer_append(text, slice_from(local, 4));
        return true;
    }
    struct slice hash;
    if (!is_srs(local, '1', &rest) || !take_until_equals(&rest, &hash) || !leads_back(rest))
        return false;
    buffer_append(text, rest);
    return true;
}

enum err srs_forward(const struct srs *srs, struct slice sender, int64_t day,
                     struct buffer *out)
{
    struct smtp_address a;
    struct buffer local, text;
    if (slice_is_empty(sender) || srs->secrets_count == 0 ||
        smtp_address_parse(sender, SMTP_UTF8_ALLOWED, &a) != SMTP_PATH_OK ||
        slice_is_empty(a.domain) || slice_find(a.domain, '=') != SLICE_NOT_FOUND)
        return ERR_INVALID;
    buffer_init(&local, TEXT_MAX);
    buffer_init(&text, TEXT_MAX);
    smtp_local_unquoted(a.local, &local);
    bool is_guarded = guarded(buffer_slice(&local), a.domain, &text);
    if (!is_guarded) {
        buffer_append_byte(&text, digits[day % DAYS / 32]);
        buffer_append_byte(&text, digits[day % 32]);
        buffer_append_byte(&text, '=');
        buffer_append(&text, a.domain);
        buffer_append_byte(&text, '=');
        buffer_append(&text, buffer_slice(&local));
    }
    enum err error = local.overflow || text.overflow
                         ? ERR_MEMORY
                         : put_signed(srs, is_guarded ? '1' : '0', buffer_slice(&text), out);
    buffer_free(&text);
    buffer_free(&local);
    return error;
}

/* ---- and back ---- */

static int digit_of(char c)
{
    for (int i = 0; i < 32; i++)
        if (ascii_lower(digits[i]) == ascii_lower(c))
            return i;
    return -1;
}

static bool is_in_time(const struct srs *srs, struct slice said, int64_t day)
{
    if (said.len != 2 || digit_of(said.data[0]) < 0 || digit_of(said.data[1]) < 0)
        return false;
    int64_t age = day % DAYS - (digit_of(said.data[0]) * 32 + digit_of(said.data[1]));
    /* A day ahead is another server's clock around midnight. */
    return (age + 1 + DAYS) % DAYS <= (int64_t)srs->days_max + 1;
}

/* rest = hash "=" day "=" domain "=" local */
static enum err reverse_first(const struct srs *srs, struct slice rest, int64_t day,
                              struct buffer *out)
{
    struct slice hash, when, domain;
    if (!take_until_equals(&rest, &hash))
        return ERR_INVALID;
    enum err error = check_hash(srs, hash, rest);
    if (error != ERR_OK)
        return error;
    if (!take_until_equals(&rest, &when) || !take_until_equals(&rest, &domain) ||
        !is_in_time(srs, when, day))
        return ERR_INVALID;
    return put_address(out, rest, domain);
}

/* rest = hash "=" rest of put_first(); how old that is, is for `first` to say. */
static enum err reverse_guarded(const struct srs *srs, struct slice rest, struct buffer *out)
{
    struct slice hash;
    if (!take_until_equals(&rest, &hash))
        return ERR_INVALID;
    enum err error = check_hash(srs, hash, rest);
    return error == ERR_OK ? put_first(out, rest) : error;
}

enum err srs_reverse(const struct srs *srs, struct slice written, int64_t day,
                     struct buffer *out)
{
    struct slice rest;
    struct buffer local;
    enum err error = ERR_ABSENT;
    buffer_init(&local, TEXT_MAX);
    smtp_local_unquoted(written, &local);
    if (local.overflow)
        error = ERR_MEMORY;
    else if (is_srs(buffer_slice(&local), '0', &rest))
        error = reverse_first(srs, rest, day, out);
    else if (is_srs(buffer_slice(&local), '1', &rest))
        error = reverse_guarded(srs, rest, out);
    buffer_free(&local);
    return error;
}
