/* validate.c: RFC 8617 5.2; the hash over the seals is one that grows from set to set
 * (5.1.1), so that fifty of them cost no more than the header's length. HOSTILE 95. */
#include "auth/arc/validate.h"

#include "auth/arc/chain_private.h"
#include "auth/signature/body.h"
#include "auth/signature/check.h"
#include "base/must.h"
#include "wire/dns/message.h"

#include <stdlib.h>

enum { ARENA_MAX = 4 * 1024 * 1024, QUESTIONS_MAX = 2 * SIGNATURE_INSTANCE_MAX,
       HASHED_MAX = 2 * 1024 * 1024 };

/* One signature of a set. */
struct proof {
    const struct signature_field *field; /* NULL: it cannot be checked */
    uint8_t digest[DIGEST_BYTES];
    size_t question;
    size_t body_hash;                    /* of a message signature */
    enum signature_check_result result;
    char reason[SIGNATURE_STEP_BYTES];   /* the last step */
};

struct question {
    const struct dns_name *name;
    bool is_open;
};

struct arc_validator {
    struct arena arena;
    struct arc_chain chain;
    struct proof messages[SIGNATURE_INSTANCE_MAX + 1]; /* by instance */
    struct proof seals[SIGNATURE_INSTANCE_MAX + 1];
    struct question questions[QUESTIONS_MAX];
    size_t questions_count;
    struct signature_body body;
    struct arc_options options;
    bool body_ended;
    struct arc_verdict verdict;
    struct signature_steps steps;
};

const char *arc_result_text(enum arc_result result)
{
    switch (result) {
    case ARC_NONE: return "none";
    case ARC_PASS: return "pass";
    case ARC_FAIL: return "fail";
    }
    return "";
}

/* One question a key, however many signatures it made. */
static size_t question_for(struct arc_validator *v, const struct dns_name *name)
{
    for (size_t i = 0; i < v->questions_count; i++)
        if (slice_equal(dns_name_slice(v->questions[i].name), dns_name_slice(name)))
            return i;
    must(v->questions_count < QUESTIONS_MAX);
    v->questions[v->questions_count] = (struct question){ .name = name, .is_open = true };
    return v->questions_count++;
}

static void add_proof(struct arc_validator *v, struct proof *proof,
                      const struct signature_field *field)
{
    proof->field = field;
    proof->question = question_for(v, &field->key_name);
}

static enum err hash_message(struct arc_validator *v, struct signature_header *header,
                             const struct arc_set *set, struct proof *proof)
{
    const struct signature_field *f = &set->message;
    if (set->message_fault != SIGNATURE_FINE || f->body_limit != UINT64_MAX)
        return ERR_OK;
    enum err error = signature_digest(f, set->message_place, header, proof->digest);
    if (error == ERR_OK)
        error = signature_body_want(&v->body, f->body, UINT64_MAX, &proof->body_hash);
    if (error == ERR_OK)
        add_proof(v, proof, f);
    return error;
}

/* `running` has taken all sets before this one; afterwards this one too. */
static enum err hash_seal(struct arc_validator *v, struct signature_header *header,
                          const struct arc_set *set, struct digest *running,
                          struct proof *proof)
{
    const struct slice none = slice_make(NULL, 0);
    const struct signature_field *f = &set->seal;
    struct digest *digest = NULL;
    enum err error = signature_header_hash_field(header, CANONICAL_RELAXED, &set->results,
                                                 none, running);
    if (error == ERR_OK)
        error = signature_header_hash_field(header, CANONICAL_RELAXED, &set->message.field,
                                            none, running);
    if (error == ERR_OK)
        error = digest_copy(running, &digest);
    if (error == ERR_OK)
        error = signature_header_hash_last(header, CANONICAL_RELAXED, &f->field,
                                           f->signature_raw, digest);
    if (error == ERR_OK)
        error = digest_finish(digest, proof->digest);
    digest_free(&digest);
    if (error == ERR_OK)
        error = signature_header_hash_field(header, CANONICAL_RELAXED, &f->field, none,
                                            running);
    if (error == ERR_OK)
        add_proof(v, proof, f);
    return error;
}

/* The newest message signature decides; how far the older ones hold is a service (RFC 8617
 * 5.2, step 5), for which a long header is not hashed fifty times. */
static unsigned oldest_hashed(const struct arc_validator *v, size_t header_len)
{
    size_t most = header_len == 0 ? SIGNATURE_INSTANCE_MAX : HASHED_MAX / header_len + 1;
    return most < v->chain.highest ? v->chain.highest - (unsigned)most + 1 : 1;
}

static enum err hash_all(struct arc_validator *v, struct signature_header *header,
                         size_t header_len)
{
    unsigned oldest = oldest_hashed(v, header_len);
    struct digest *running;
    enum err error = digest_new(&running);
    if (error != ERR_OK)
        return error;
    for (unsigned i = 1; i <= v->chain.highest && error == ERR_OK; i++) {
        if (i >= oldest)
            error = hash_message(v, header, v->chain.sets[i], &v->messages[i]);
        if (error == ERR_OK)
            error = hash_seal(v, header, v->chain.sets[i], running, &v->seals[i]);
    }
    digest_free(&running);
    return error;
}

static enum err read_header(struct arc_validator *v, struct slice header)
{
    struct signature_header fields;
    enum err error = signature_header_read(header, &v->arena, &fields);
    if (error == ERR_FULL) {
        signature_step(&v->steps, "the header has too many fields");
        v->chain.any = true;
    } else if (error == ERR_OK) {
        error = arc_chain_read(&fields, &v->arena, &v->chain, &v->steps);
        if (error == ERR_OK && v->chain.is_sound && !v->chain.is_given_up)
            error = hash_all(v, &fields, header.len);
    }
    signature_header_free(&fields);
    return error == ERR_FULL ? ERR_OK : error;
}

enum err arc_validator_new(const struct arc_options *options, struct slice header,
                           struct arc_validator **out)
{
    struct slice copy;
    struct arc_validator *v = calloc(1, sizeof *v);
    if (v == NULL)
        return ERR_MEMORY;
    v->options = *options;
    arena_init(&v->arena, ARENA_MAX);
    enum err error = arena_copy(&v->arena, header, &copy) ? read_header(v, copy) : ERR_MEMORY;
    if (error == ERR_OK)
        *out = v;
    else
        arc_validator_free(&v);
    return error;
}

void arc_validator_free(struct arc_validator **validator)
{
    struct arc_validator *v = *validator;
    *validator = NULL;
    if (v == NULL)
        return;
    signature_body_free(&v->body);
    arena_free(&v->arena);
    free(v);
}

size_t arc_validator_questions(const struct arc_validator *v)
{
    return v->questions_count;
}

bool arc_validator_question(const struct arc_validator *v, size_t index,
                            struct lookup_question *out)
{
    must(index < v->questions_count);
    if (!v->questions[index].is_open)
        return false;
    *out = (struct lookup_question){ .name = dns_name_slice(v->questions[index].name),
                                     .type = DNS_TYPE_TXT };
    return true;
}

static void prove(struct proof *proof, size_t question, const struct lookup_answer *answer,
                  struct public_keys *keys)
{
    if (proof->field == NULL || proof->question != question)
        return;
    struct signature_steps steps = { .count = 0 };
    proof->result = signature_check(proof->field, proof->digest, answer, keys, &steps).result;
    memcpy(proof->reason, steps.text[steps.count - 1], SIGNATURE_STEP_BYTES);
}

/* Whether the message signature of that set holds for the message as it is now. */
static bool message_holds(const struct arc_validator *v, unsigned instance,
                          struct signature_steps *steps)
{
    const struct arc_set *set = v->chain.sets[instance];
    const struct proof *proof = &v->messages[instance];
    const char *who = set->message.domain.text;
    if (proof->field == NULL) {
        signature_step(steps, "message signature i=%u: it %s", instance,
                       set->message_fault == SIGNATURE_FINE
                           ? "covers a part of the body only (l=)"
                           : signature_fault_text(set->message_fault));
        return false;
    }
    if (proof->result != SIGNATURE_CHECK_GOOD) {
        signature_step(steps, "message signature i=%u of %s: %s", instance, who,
                       proof->reason);
        return false;
    }
    if (memcmp(v->body.hashes[proof->body_hash].hash, set->message.body_hash,
               DIGEST_BYTES) != 0) {
        signature_step(steps, "message signature i=%u of %s: the body was changed", instance,
                       who);
        return false;
    }
    if (set->message.expires_at_s >= 0 && v->options.now_s > set->message.expires_at_s) {
        signature_step(steps, "message signature i=%u of %s: it has expired", instance, who);
        return false;
    }
    return true;
}

static bool seals_hold(struct arc_validator *v)
{
    for (unsigned i = v->chain.highest; i > 0; i--) {
        const struct proof *proof = &v->seals[i];
        if (proof->result == SIGNATURE_CHECK_GOOD)
            continue;
        signature_step(&v->steps, "seal i=%u of %s: %s", i, proof->field->domain.text,
                       proof->reason);
        return false;
    }
    return true;
}

/* RFC 8617 5.2, step 5. What an older signature lacks is of no interest any more. */
static unsigned oldest_pass(const struct arc_validator *v)
{
    struct signature_steps unheard = { .count = 0 };
    for (unsigned i = v->chain.highest; i > 0; i--)
        if (!message_holds(v, i, &unheard))
            return i + 1;
    return 0;
}

static bool a_look_up_failed(const struct arc_validator *v)
{
    for (unsigned i = 1; i <= v->chain.highest; i++)
        if (v->seals[i].result == SIGNATURE_CHECK_TEMPORARY)
            return true;
    return v->messages[v->chain.highest].result == SIGNATURE_CHECK_TEMPORARY;
}

static void judge(struct arc_validator *v)
{
    bool holds = v->chain.is_sound && !v->chain.is_given_up && v->chain.highest > 0 &&
                 message_holds(v, v->chain.highest, &v->steps) && seals_hold(v);
    v->verdict = (struct arc_verdict){
        .result = !v->chain.any ? ARC_NONE : holds ? ARC_PASS : ARC_FAIL,
        .sets = v->chain.highest,
        .oldest_pass = holds ? oldest_pass(v) : 0,
        .dns_failed = !holds && v->chain.highest > 0 && a_look_up_failed(v),
        .steps = &v->steps,
    };
    if (!v->chain.any)
        signature_step(&v->steps, "there is no chain");
    else if (holds)
        signature_step(&v->steps, "%u seals hold, the newest by %s", v->chain.highest,
                       v->chain.sets[v->chain.highest]->seal.domain.text);
}

static void judge_when_done(struct arc_validator *v)
{
    if (arc_validator_is_done(v))
        judge(v);
}

void arc_validator_answer(struct arc_validator *v, size_t index,
                          const struct lookup_answer *answer)
{
    must(index < v->questions_count && v->questions[index].is_open);
    v->questions[index].is_open = false;
    for (unsigned i = 1; i <= v->chain.highest; i++) {
        prove(&v->messages[i], index, answer, v->options.keys);
        prove(&v->seals[i], index, answer, v->options.keys);
    }
    judge_when_done(v);
}

void arc_validator_body(struct arc_validator *v, struct slice piece)
{
    must(!v->body_ended);
    signature_body_push(&v->body, piece);
}

enum err arc_validator_body_end(struct arc_validator *v)
{
    must(!v->body_ended);
    enum err error = signature_body_finish(&v->body);
    if (error != ERR_OK)
        return error;
    v->body_ended = true;
    judge_when_done(v);
    return ERR_OK;
}

bool arc_validator_is_done(const struct arc_validator *v)
{
    for (size_t i = 0; i < v->questions_count; i++)
        if (v->questions[i].is_open)
            return false;
    return v->body_ended;
}

void arc_validator_verdict(const struct arc_validator *v, struct arc_verdict *out)
{
    must(arc_validator_is_done(v));
    *out = v->verdict;
}

void arc_validator_claim(const struct arc_validator *v, unsigned instance,
                         struct arc_sealer_claim *out)
{
    must(instance > 0 && instance <= v->chain.highest);
    const struct arc_set *set = v->chain.sets[instance];
    *out = (struct arc_sealer_claim){ .domain = { NULL, 0 } };
    if (set == NULL)
        return;
    *out = (struct arc_sealer_claim){
        .domain = dns_name_slice(&set->seal.domain),
        .selector = dns_name_slice(&set->seal.selector), .results = set->payload,
    };
}
