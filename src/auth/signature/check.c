/* check.c: RFC 6376 3.7 (the hash), 6.1.2 (the key), 6.1.3 (the signature); RFC 8301 3.2 (sizes). */
#include "auth/signature/check.h"

#include "auth/signature/record.h"
#include "wire/dns/message.h"

enum { RECORD_BYTES_MAX = 8 * 1024 };

enum err signature_digest(const struct signature_field *field, size_t place,
                          struct signature_header *header, uint8_t out[DIGEST_BYTES])
{
    struct signature_choice choice = {
        .names = field->names, .form = field->header, .without = place,
    };
    struct digest *digest;
    enum err error = digest_new(&digest);
    if (error != ERR_OK)
        return error;
    error = signature_header_hash(header, &choice, digest);
    if (error == ERR_OK)
        error = signature_header_hash_last(header, field->header, &field->field,
                                           field->signature_raw, digest);
    if (error == ERR_OK)
        error = digest_finish(digest, out);
    digest_free(&digest);
    return error;
}

static enum signature_check_result size_of_key(const struct public_key *key,
                                               const struct signature_field *field)
{
    unsigned bits = public_key_bits(key);
    if (field->algorithm == KEY_RSA && bits < KEY_RSA_BITS_MIN)
        return SIGNATURE_CHECK_WEAK;
    if (field->algorithm == KEY_RSA && bits > KEY_RSA_BITS_MAX)
        return SIGNATURE_CHECK_LARGE;
    return SIGNATURE_CHECK_GOOD;
}

static enum signature_check_result check_with(const struct signature_field *field,
                                              const struct signature_record *record,
                                              const struct public_key *key,
                                              const uint8_t *digest,
                                              struct signature_steps *steps)
{
    enum signature_check_result result = size_of_key(key, field);
    if (result != SIGNATURE_CHECK_GOOD) {
        signature_step(steps, "the RSA key has %u bits; keys of %d to %d are taken",
                       public_key_bits(key), KEY_RSA_BITS_MIN, KEY_RSA_BITS_MAX);
    } else if (!public_key_verify(key, digest,
                                  slice_make(field->signature, field->signature_len))) {
        result = SIGNATURE_CHECK_BAD;
        signature_step(steps, "header: the signature is not that key's over these fields: a "
                       "signed field was changed, or another key has signed");
    } else {
        signature_step(steps, "header: the signature is that key's, the signed fields are "
                       "unchanged");
        if (record->is_strict && field->identity_is_below) {
            result = SIGNATURE_CHECK_STRICT;
            signature_step(steps, "the key (t=s) is not for subdomains, but i= is in one");
        }
    }
    return result;
}

static struct signature_check check_record(const struct signature_field *field,
                                           const uint8_t *digest, struct slice text,
                                           struct public_keys *keys,
                                           struct signature_steps *steps)
{
    static const char *const kinds[] = { [KEY_RSA] = "rsa", [KEY_ED25519] = "ed25519" };
    struct signature_check check = { .result = SIGNATURE_CHECK_UNUSABLE };
    struct signature_record record;
    struct public_key *key = NULL;
    enum signature_record_fault fault = signature_record_read(text, &record);
    if (fault != SIGNATURE_RECORD_FINE) {
        signature_step(steps, "the key record %s", signature_record_fault_text(fault));
        if (fault == SIGNATURE_RECORD_REVOKED)
            check.result = SIGNATURE_CHECK_REVOKED;
        return check;
    }
    check.is_testing = record.is_testing;
    if (record.kind != field->algorithm) {
        signature_step(steps, "the key record is for %s, the signature is %s",
                       kinds[record.kind], kinds[field->algorithm]);
        return check;
    }
    if (public_keys_read(keys, record.kind, slice_make(record.key, record.key_len),
                         &key) != ERR_OK) {
        signature_step(steps, "the key in the record is no %s key", kinds[record.kind]);
        return check;
    }
    check.key_bits = public_key_bits(key);
    signature_step(steps, "the key is %s of %u bits%s", kinds[record.kind], check.key_bits,
                   record.is_testing ? ", marked as a test (t=y)" : "");
    check.result = check_with(field, &record, key, digest, steps);
    public_key_free(&key);
    return check;
}

static struct signature_check check_records(const struct signature_field *field,
                                            const uint8_t *digest,
                                            const struct lookup_answer *answer,
                                            struct public_keys *keys,
                                            struct signature_steps *steps)
{
    struct signature_check best = { .result = SIGNATURE_CHECK_NO_KEY };
    struct buffer text;
    buffer_init(&text, RECORD_BYTES_MAX);
    for (size_t i = 0; i < answer->records_count && i < SIGNATURE_RECORDS_MAX; i++) {
        buffer_clear(&text);
        struct signature_check one = { .result = SIGNATURE_CHECK_UNUSABLE };
        if (dns_txt_append(answer->records[i], &text) && !text.overflow)
            one = check_record(field, digest, buffer_slice(&text), keys, steps);
        else
            signature_step(steps, "the key record is damaged or too long");
        if (one.result < best.result)
            best = one;
    }
    buffer_free(&text);
    return best;
}

struct signature_check signature_check(const struct signature_field *field,
                                       const uint8_t digest[DIGEST_BYTES],
                                       const struct lookup_answer *answer,
                                       struct public_keys *keys,
                                       struct signature_steps *steps)
{
    struct signature_check check = { .result = SIGNATURE_CHECK_NO_KEY };
    const char *name = field->key_name.text;
    switch (answer->kind) {
    case LOOKUP_FOUND:
        signature_step(steps, "%s has %zu TXT record%s", name, answer->records_count,
                       answer->records_count == 1 ? "" : "s");
        check = check_records(field, digest, answer, keys, steps);
        break;
    case LOOKUP_NODATA:
        signature_step(steps, "%s has no TXT record", name);
        break;
    case LOOKUP_NXDOMAIN:
        signature_step(steps, "%s does not exist", name);
        break;
    case LOOKUP_FAILED:
        signature_step(steps, "%s: the DNS gave no answer", name);
        check.result = SIGNATURE_CHECK_TEMPORARY;
        break;
    }
    check.is_secure = answer->secure;
    return check;
}
