/* message.h: what mail authentication says of one message: the client's name, SPF, DKIM,
 * ARC, then DMARC, which weighs what the others found.
 *
 * It is given the header, then the body as it flows by, of which it holds nothing. After
 * that it is a step machine as theirs: auth_next() asks, auth_answer() is told. Each standard is one
 * stage of a table (message.c), begun when the one before it is done. One owner, one
 * thread.
 */
#ifndef GODWIT_AUTH_MESSAGE_MESSAGE_H
#define GODWIT_AUTH_MESSAGE_MESSAGE_H

#include "auth/arc/validate.h"
#include "auth/dkim/verify.h"
#include "auth/dmarc/dmarc.h"
#include "auth/iprev/iprev.h"
#include "auth/spf/spf.h"

/* Borrowed until auth_begin() returns. */
struct auth_request {
    const struct spf_request *spf; /* NULL: the client is not known, SPF says nothing */
    bool asks_iprev;               /* whether the client's name leads back, too */
    bool needs_dkim;               /* an aligned SPF pass proves no author for DMARC: whole
                                      pools of addresses pass for their tenants (HOSTILE 100) */
    struct slice header;           /* all of it, with its empty line if it has one; lines
                                      end in CRLF */
    int64_t now_s;                 /* since 1970 */
    struct public_keys *keys;      /* read before, or NULL; outlives what is begun */
};

struct auth;

/* ERR_MEMORY. */
enum err auth_begin(const struct auth_request *request, struct auth **out);

/* NULL inside is allowed. */
void auth_free(struct auth **auth);

/* What stands behind the empty line, dots unstuffed. */
void auth_body(struct auth *auth, struct slice piece);
/* Before auth_next(), once. ERR_MEMORY: nothing can be said. */
enum err auth_body_end(struct auth *auth);

/* True: *out_question is to be answered; the same until it was. False: it is done. */
bool auth_next(struct auth *auth, struct lookup_question *out_question);

/* Only when auth_next() has asked. */
void auth_answer(struct auth *auth, const struct lookup_answer *answer);

/* Which standard asks, from 0: it grows when the next one begins. Each is to be given its own
 * patience: a domain of the sender's choice must not use up what the author's needs. */
size_t auth_stage(const struct auth *auth);

/* Only when auth_next() is done; they live as long as `auth`. NULL: not evaluated, or
 * memory was out. */
const struct spf *auth_spf(const struct auth *auth);
const struct iprev *auth_iprev(const struct auth *auth);
const struct dkim_verifier *auth_dkim(const struct auth *auth);
const struct arc_validator *auth_arc(const struct auth *auth);
const struct dmarc *auth_dmarc(const struct auth *auth);
/* What was read of From, at any time. */
const struct dmarc_from *auth_author(const struct auth *auth);

/* Appends the field with all results, folded, with its CRLF (RFC 8601 2.2). */
void auth_append_results_field(const struct auth *auth, struct slice authserv_id,
                               struct buffer *out);

#endif
