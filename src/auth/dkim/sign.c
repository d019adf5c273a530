/* sign.c: RFC 6376 5.3 to 5.6. The hash over the header is begun when the header is known
 * and ended, with the signature's own field, when the body's hash is. */
#include "auth/dkim/sign.h"

#include "auth/signature/body.h"
#include "auth/signature/names.h"
#include "auth/signature/write.h"
#include "base/must.h"
#include "base/utf8.h"
#include "wire/message/tag_list.h"

#include <stdlib.h>

enum { ARENA_MAX = 1024 * 1024, NAMES_BYTES_MAX = 8 * 1024, IDENTITY_MAX = 512 };

struct signing {
    struct signature_plan plan;
    struct private_key *key;
    struct buffer names;
    struct buffer identity;
    struct digest *digest;
    size_t body_hash;
};

struct dkim_signer {
    struct signing signings[DKIM_KEYS_MAX];
    size_t count;
    struct signature_header header; /* only to hash with, once the header is gone */
    struct signature_body body;
    bool is_finished;
};

const char *dkim_signing_fault_text(enum dkim_signing_fault fault)
{
    switch (fault) {
    case DKIM_SIGNING_FINE: return "nothing is wrong";
    case DKIM_SIGNING_DOMAIN: return "that is no domain to sign for";
    case DKIM_SIGNING_SELECTOR: return "that is no selector";
    case DKIM_SIGNING_IDENTITY: return "that is no user of the signing domain";
    case DKIM_SIGNING_NAMES:
        return "the names of header fields must have From among them, colons between";
    case DKIM_SIGNING_TIMES: return "the signature would expire before it is made";
    case DKIM_SIGNING_NO_FROM: return "the message has no From field";
    case DKIM_SIGNING_HEADER: return "the header of the message begins with a blank";
    }
    return "";
}

static bool names_are_valid(struct slice names)
{
    struct slice rest = names;
    struct slice name;
    size_t count = 0;
    while (tag_word_next(&rest, &name)) {
        if (name.len == 0 || ++count > SIGNATURE_NAMES_MAX)
            return false;
        for (size_t i = 0; i < name.len; i++)
            if (name.data[i] <= ' ' || name.data[i] >= 0x7f || name.data[i] == ';')
                return false;
    }
    return tag_word_is_in(names, SLICE("from"));
}

/* "[local]@domain": printable ASCII that a tag's value can hold as it is. */
static bool identity_is_valid(struct slice identity, const struct dns_name *domain)
{
    bool is_below;
    if (identity.len == 0)
        return true;
    for (size_t i = 0; i < identity.len; i++)
        if (identity.data[i] <= ' ' || identity.data[i] >= 0x7f ||
            identity.data[i] == ';' || identity.data[i] == '=')
            return false;
    return identity.len <= IDENTITY_MAX &&
           signature_identity_is_of(identity, domain, &is_below);
}

static bool times_are_valid(const struct dkim_signing *from)
{
    return from->expires_at_s < 0 || from->expires_at_s > from->signed_at_s;
}

static enum dkim_signing_fault read(struct signing *s, const struct dkim_signing *from)
{
    struct dns_name key_name;
    s->plan = (struct signature_plan){
        .kind = SIGNATURE_DKIM, .header = from->header, .body = from->body,
        .signed_at_s = from->signed_at_s, .expires_at_s = from->expires_at_s,
    };
    if (!signature_name_read(from->domain, &s->plan.domain) ||
        slice_find(dns_name_slice(&s->plan.domain), '.') == SLICE_NOT_FOUND)
        return DKIM_SIGNING_DOMAIN;
    if (!signature_name_read(from->selector, &s->plan.selector) ||
        !signature_key_name(&s->plan.selector, &s->plan.domain, &key_name))
        return DKIM_SIGNING_SELECTOR;
    if (!identity_is_valid(from->identity, &s->plan.domain))
        return DKIM_SIGNING_IDENTITY;
    if (!times_are_valid(from))
        return DKIM_SIGNING_TIMES;
    buffer_append(&s->identity, from->identity);
    s->plan.identity = buffer_slice(&s->identity);
    return DKIM_SIGNING_FINE;
}

static enum dkim_signing_fault choose(struct signing *s, struct slice names,
                                      const struct signature_header *header)
{
    size_t from = 0;
    for (size_t i = 0; i < header->count; i++)
        from += slice_equal_nocase(header->fields[i].name, SLICE("From"));
    if (from == 0)
        return DKIM_SIGNING_NO_FROM;
    if (names.len == 0)
        signature_names_choose(header, &s->names);
    struct slice word;
    for (bool first = true; names.len > 0 && tag_word_next(&names, &word); first = false) {
        buffer_append(&s->names, first ? SLICE("") : SLICE(":"));
        buffer_append(&s->names, word);
    }
    s->plan.names = buffer_slice(&s->names);
    return !s->names.overflow && names_are_valid(s->plan.names) ? DKIM_SIGNING_FINE
                                                                : DKIM_SIGNING_NAMES;
}

static enum err begin(struct dkim_signer *signer, const struct dkim_signing *from,
                      struct signature_header *header, enum dkim_signing_fault *out_fault)
{
    struct signing *s = &signer->signings[signer->count++];
    buffer_init(&s->names, NAMES_BYTES_MAX);
    buffer_init(&s->identity, IDENTITY_MAX);
    s->key = private_key_hold(from->key);
    enum dkim_signing_fault fault = read(s, from);
    s->plan.key = s->key;
    if (fault == DKIM_SIGNING_FINE)
        fault = choose(s, from->names, header);
    if (fault != DKIM_SIGNING_FINE) {
        *out_fault = fault;
        return ERR_INVALID;
    }
    struct signature_choice choice = {
        .names = s->plan.names, .form = s->plan.header, .without = SIZE_MAX,
    };
    enum err error = digest_new(&s->digest);
    if (error == ERR_OK)
        error = signature_header_hash(header, &choice, s->digest);
    if (error == ERR_OK)
        error = signature_body_want(&signer->body, s->plan.body, UINT64_MAX, &s->body_hash);
    return error;
}

enum err dkim_signer_new(const struct dkim_signing *signings, size_t count,
                         struct slice header, struct dkim_signer **out,
                         enum dkim_signing_fault *out_fault)
{
    must(count > 0 && count <= DKIM_KEYS_MAX);
    struct dkim_signer *signer = calloc(1, sizeof *signer);
    struct arena arena;
    struct signature_header fields;
    if (signer == NULL)
        return ERR_MEMORY;
    arena_init(&arena, ARENA_MAX);
    buffer_init(&signer->header.scratch, HEADER_BYTES_MAX);
    enum err error = signature_header_read(header, &arena, &fields);
    if (error == ERR_OK && !signature_header_may_follow(header)) {
        *out_fault = DKIM_SIGNING_HEADER;
        error = ERR_INVALID;
    }
    for (size_t i = 0; i < count && error == ERR_OK; i++)
        error = begin(signer, &signings[i], &fields, out_fault);
    signature_header_free(&fields);
    arena_free(&arena);
    if (error == ERR_OK)
        *out = signer;
    else
        dkim_signer_free(&signer);
    return error;
}

void dkim_signer_free(struct dkim_signer **signer)
{
    struct dkim_signer *s = *signer;
    *signer = NULL;
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++) {
        private_key_drop(&s->signings[i].key);
        digest_free(&s->signings[i].digest);
        buffer_free(&s->signings[i].names);
        buffer_free(&s->signings[i].identity);
    }
    signature_header_free(&s->header);
    signature_body_free(&s->body);
    free(s);
}

void dkim_signer_body(struct dkim_signer *signer, struct slice piece)
{
    must(!signer->is_finished);
    signature_body_push(&signer->body, piece);
}

void dkim_signer_at(struct dkim_signer *signer, int64_t signed_at_s)
{
    must(!signer->is_finished);
    for (size_t i = 0; i < signer->count; i++)
        signer->signings[i].plan.signed_at_s = signed_at_s;
}

enum err dkim_signer_finish(struct dkim_signer *signer, struct buffer *out)
{
    must(!signer->is_finished);
    signer->is_finished = true;
    enum err error = signature_body_finish(&signer->body);
    for (size_t i = 0; i < signer->count && error == ERR_OK; i++) {
        struct signing *s = &signer->signings[i];
        error = signature_write(&s->plan, signer->body.hashes[s->body_hash].hash,
                                &signer->header, s->digest, out);
    }
    return error;
}
