/* account.c: the proof is an HMAC of the name. */
#include "sandbox/account.h"

#include "crypto/hmac.h"
#include "sandbox/box_private.h"

enum { NAME_CHARACTERS = 10, PROOF_CHARACTERS = 16 };

static bool prove(struct slice secret, struct slice name, struct buffer *out)
{
    uint8_t mac[32];
    if (hmac_make(secret, name, mac) != ERR_OK)
        return false;
    for (size_t i = 0; i < PROOF_CHARACTERS / 2; i++)
        buffer_append_format(out, "%02x", mac[i]);
    return !out->overflow;
}

bool account_make(struct slice secret, struct slice domain, struct buffer *out_name,
                  struct buffer *out_password)
{
    if (!box_random(NAME_CHARACTERS, out_name))
        return false;
    char bytes[NAME_CHARACTERS];
    memcpy(bytes, buffer_slice(out_name).data, sizeof bytes);
    buffer_append_byte(out_name, '.');
    if (!prove(secret, slice_make(bytes, sizeof bytes), out_name))
        return false;
    buffer_append_byte(out_name, '@');
    buffer_append(out_name, domain);
    return box_random(20, out_password) && !out_name->overflow;
}

bool account_is_made(struct slice secret, struct slice name)
{
    char bytes[2 * PROOF_CHARACTERS];
    struct buffer proof = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    size_t dot = slice_find(name, '.');
    return dot == NAME_CHARACTERS && prove(secret, slice_part(name, 0, dot), &proof) &&
           slice_equal(buffer_slice(&proof), slice_part(name, dot + 1, PROOF_CHARACTERS));
}
