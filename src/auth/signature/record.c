/* record.c: RFC 6376 3.6.1. */
#include "auth/signature/record.h"

#include "base/base64.h"
#include "wire/message/tag_list.h"

const char *signature_record_fault_text(enum signature_record_fault fault)
{
    switch (fault) {
    case SIGNATURE_RECORD_FINE: return "is right";
    case SIGNATURE_RECORD_NO_LIST: return "is no list of tags, each once";
    case SIGNATURE_RECORD_VERSION: return "is not of version DKIM1";
    case SIGNATURE_RECORD_KIND: return "holds a key of an unknown kind";
    case SIGNATURE_RECORD_HASHES: return "does not allow SHA-256";
    case SIGNATURE_RECORD_SERVICE: return "is not for mail";
    case SIGNATURE_RECORD_NO_KEY: return "holds no key that can be read";
    case SIGNATURE_RECORD_REVOKED: return "says that the key is revoked";
    }
    return "";
}

static struct slice value_or(const struct tag_list *list, struct slice name,
                             struct slice other)
{
    const struct tag *tag = tag_list_find(list, name);
    return tag == NULL ? other : tag->value;
}

/* key-v-tag = %x76 [FWS] "=" [FWS] %x44.4B.49.4D.31, at the front */
static bool version_is_right(const struct tag_list *list)
{
    const struct tag *tag = tag_list_find(list, SLICE("v"));
    return tag == NULL || (tag == &list->tags[0] && slice_equal(tag->value, SLICE("DKIM1")));
}

static enum signature_record_fault read_key(const struct tag_list *list,
                                            struct signature_record *out)
{
    const struct tag *tag = tag_list_find(list, SLICE("p"));
    struct buffer key;
    if (tag == NULL)
        return SIGNATURE_RECORD_NO_KEY;
    if (tag->value.len == 0)
        return SIGNATURE_RECORD_REVOKED;
    buffer_init(&key, KEY_PUBLIC_MAX);
    bool good = base64_read(tag->value, &key);
    out->key_len = buffer_len(&key);
    if (good && out->key_len > 0)
        memcpy(out->key, buffer_slice(&key).data, out->key_len);
    buffer_free(&key);
    return good ? SIGNATURE_RECORD_FINE : SIGNATURE_RECORD_NO_KEY;
}

enum signature_record_fault signature_record_read(struct slice text,
                                                  struct signature_record *out)
{
    struct tag_list list;
    struct signature_record record = { .kind = KEY_RSA };
    if (!tag_list_parse(text, &list))
        return SIGNATURE_RECORD_NO_LIST;
    if (!version_is_right(&list))
        return SIGNATURE_RECORD_VERSION;
    struct slice kind = value_or(&list, SLICE("k"), SLICE("rsa"));
    if (slice_equal_nocase(kind, SLICE("ed25519")))
        record.kind = KEY_ED25519;
    else if (!slice_equal_nocase(kind, SLICE("rsa")))
        return SIGNATURE_RECORD_KIND;
    if (!tag_word_is_in(value_or(&list, SLICE("h"), SLICE("sha256")), SLICE("sha256")))
        return SIGNATURE_RECORD_HASHES;
    struct slice services = value_or(&list, SLICE("s"), SLICE("*"));
    if (!tag_word_is_in(services, SLICE("*")) && !tag_word_is_in(services, SLICE("email")))
        return SIGNATURE_RECORD_SERVICE;
    struct slice flags = value_or(&list, SLICE("t"), slice_make(NULL, 0));
    record.is_testing = tag_word_is_in(flags, SLICE("y"));
    record.is_strict = tag_word_is_in(flags, SLICE("s"));
    enum signature_record_fault fault = read_key(&list, &record);
    if (fault == SIGNATURE_RECORD_FINE)
        *out = record;
    return fault;
}
