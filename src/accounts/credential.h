/* credential.h: what a line of a users file says behind the name.
 *
 *   credential = token *( SP token )
 *   token      = a hash of crypt(5) / scram
 *   scram      = ( "SCRAM-SHA-256" / "SCRAM-SHA-1" ) "$" iterations ":" salt
 *                "$" StoredKey ":" ServerKey          ; RFC 5803 3, in base64
 *
 * Pure, but for making one, which takes time and randomness.
 */
#ifndef GODWIT_ACCOUNTS_CREDENTIAL_H
#define GODWIT_ACCOUNTS_CREDENTIAL_H

#include "crypto/password.h"

enum { CREDENTIAL_ITERATIONS = 10000, CREDENTIAL_ITERATIONS_MAX = 1000000 };

struct credential_scram {
    bool is_there;
    uint32_t iterations;
    struct slice salt;       /* these three in base64, whose form was checked */
    struct slice stored_key;
    struct slice server_key;
};

/* Lies in the text that it was read from. */
struct credential {
    struct slice hash;       /* empty: none */
    struct credential_scram scram[SCRAM_HASHES];
};

/* False when a token is none of these; *out is what could be read all the same. */
bool credential_parse(struct slice text, struct credential *out);

/* A password as SASL compares it (RFC 4013); one that has no such form is taken as it
 * is. Appends to `out`, which holds a secret then. */
void credential_prepare(struct slice password, struct buffer *out);

/* Appends a new credential of the password. ERR_INVALID: empty, too long, or with a NUL;
 * ERR_IO: no randomness; ERR_MEMORY. Blocks. */
enum err credential_make(struct slice password, struct buffer *out);

/* Whether it is the password. Blocks as long for a credential without a hash: `dummy` is
 * one that nobody has. */
bool credential_has_password(const struct credential *credential, struct slice password,
                             struct slice dummy);

#endif
