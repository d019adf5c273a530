/* validate.h: checking the Authenticated Received Chain of a message (RFC 8617 5.2),
 * without I/O and without a clock.
 *
 * Used as the verifier of DKIM is (auth/dkim/verify.h): the header, then questions, one a
 * key, and the body as it flows by, and then a verdict. A failed look-up is a failed chain
 * (RFC 8617 5.2.1). One owner, one thread.
 */
#ifndef GODWIT_AUTH_ARC_VALIDATE_H
#define GODWIT_AUTH_ARC_VALIDATE_H

#include "auth/signature/steps.h"
#include "base/err.h"
#include "base/slice.h"
#include "mail/lookup.h"

enum arc_result {
    ARC_NONE,
    ARC_PASS,
    ARC_FAIL,
};

/* "pass"; static text. */
const char *arc_result_text(enum arc_result result);

struct arc_validator;

struct public_keys;

struct arc_options {
    int64_t now_s;             /* since 1970: x= is held against it */
    struct public_keys *keys;  /* read before, or NULL; outlives the validator */
};

/* `header` is the whole header block, with or without its empty line; borrowed for the
 * call. ERR_MEMORY. */
enum err arc_validator_new(const struct arc_options *options, struct slice header,
                           struct arc_validator **out);
/* NULL inside is allowed. */
void arc_validator_free(struct arc_validator **validator);

/* How many keys there are to ask for; of each of them whether it is still to be asked for.
 * The question is borrowed from the validator. */
size_t arc_validator_questions(const struct arc_validator *validator);
bool arc_validator_question(const struct arc_validator *validator, size_t index,
                            struct lookup_question *out);

/* To an open question, once. */
void arc_validator_answer(struct arc_validator *validator, size_t index,
                          const struct lookup_answer *answer);

void arc_validator_body(struct arc_validator *validator, struct slice piece);
/* ERR_MEMORY: there will be no verdict. */
enum err arc_validator_body_end(struct arc_validator *validator);

/* The body has ended and no question is open. */
bool arc_validator_is_done(const struct arc_validator *validator);

/* Borrowed from the validator. */
struct arc_verdict {
    enum arc_result result;
    unsigned sets;         /* how many: the highest instance */
    unsigned oldest_pass;  /* of a chain that passes: the oldest message signature that
                              is known to hold, 0 if all do (RFC 8617 5.2, step 5); with
                              a long header only the newest are looked at */
    bool dns_failed;       /* it failed for a look-up that had no answer */
    const struct signature_steps *steps;
};

/* Only when it is done. */
void arc_validator_verdict(const struct arc_validator *validator, struct arc_verdict *out);

/* Who sealed the set with that instance, 1 to `sets`, and what they say they found:
 * the results are the field's value behind "i=N;", folds and all. Only of a chain that
 * passes is it worth anything. */
struct arc_sealer_claim {
    struct slice domain;
    struct slice selector;
    struct slice results;
};
void arc_validator_claim(const struct arc_validator *validator, unsigned instance,
                         struct arc_sealer_claim *out);

#endif
