/* sasl_client.h: the client's side of an authentication, as octets: no base64, no SMTP.
 *
 * RFC 4422 (SASL), RFC 4616 (PLAIN), RFC 5802 and RFC 7677 (SCRAM, by GNU SASL),
 * RFC 7628 (OAUTHBEARER); LOGIN and XOAUTH2 are what servers agree on without a
 * standard. One owner, one thread; never blocks, but SCRAM computes for some
 * milliseconds. Secrets are wiped when they are freed, and stand in no message.
 */
#ifndef GODWIT_CRYPTO_SASL_CLIENT_H
#define GODWIT_CRYPTO_SASL_CLIENT_H

#include "base/buffer.h"
#include "base/err.h"

enum {
    SASL_SCRAM_SHA_256 = 1 << 0,
    SASL_SCRAM_SHA_1 = 1 << 1,
    SASL_PLAIN = 1 << 2,
    SASL_LOGIN = 1 << 3,
    SASL_OAUTHBEARER = 1 << 4,
    SASL_XOAUTH2 = 1 << 5,
};

/* Those that prove the password, in the order in which they are preferred; the two that
 * carry a token are used only by name. */
enum { SASL_USUAL = SASL_SCRAM_SHA_256 | SASL_SCRAM_SHA_1 | SASL_PLAIN | SASL_LOGIN };

enum {
    SASL_SECRET_MAX = 8192,     /* a password or token, and a user's name with it */
    SASL_ITERATIONS_MAX = 50000, /* a server that wants more costs our thread too much */
};

/* The bit of a mechanism's name, in any case; 0: not known here. */
uint32_t sasl_mechanism(struct slice name);

struct sasl_client;

/* By the first of the mechanisms in both sets; user and secret are copied.
 * ERR_ABSENT: there is none; ERR_INVALID: what these cannot carry; ERR_MEMORY. */
enum err sasl_client_open(struct slice user, struct slice secret, uint32_t mechanisms,
                          struct sasl_client **out);
/* NULL inside is allowed. */
void sasl_client_close(struct sasl_client **client);

/* "SCRAM-SHA-256"; static storage. */
const char *sasl_client_mechanism(const struct sasl_client *client);

/* What is said with the mechanism's name; false: nothing, the server asks first. */
bool sasl_client_begin(struct sasl_client *client, struct buffer *out);

/* The answer to a challenge. False: give up, the server does not prove to know the
 * password or does not keep to the mechanism. */
bool sasl_client_answer(struct sasl_client *client, struct slice challenge,
                        struct buffer *out);

/* Whether the server may now say that it was good: all was said, and a server that has
 * to prove itself has done so. */
bool sasl_client_is_done(const struct sasl_client *client);

#endif
