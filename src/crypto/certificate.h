/* certificate.h: a certificate chain with its key.
 *
 * Made from PEM text that somebody else has read (the process that may), or made anew
 * and signed by itself. RFC 5280 (the certificate), RFC 6125 6.4 (which names it
 * answers to). Immutable and counted: any thread may read it.
 */
#ifndef GODWIT_CRYPTO_CERTIFICATE_H
#define GODWIT_CRYPTO_CERTIFICATE_H

#include "base/buffer.h"
#include "base/err.h"

struct certificate;

/* Why a certificate or a key cannot be used, in words that name no file. */
struct certificate_trouble {
    char text[160];
};

/* The chain begins with the certificate itself; the key must be its own and without a
 * pass phrase. ERR_INVALID with *out_trouble set, or ERR_MEMORY. One reference. */
enum err certificate_read(struct slice chain_pem, struct slice key_pem,
                          struct certificate **out,
                          struct certificate_trouble *out_trouble);

struct certificate *certificate_hold(struct certificate *certificate);
/* NULL inside is allowed. */
void certificate_drop(struct certificate **certificate);

/* Whether it is one for `name` (a host name in A-labels, any case): a name of its
 * subjectAltName, "*" standing for exactly one leftmost label. */
bool certificate_is_for(const struct certificate *certificate, struct slice name);

/* Milliseconds since 1970. */
int64_t certificate_begins_wall_ms(const struct certificate *certificate);
int64_t certificate_expires_wall_ms(const struct certificate *certificate);

/* What people want to know of it. Texts are appended; `names` are separated by one
 * space, `fingerprint` is SHA-256 of the certificate in hexadecimal. */
struct certificate_facts {
    struct buffer *names;
    struct buffer *issuer;
    struct buffer *key;         /* "EC 256", "RSA 2048", "Ed25519" */
    struct buffer *fingerprint;
};
void certificate_describe(const struct certificate *certificate,
                          const struct certificate_facts *out);

/* A new key (P-256) and a certificate for `name`, signed by itself, as PEM. It begins
 * a day before `now_wall_ms`, for clocks that go wrong, and is good for `days`.
 * ERR_INVALID: the name cannot stand in one. ERR_MEMORY. */
enum err certificate_make(struct slice name, int64_t now_wall_ms, unsigned days,
                          struct buffer *out_chain_pem, struct buffer *out_key_pem);

#endif
