/* seal.c: RFC 8617 5.1; a broken chain is sealed by its last set alone (5.1.2). */
#include "auth/arc/seal.h"

#include "auth/arc/chain_private.h"
#include "auth/signature/body.h"
#include "auth/signature/names.h"
#include "auth/signature/write.h"
#include "base/must.h"
#include "wire/message/lexer.h"

#include <stdlib.h>

enum { ARENA_MAX = 4 * 1024 * 1024, NAMES_BYTES_MAX = 8 * 1024, SIGNATURES_MAX = 5,
       RESULTS_MAX = 64 * 1024, FIELD_MAX = RESULTS_MAX + 1024 };

struct arc_sealer {
    struct signature_plan plan;      /* of the message signature */
    struct private_key *key;
    struct buffer names;
    struct buffer results;           /* the whole field */
    struct digest *message;          /* over the header */
    struct digest *seal;             /* over the sets before this one */
    struct signature_header header;  /* only to hash with, once the header is gone */
    struct signature_body body;
    size_t body_hash;
    enum signature_chain chain;
    bool is_finished;
};

const char *arc_sealing_fault_text(enum arc_sealing_fault fault)
{
    switch (fault) {
    case ARC_SEALING_FINE: return "nothing is wrong";
    case ARC_SEALING_DOMAIN: return "that is no domain to seal for";
    case ARC_SEALING_SELECTOR: return "that is no selector";
    case ARC_SEALING_RESULTS: return "those results cannot stand in a header field";
    case ARC_SEALING_GIVEN_UP: return "the chain was broken before and may not be continued";
    case ARC_SEALING_FULL: return "the chain has all the sets that it may have";
    case ARC_SEALING_HEADER: return "the header of the message begins with a blank";
    }
    return "";
}

/* What can be the value of a field: a line end only in a fold, no NUL. */
static bool results_are_valid(struct slice results)
{
    struct cursor c = cursor_over(results);
    if (results.len == 0 || results.len > RESULTS_MAX)
        return false;
    while (!cursor_at_end(&c)) {
        lexer_skip_space(&c);
        int octet = cursor_take(&c);
        if (octet == '\r' || octet == '\n' || octet == '\0')
            return false;
    }
    return true;
}

/* What people see and programs follow, and the DKIM signatures that are there. */
static void choose_names(struct arc_sealer *s, const struct signature_header *header)
{
    size_t signatures = 0;
    signature_names_choose(header, &s->names);
    for (size_t i = 0; i < header->count && signatures < SIGNATURES_MAX; i++) {
        if (!slice_equal_nocase(header->fields[i].name, SLICE("DKIM-Signature")))
            continue;
        buffer_append(&s->names, SLICE(":DKIM-Signature"));
        signatures++;
    }
    s->plan.names = buffer_slice(&s->names);
}

static enum arc_sealing_fault read(struct arc_sealer *s, const struct arc_sealing *from)
{
    struct dns_name key_name;
    s->plan = (struct signature_plan){
        .kind = SIGNATURE_ARC_MESSAGE, .key = s->key, .header = CANONICAL_RELAXED,
        .body = CANONICAL_RELAXED, .signed_at_s = from->signed_at_s, .expires_at_s = -1,
    };
    if (!signature_name_read(from->domain, &s->plan.domain) ||
        slice_find(dns_name_slice(&s->plan.domain), '.') == SLICE_NOT_FOUND)
        return ARC_SEALING_DOMAIN;
    if (!signature_name_read(from->selector, &s->plan.selector) ||
        !signature_key_name(&s->plan.selector, &s->plan.domain, &key_name))
        return ARC_SEALING_SELECTOR;
    return results_are_valid(from->results) ? ARC_SEALING_FINE : ARC_SEALING_RESULTS;
}

/* Which place the new set has, and what it says of those before it. */
static enum arc_sealing_fault place(struct arc_sealer *s, const struct arc_chain *chain,
                                    enum arc_result result)
{
    if (chain->is_given_up)
        return ARC_SEALING_GIVEN_UP;
    if (chain->highest == SIGNATURE_INSTANCE_MAX)
        return ARC_SEALING_FULL;
    s->plan.instance = chain->highest + 1;
    s->chain = !chain->any ? SIGNATURE_CHAIN_NONE
               : result == ARC_PASS && chain->is_sound && chain->highest > 0
                   ? SIGNATURE_CHAIN_PASS : SIGNATURE_CHAIN_FAIL;
    return ARC_SEALING_FINE;
}

static enum err hash_chain(struct arc_sealer *s, const struct arc_chain *chain,
                           struct signature_header *header)
{
    const struct slice none = slice_make(NULL, 0);
    enum err error = digest_new(&s->seal);
    unsigned sets = s->chain == SIGNATURE_CHAIN_PASS ? chain->highest : 0;
    for (unsigned i = 1; i <= sets && error == ERR_OK; i++) {
        const struct arc_set *set = chain->sets[i];
        const struct header_field *fields[] = { &set->results, &set->message.field,
                                                &set->seal.field };
        for (size_t f = 0; f < 3 && error == ERR_OK; f++)
            error = signature_header_hash_field(header, CANONICAL_RELAXED, fields[f], none,
                                                s->seal);
    }
    return error;
}

static enum err hash_message(struct arc_sealer *s, struct signature_header *header)
{
    choose_names(s, header);
    struct signature_choice choice = {
        .names = s->plan.names, .form = CANONICAL_RELAXED, .without = SIZE_MAX,
    };
    enum err error = s->names.overflow ? ERR_FULL : digest_new(&s->message);
    if (error == ERR_OK)
        error = signature_header_hash(header, &choice, s->message);
    if (error == ERR_OK)
        error = signature_body_want(&s->body, CANONICAL_RELAXED, UINT64_MAX, &s->body_hash);
    return error;
}

static enum err begin(struct arc_sealer *s, const struct arc_sealing *sealing,
                      struct slice header, struct arena *arena,
                      enum arc_sealing_fault *out_fault)
{
    struct signature_header fields;
    struct arc_chain chain;
    struct signature_steps unheard = { .count = 0 };
    enum arc_sealing_fault fault = read(s, sealing);
    if (fault == ARC_SEALING_FINE && !signature_header_may_follow(header))
        fault = ARC_SEALING_HEADER;
    enum err error = signature_header_read(header, arena, &fields);
    if (error == ERR_OK)
        error = arc_chain_read(&fields, arena, &chain, &unheard);
    if (error == ERR_OK && fault == ARC_SEALING_FINE)
        fault = place(s, &chain, sealing->chain);
    if (error == ERR_OK && fault != ARC_SEALING_FINE) {
        *out_fault = fault;
        error = ERR_INVALID;
    }
    if (error == ERR_OK)
        error = hash_chain(s, &chain, &fields);
    if (error == ERR_OK)
        error = hash_message(s, &fields);
    signature_header_free(&fields);
    return error;
}

enum err arc_sealer_new(const struct arc_sealing *sealing, struct slice header,
                        struct arc_sealer **out, enum arc_sealing_fault *out_fault)
{
    struct arena arena;
    struct arc_sealer *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR_MEMORY;
    arena_init(&arena, ARENA_MAX);
    buffer_init(&s->names, NAMES_BYTES_MAX);
    buffer_init(&s->results, FIELD_MAX);
    buffer_init(&s->header.scratch, HEADER_BYTES_MAX);
    s->key = private_key_hold(sealing->key);
    enum err error = begin(s, sealing, header, &arena, out_fault);
    arena_free(&arena);
    if (error == ERR_OK) {
        buffer_append_format(&s->results, "ARC-Authentication-Results: i=%u; ",
                             s->plan.instance);
        buffer_append(&s->results, sealing->results);
        buffer_append(&s->results, SLICE("\r\n"));
        *out = s;
    } else {
        arc_sealer_free(&s);
    }
    return error;
}

void arc_sealer_free(struct arc_sealer **sealer)
{
    struct arc_sealer *s = *sealer;
    *sealer = NULL;
    if (s == NULL)
        return;
    private_key_drop(&s->key);
    buffer_free(&s->names);
    buffer_free(&s->results);
    digest_free(&s->message);
    digest_free(&s->seal);
    signature_header_free(&s->header);
    signature_body_free(&s->body);
    free(s);
}

void arc_sealer_body(struct arc_sealer *s, struct slice piece)
{
    must(!s->is_finished);
    signature_body_push(&s->body, piece);
}

/* A field of our own goes into the hash of the seal. */
static enum err seal_takes(struct arc_sealer *s, struct slice text)
{
    struct cursor c = cursor_over(text);
    struct header_field field;
    if (header_next(&c, &field) != HEADER_FIELD)
        return ERR_MEMORY;
    return signature_header_hash_field(&s->header, CANONICAL_RELAXED, &field,
                                       slice_make(NULL, 0), s->seal);
}

enum err arc_sealer_finish(struct arc_sealer *s, struct buffer *out)
{
    struct buffer message;
    struct signature_plan seal = s->plan;
    must(!s->is_finished);
    s->is_finished = true;
    seal.kind = SIGNATURE_ARC_SEAL;
    seal.chain = s->chain;
    buffer_init(&message, FIELD_MAX);
    enum err error = signature_body_finish(&s->body);
    if (error == ERR_OK)
        error = signature_write(&s->plan, s->body.hashes[s->body_hash].hash, &s->header,
                                s->message, &message);
    if (error == ERR_OK)
        error = seal_takes(s, buffer_slice(&s->results));
    if (error == ERR_OK)
        error = seal_takes(s, buffer_slice(&message));
    if (error == ERR_OK)
        error = signature_write(&seal, NULL, &s->header, s->seal, out);
    if (error == ERR_OK) {
        buffer_append(out, buffer_slice(&message));
        buffer_append(out, buffer_slice(&s->results));
    }
    buffer_free(&message);
    return error == ERR_OK && out->overflow ? ERR_MEMORY : error;
}
