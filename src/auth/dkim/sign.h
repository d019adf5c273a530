/* sign.h: signing a message with DKIM (RFC 6376 5, RFC 8301, RFC 8463), without I/O and
 * without a clock.
 *
 * A signer is given the header, then the body as it flows by, of which it holds nothing;
 * at the end it writes a DKIM-Signature field for each key, to stand before the header.
 * "l=" is never used (HOSTILE 91). One owner, one thread.
 */
#ifndef GODWIT_AUTH_DKIM_SIGN_H
#define GODWIT_AUTH_DKIM_SIGN_H

#include "base/buffer.h"
#include "base/err.h"
#include "crypto/key.h"
#include "wire/message/canonical.h"

enum { DKIM_KEYS_MAX = 4 };

/* One signature. Borrowed for dkim_signer_new(), but for the key, which is held. */
struct dkim_signing {
    struct private_key *key;
    struct slice domain;      /* in any form; written in A-labels (RFC 8616 4) */
    struct slice selector;
    struct slice identity;    /* i=: "[local]@domain", ASCII; empty: without */
    enum canonical_kind header;
    enum canonical_kind body;
    struct slice names;       /* h=, with colons between: just so. Empty: what people see
                                 and what programs follow, each field that is there, and
                                 once more those that must not be added (HOSTILE 91) */
    int64_t signed_at_s;      /* t=; negative: without */
    int64_t expires_at_s;     /* x=; negative: without */
};

/* What cannot be signed with. */
enum dkim_signing_fault {
    DKIM_SIGNING_FINE,
    DKIM_SIGNING_DOMAIN,      /* no domain name of two labels at least */
    DKIM_SIGNING_SELECTOR,    /* no selector, or too long with the domain */
    DKIM_SIGNING_IDENTITY,    /* not "[local]@" and the domain or one below it */
    DKIM_SIGNING_NAMES,       /* no header field names, without From, or too many */
    DKIM_SIGNING_TIMES,       /* x= is not after t= */
    DKIM_SIGNING_NO_FROM,     /* the message has no From field */
    DKIM_SIGNING_HEADER,      /* its header begins with a blank */
};

/* In words; static text. */
const char *dkim_signing_fault_text(enum dkim_signing_fault fault);

struct dkim_signer;

/* `header` is the header block, borrowed for the call. 1 to DKIM_KEYS_MAX signings.
 * ERR_INVALID with *out_fault set; ERR_FULL: more fields than HEADER_FIELDS_MAX;
 * ERR_MEMORY. */
enum err dkim_signer_new(const struct dkim_signing *signings, size_t count,
                         struct slice header, struct dkim_signer **out,
                         enum dkim_signing_fault *out_fault);
/* NULL inside is allowed. */
void dkim_signer_free(struct dkim_signer **signer);

void dkim_signer_body(struct dkim_signer *signer, struct slice piece);

/* All are signed at this time (t=), whatever was said before. Before the end. */
void dkim_signer_at(struct dkim_signer *signer, int64_t signed_at_s);

/* Appends the fields, the first signing's first. Once. ERR_MEMORY. */
enum err dkim_signer_finish(struct dkim_signer *signer, struct buffer *out);

#endif
