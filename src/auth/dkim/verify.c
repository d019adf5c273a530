/* verify.c: RFC 6376 6.1; the header hash and the body hash are held apart, so that the
 * steps can say which of them failed. HOSTILE 91 to 93. */
#include "auth/dkim/verify.h"

#include "auth/signature/body.h"
#include "auth/signature/check.h"
#include "base/base64.h"
#include "base/must.h"
#include "wire/dns/message.h"

#include <inttypes.h>
#include <stdlib.h>

enum { ARENA_MAX = 1024 * 1024, START_OCTETS = 8, HASH_TEXT_MAX = 64 };

struct signature {
    struct signature_field field;    /* borrows from the arena */
    enum signature_fault fault;
    uint8_t digest[DIGEST_BYTES];    /* over the header */
    size_t body_hash;                /* in the body's hashes */
    struct signature_check check;
    bool is_open;                    /* its question is not answered */
    enum dkim_result result;         /* when all is done */
    struct signature_steps steps;
};

struct dkim_verifier {
    struct dkim_options options;
    struct arena arena;
    size_t count;
    size_t found;
    struct signature_body body;
    bool body_ended;
    struct signature signatures[DKIM_SIGNATURES_MAX]; /* set to zero as they are taken */
};

const char *dkim_result_text(enum dkim_result result)
{
    switch (result) {
    case DKIM_NONE: return "none";
    case DKIM_PASS: return "pass";
    case DKIM_FAIL: return "fail";
    case DKIM_POLICY: return "policy";
    case DKIM_NEUTRAL: return "neutral";
    case DKIM_TEMPERROR: return "temperror";
    case DKIM_PERMERROR: return "permerror";
    }
    return "";
}

static enum dkim_result result_of_fault(enum signature_fault fault)
{
    switch (fault) {
    case SIGNATURE_ALGORITHM_UNKNOWN:
    case SIGNATURE_CANONICAL_UNKNOWN:
    case SIGNATURE_QUERY_UNKNOWN:
        return DKIM_NEUTRAL;
    case SIGNATURE_FINE:
    case SIGNATURE_NO_LIST:
    case SIGNATURE_TAG_MISSING:
    case SIGNATURE_TAG_FORBIDDEN:
    case SIGNATURE_VALUE:
    case SIGNATURE_ALGORITHM_BROKEN:
    case SIGNATURE_TOO_MANY_NAMES:
    case SIGNATURE_FROM_UNSIGNED:
    case SIGNATURE_IDENTITY_FOREIGN:
    case SIGNATURE_EXPIRES_EARLY:
        return DKIM_PERMERROR;
    }
    return DKIM_PERMERROR;
}

static enum dkim_result result_of_check(enum signature_check_result result)
{
    switch (result) {
    case SIGNATURE_CHECK_GOOD: return DKIM_PASS;
    case SIGNATURE_CHECK_BAD: return DKIM_FAIL;
    case SIGNATURE_CHECK_STRICT: return DKIM_POLICY;
    case SIGNATURE_CHECK_WEAK: return DKIM_FAIL;
    case SIGNATURE_CHECK_LARGE: return DKIM_POLICY;
    case SIGNATURE_CHECK_REVOKED: return DKIM_PERMERROR;
    case SIGNATURE_CHECK_UNUSABLE: return DKIM_PERMERROR;
    case SIGNATURE_CHECK_NO_KEY: return DKIM_PERMERROR;
    case SIGNATURE_CHECK_TEMPORARY: return DKIM_TEMPERROR;
    }
    return DKIM_PERMERROR;
}

/* Reads a field from a copy that lives as long as the verifier. */
static enum err read_field(struct dkim_verifier *v, struct signature *s,
                           const struct header_field *from)
{
    struct slice copy;
    struct header_field field;
    if (from->whole.len > SIGNATURE_FIELD_MAX) {
        s->fault = SIGNATURE_NO_LIST;
        return ERR_OK;
    }
    if (!arena_copy(&v->arena, from->whole, &copy))
        return ERR_MEMORY;
    struct cursor c = cursor_over(copy);
    must(header_next(&c, &field) == HEADER_FIELD);
    s->fault = signature_field_read(SIGNATURE_DKIM, &field, &s->field);
    return ERR_OK;
}

static void tell_field(struct signature *s)
{
    static const char *const forms[] = {
        [CANONICAL_SIMPLE] = "simple", [CANONICAL_RELAXED] = "relaxed",
    };
    const struct signature_field *f = &s->field;
    if (s->fault == SIGNATURE_FINE)
        signature_step(&s->steps, "signed by %s with %s, %s/%s", f->domain.text,
                       signature_algorithm_text(f->algorithm), forms[f->header], forms[f->body]);
    else if (f->about != NULL)
        signature_step(&s->steps, "the signature field %s: %s=",
                       signature_fault_text(s->fault), f->about);
    else
        signature_step(&s->steps, "the signature field %s", signature_fault_text(s->fault));
}

static enum err add(struct dkim_verifier *v, struct signature_header *header, size_t place)
{
    if (v->found++ >= DKIM_SIGNATURES_MAX)
        return ERR_OK;
    struct signature *s = &v->signatures[v->count++];
    memset(s, 0, sizeof *s);
    enum err error = read_field(v, s, &header->fields[place]);
    if (error == ERR_OK)
        tell_field(s);
    if (error != ERR_OK || s->fault != SIGNATURE_FINE)
        return error;
    s->is_open = true;
    error = signature_digest(&s->field, place, header, s->digest);
    if (error == ERR_OK)
        error = signature_body_want(&v->body, s->field.body, s->field.body_limit,
                                    &s->body_hash);
    return error;
}

static enum err read_header(struct dkim_verifier *v, struct slice header)
{
    struct arena scratch;
    struct signature_header fields;
    arena_init(&scratch, ARENA_MAX);
    enum err error = signature_header_read(header, &scratch, &fields);
    for (size_t i = 0; error == ERR_OK && i < fields.count; i++)
        if (slice_equal_nocase(fields.fields[i].name, SLICE("DKIM-Signature")))
            error = add(v, &fields, i);
    signature_header_free(&fields);
    arena_free(&scratch);
    return error == ERR_FULL ? ERR_OK : error;
}

enum err dkim_verifier_new(const struct dkim_options *options, struct slice header,
                           struct dkim_verifier **out)
{
    struct dkim_verifier *v = malloc(sizeof *v);
    if (v == NULL)
        return ERR_MEMORY;
    memset(v, 0, offsetof(struct dkim_verifier, signatures));
    v->options = *options;
    arena_init(&v->arena, ARENA_MAX);
    enum err error = read_header(v, header);
    if (error == ERR_OK)
        *out = v;
    else
        dkim_verifier_free(&v);
    return error;
}

void dkim_verifier_free(struct dkim_verifier **verifier)
{
    struct dkim_verifier *v = *verifier;
    *verifier = NULL;
    if (v == NULL)
        return;
    signature_body_free(&v->body);
    arena_free(&v->arena);
    free(v);
}

size_t dkim_verifier_count(const struct dkim_verifier *v)
{
    return v->count;
}

size_t dkim_verifier_found(const struct dkim_verifier *v)
{
    return v->found;
}

bool dkim_verifier_question(const struct dkim_verifier *v, size_t index,
                            struct lookup_question *out)
{
    must(index < v->count);
    const struct signature *s = &v->signatures[index];
    if (!s->is_open)
        return false;
    *out = (struct lookup_question){ .name = dns_name_slice(&s->field.key_name),
                                     .type = DNS_TYPE_TXT };
    return true;
}

/* The last steps: what only body and clock can say of a signature that holds so far. */
static void judge_body(const struct dkim_verifier *v, struct signature *s)
{
    const struct signature_body_hash *hash = &v->body.hashes[s->body_hash];
    uint64_t total = v->body.totals[hash->form];
    bool is_equal = memcmp(hash->hash, s->field.body_hash, DIGEST_BYTES) == 0;
    bool is_short = hash->limit != UINT64_MAX && hash->limit > total;
    if (is_short) {
        signature_step(&s->steps, "body: l= counts %" PRIu64 " octets, but there are only %"
                       PRIu64, hash->limit, total);
    } else if (is_equal) {
        signature_step(&s->steps, "body: the hash agrees");
    } else {
        struct buffer text;
        buffer_init(&text, HASH_TEXT_MAX);
        base64_append(&text, slice_make(hash->hash, DIGEST_BYTES));
        buffer_append_byte(&text, '\0');
        signature_step(&s->steps, "body: its hash is %s, not what bh= says: the body was "
                       "changed", text.overflow ? "" : buffer_slice(&text).data);
        buffer_free(&text);
    }
    if (is_short || !is_equal) {
        if (s->result != DKIM_PERMERROR) /* no answer of the DNS could mend it */
            s->result = DKIM_FAIL;
    } else if (hash->limit < total && !v->options.takes_partial_body) {
        signature_step(&s->steps, "body: l= covers %" PRIu64 " of %" PRIu64 " octets; the "
                       "rest could be anybody's", hash->limit, total);
        if (s->result == DKIM_PASS || s->result == DKIM_TEMPERROR)
            s->result = DKIM_POLICY;
    }
}

/* As for the body: no answer of the DNS could mend it. */
static void judge_time(const struct dkim_verifier *v, struct signature *s)
{
    int64_t now = v->options.now_s;
    const struct signature_field *f = &s->field;
    if (f->expires_at_s >= 0 && now > f->expires_at_s) {
        signature_step(&s->steps, "it expired %" PRId64 " seconds ago (x=)",
                       now - f->expires_at_s);
        if (s->result == DKIM_PASS || s->result == DKIM_POLICY ||
            s->result == DKIM_TEMPERROR)
            s->result = DKIM_FAIL;
    } else if (f->signed_at_s > now && f->signed_at_s - now > DKIM_CLOCK_SLACK_S) {
        signature_step(&s->steps, "it was made %" PRId64 " seconds in the future (t=)",
                       f->signed_at_s - now);
        if (s->result == DKIM_PASS || s->result == DKIM_TEMPERROR)
            s->result = DKIM_POLICY;
    }
}

static void judge(const struct dkim_verifier *v, struct signature *s)
{
    if (s->fault != SIGNATURE_FINE) {
        s->result = result_of_fault(s->fault);
        return;
    }
    s->result = result_of_check(s->check.result);
    judge_body(v, s);
    judge_time(v, s);
    if (s->check.is_testing && s->result == DKIM_FAIL) {
        signature_step(&s->steps, "the key is marked as a test: no failure is held against "
                       "the message");
        s->result = DKIM_NEUTRAL;
    }
}

static void judge_all_when_done(struct dkim_verifier *v)
{
    if (dkim_verifier_is_done(v))
        for (size_t i = 0; i < v->count; i++)
            judge(v, &v->signatures[i]);
}

void dkim_verifier_answer(struct dkim_verifier *v, size_t index,
                          const struct lookup_answer *answer)
{
    must(index < v->count && v->signatures[index].is_open);
    struct signature *s = &v->signatures[index];
    s->check = signature_check(&s->field, s->digest, answer, v->options.keys,
                               &s->steps);
    s->is_open = false;
    judge_all_when_done(v);
}

void dkim_verifier_body(struct dkim_verifier *v, struct slice piece)
{
    must(!v->body_ended);
    signature_body_push(&v->body, piece);
}

enum err dkim_verifier_body_end(struct dkim_verifier *v)
{
    must(!v->body_ended);
    enum err error = signature_body_finish(&v->body);
    if (error != ERR_OK)
        return error;
    v->body_ended = true;
    judge_all_when_done(v);
    return ERR_OK;
}

bool dkim_verifier_is_done(const struct dkim_verifier *v)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->signatures[i].is_open)
            return false;
    return v->body_ended;
}

void dkim_verifier_verdict(const struct dkim_verifier *v, size_t index,
                           struct dkim_verdict *out)
{
    must(dkim_verifier_is_done(v) && index < v->count);
    const struct signature *s = &v->signatures[index];
    const struct signature_field *f = &s->field;
    *out = (struct dkim_verdict){
        .result = s->result,
        .domain = dns_name_slice(&f->domain), .selector = dns_name_slice(&f->selector),
        .identity = f->identity,
        .signature_start = slice_part(f->signature_text, 0, START_OCTETS),
        .algorithm = s->fault == SIGNATURE_FINE ? signature_algorithm_text(f->algorithm) : NULL,
        .key_bits = s->check.key_bits, .is_testing = s->check.is_testing,
        .is_secure = s->check.is_secure,
        .signed_at_s = f->signed_at_s, .expires_at_s = f->expires_at_s,
        .steps = &s->steps,
    };
}

enum dkim_result dkim_verifier_result(const struct dkim_verifier *v)
{
    static const enum dkim_result order[] = {
        DKIM_PASS, DKIM_TEMPERROR, DKIM_POLICY, DKIM_NEUTRAL, DKIM_FAIL, DKIM_PERMERROR,
    };
    must(dkim_verifier_is_done(v));
    for (size_t o = 0; o < sizeof order / sizeof *order; o++)
        for (size_t i = 0; i < v->count; i++)
            if (v->signatures[i].result == order[o])
                return order[o];
    return DKIM_NONE;
}
