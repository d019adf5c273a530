/* write.c: RFC 6376 3.5; the folds are those of RFC 5322 2.2.3. */
#include "auth/signature/write.h"

#include "base/base64.h"
#include "wire/message/tag_list.h"

enum { COLUMNS_MAX = 77, VALUE_MAX = 1024, FIELD_MAX = 16 * 1024, NAME_TEXT_MAX = 100 };

struct writer {
    struct buffer *out;
    size_t column;
};

static void put(struct writer *w, struct slice text)
{
    buffer_append(w->out, text);
    w->column += text.len;
}

static void fold(struct writer *w)
{
    buffer_append(w->out, SLICE("\r\n "));
    w->column = 1;
}

/* A word that is not broken, on a new line where it does not fit. */
static void put_word(struct writer *w, struct slice word)
{
    if (w->column + word.len > COLUMNS_MAX && w->column > 1)
        fold(w);
    put(w, word);
}

/* " name=" and a value, which fit on one line together if on any. */
static void put_tag(struct writer *w, const char *name, struct slice value)
{
    char tag[8];
    size_t len = 0;
    for (; name[len] != '\0' && len < sizeof tag - 1; len++)
        tag[len] = name[len];
    tag[len++] = '=';
    if (w->column + 1 + len + value.len + 1 > COLUMNS_MAX)
        fold(w);
    else
        put(w, SLICE(" "));
    put(w, slice_make(tag, len));
    put(w, value);
    put(w, SLICE(";"));
}

static void put_number(struct writer *w, const char *name, uint64_t value)
{
    struct buffer text;
    buffer_init(&text, 32);
    buffer_append_number(&text, value);
    put_tag(w, name, buffer_slice(&text));
    buffer_free(&text);
}

/* The names of h=, broken before a colon. */
static void put_names(struct writer *w, struct slice names)
{
    struct slice name;
    bool first = true;
    fold(w);
    put(w, SLICE("h="));
    while (tag_word_next(&names, &name)) {
        char word[NAME_TEXT_MAX];
        size_t len = 0;
        if (!first)
            word[len++] = ':';
        if (name.len > sizeof word - len) {
            put_word(w, slice_make(word, len));
            put(w, name);
        } else {
            memcpy(word + len, name.data, name.len);
            put_word(w, slice_make(word, len + name.len));
        }
        first = false;
    }
    put(w, SLICE(";"));
}

static void put_octets(struct writer *w, struct slice octets)
{
    struct buffer text;
    buffer_init(&text, VALUE_MAX);
    base64_append(&text, octets);
    struct slice rest = buffer_slice(&text);
    while (rest.len > 0) {
        if (w->column >= COLUMNS_MAX)
            fold(w);
        struct slice some = slice_part(rest, 0, COLUMNS_MAX - w->column);
        put(w, some);
        rest = slice_from(rest, some.len);
    }
    buffer_free(&text);
}

static void put_form(struct writer *w, const struct signature_plan *plan)
{
    static const char *const words[] = {
        [CANONICAL_SIMPLE] = "simple", [CANONICAL_RELAXED] = "relaxed",
    };
    struct buffer text;
    buffer_init(&text, 32);
    buffer_append_format(&text, "%s/%s", words[plan->header], words[plan->body]);
    put_tag(w, "c", buffer_slice(&text));
    buffer_free(&text);
}

static void put_chain(struct writer *w, enum signature_chain chain)
{
    switch (chain) {
    case SIGNATURE_CHAIN_NONE: put_tag(w, "cv", SLICE("none")); break;
    case SIGNATURE_CHAIN_FAIL: put_tag(w, "cv", SLICE("fail")); break;
    case SIGNATURE_CHAIN_PASS: put_tag(w, "cv", SLICE("pass")); break;
    }
}

/* The field up to "b=". */
static void put_unsigned(struct writer *w, const struct signature_plan *plan,
                         const uint8_t *body_hash)
{
    static const struct slice names[] = {
        [SIGNATURE_DKIM] = SLICE_INIT("DKIM-Signature:"),
        [SIGNATURE_ARC_MESSAGE] = SLICE_INIT("ARC-Message-Signature:"),
        [SIGNATURE_ARC_SEAL] = SLICE_INIT("ARC-Seal:"),
    };
    put(w, names[plan->kind]);
    if (plan->kind == SIGNATURE_DKIM)
        put_tag(w, "v", SLICE("1"));
    else
        put_number(w, "i", plan->instance);
    put_tag(w, "a", slice_from_string(signature_algorithm_text(private_key_kind(plan->key))));
    if (plan->kind == SIGNATURE_ARC_SEAL)
        put_chain(w, plan->chain);
    else
        put_form(w, plan);
    put_tag(w, "d", dns_name_slice(&plan->domain));
    put_tag(w, "s", dns_name_slice(&plan->selector));
    if (plan->identity.len > 0)
        put_tag(w, "i", plan->identity);
    if (plan->signed_at_s >= 0)
        put_number(w, "t", (uint64_t)plan->signed_at_s);
    if (plan->expires_at_s >= 0)
        put_number(w, "x", (uint64_t)plan->expires_at_s);
    if (plan->kind != SIGNATURE_ARC_SEAL) {
        put_names(w, plan->names);
        fold(w);
        put(w, SLICE("bh="));
        put_octets(w, slice_make(body_hash, DIGEST_BYTES));
        put(w, SLICE(";"));
    }
    fold(w);
    put(w, SLICE("b="));
}

static enum err sign(const struct signature_plan *plan, struct signature_header *header,
                     struct digest *digest, struct writer *w)
{
    struct cursor c = cursor_over(buffer_slice(w->out));
    struct header_field field;
    uint8_t hash[DIGEST_BYTES];
    struct buffer signature;
    enum canonical_kind form =
        plan->kind == SIGNATURE_ARC_SEAL ? CANONICAL_RELAXED : plan->header;
    if (w->out->overflow || header_next(&c, &field) != HEADER_FIELD)
        return ERR_MEMORY;
    enum err error = signature_header_hash_last(header, form, &field, slice_make(NULL, 0),
                                                digest);
    if (error == ERR_OK)
        error = digest_finish(digest, hash);
    buffer_init(&signature, KEY_SIGNATURE_MAX);
    if (error == ERR_OK)
        error = private_key_sign(plan->key, hash, &signature);
    if (error == ERR_OK)
        put_octets(w, buffer_slice(&signature));
    put(w, SLICE("\r\n"));
    buffer_free(&signature);
    return error;
}

enum err signature_write(const struct signature_plan *plan, const uint8_t *body_hash,
                         struct signature_header *header, struct digest *digest,
                         struct buffer *out)
{
    struct buffer field;
    buffer_init(&field, FIELD_MAX);
    struct writer w = { .out = &field };
    put_unsigned(&w, plan, body_hash);
    enum err error = sign(plan, header, digest, &w);
    buffer_append(out, buffer_slice(&field));
    if (error == ERR_OK && (field.overflow || out->overflow))
        error = ERR_MEMORY;
    buffer_free(&field);
    return error;
}
