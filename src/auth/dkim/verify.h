/* verify.h: checking the DKIM signatures of a message (RFC 6376 6, RFC 8301, RFC 8463,
 * RFC 8616), without I/O and without a clock.
 *
 * A verifier is given the header, then the body as it flows by, of which it holds nothing.
 * From the start it has a question to the DNS for each signature; they may be asked all at
 * once and answered in any order, during the body too. When the body has ended and no
 * question is open there is a verdict for each signature, with the steps that led to it.
 *
 *     dkim_verifier_new(&options, header, &v);
 *     for (i = 0; i < dkim_verifier_count(v); i++)
 *         if (dkim_verifier_question(v, i, &question)) ask(i, &question);
 *     dkim_verifier_body(v, piece) ... dkim_verifier_body_end(v);
 *     dkim_verifier_answer(v, i, &answer) ...
 *     if (dkim_verifier_is_done(v)) dkim_verifier_verdict(v, i, &verdict) ...
 *
 * One owner, one thread.
 */
#ifndef GODWIT_AUTH_DKIM_VERIFY_H
#define GODWIT_AUTH_DKIM_VERIFY_H

#include "auth/signature/steps.h"
#include "base/err.h"
#include "base/slice.h"
#include "mail/lookup.h"

enum {
    DKIM_SIGNATURES_MAX = 10,   /* that are checked, from the top; HOSTILE 93 */
    DKIM_CLOCK_SLACK_S = 300,   /* by which the signer's clock may be wrong */
};

/* RFC 8601 2.7.1. */
enum dkim_result {
    DKIM_NONE,      /* there is no signature */
    DKIM_PASS,
    DKIM_FAIL,      /* it does not hold: header, body, expired, key too small */
    DKIM_POLICY,    /* it holds, but we do not take it: l=, a key too large, made in the
                       future, t=s */
    DKIM_NEUTRAL,   /* it cannot be judged: an unknown algorithm, form or kind of look-up;
                       or it does not hold and its key is marked as a test (t=y) */
    DKIM_TEMPERROR, /* the DNS did not answer, and the rest is right so far */
    DKIM_PERMERROR, /* the field or the key cannot be used, or there is no key */
};

/* "pass"; static text. */
const char *dkim_result_text(enum dkim_result result);

struct public_keys;

struct dkim_options {
    struct public_keys *keys;   /* read before, or NULL; outlives the verifier */
    int64_t now_s;              /* since 1970: t= and x= are held against it */
    bool takes_partial_body;    /* a body that goes on behind l= may pass (HOSTILE 91) */
};

struct dkim_verifier;

/* `header` is the whole header block, with or without its empty line; borrowed for the
 * call. In one of more fields than HEADER_FIELDS_MAX no signature is found: such mail is
 * nobody's (HOSTILE 108), and is to be refused before. ERR_MEMORY. */
enum err dkim_verifier_new(const struct dkim_options *options, struct slice header,
                           struct dkim_verifier **out);
/* NULL inside is allowed; open questions are forgotten. */
void dkim_verifier_free(struct dkim_verifier **verifier);

/* How many signatures have a verdict, and how many fields there are. */
size_t dkim_verifier_count(const struct dkim_verifier *verifier);
size_t dkim_verifier_found(const struct dkim_verifier *verifier);

/* False: this signature needs no answer (any more). Borrowed from the verifier. */
bool dkim_verifier_question(const struct dkim_verifier *verifier, size_t index,
                            struct lookup_question *out);

/* To an open question, once. */
void dkim_verifier_answer(struct dkim_verifier *verifier, size_t index,
                          const struct lookup_answer *answer);

/* What stands behind the empty line, dots unstuffed. */
void dkim_verifier_body(struct dkim_verifier *verifier, struct slice piece);
/* ERR_MEMORY: there will be no verdict. */
enum err dkim_verifier_body_end(struct dkim_verifier *verifier);

/* The body has ended and no question is open. */
bool dkim_verifier_is_done(const struct dkim_verifier *verifier);

/* Borrowed from the verifier. What could not be read is empty. */
struct dkim_verdict {
    enum dkim_result result;
    struct slice domain;          /* d=, A-labels, lower case */
    struct slice selector;        /* s= */
    struct slice identity;        /* i= as written, or empty: then it is "@" and the domain */
    struct slice signature_start; /* at most 8 octets of b=: "header.b" of RFC 6008 */
    const char *algorithm;        /* "rsa-sha256", or NULL */
    unsigned key_bits;            /* 0: no key */
    bool is_testing;              /* the key is marked as a test (t=y): RFC 6376 3.6.1
                                     wants the mail treated as if it were not signed */
    bool is_secure;               /* DNSSEC vouches for the key */
    int64_t signed_at_s;          /* t=, or -1 */
    int64_t expires_at_s;         /* x=, or -1 */
    const struct signature_steps *steps;
};

/* Only when it is done. */
void dkim_verifier_verdict(const struct dkim_verifier *verifier, size_t index,
                           struct dkim_verdict *out);

/* Of the whole message: pass if one signature passes, else the best that there is. */
enum dkim_result dkim_verifier_result(const struct dkim_verifier *verifier);

#endif
