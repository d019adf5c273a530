/* seal.h: an intake around another, which signs what is ours with DKIM (RFC 6376 5).
 *
 * What begins with `is_ours` is hashed as it flows by, and nothing of its body is held;
 * at the commit the DKIM-Signature fields are put before the header prefix. Who signs is
 * the domain of From (RFC 9989 4.2), and nobody in its place: where From names no domain
 * that has keys, or cannot be read without doubt, the message goes on as it is. All else
 * goes to the intake behind without a detour.
 *
 * A seal belongs to one thread, as do its writers; keys are immutable, any thread.
 */
#ifndef GODWIT_SEAL_SEAL_H
#define GODWIT_SEAL_SEAL_H

#include "crypto/key.h"
#include "mail/intake.h"

struct seal_key {
    struct slice selector;
    struct private_key *key;
};

struct seal_domain {
    struct slice name;          /* lower case, A-labels */
    const struct seal_key *keys; /* 1 to DKIM_KEYS_MAX: each of them signs */
    size_t keys_count;
    bool signs_below;           /* for names under it too, where no nearer name has keys */
};

/* Who signs with what. */
struct seal_keys;

/* Copies what it is given, and holds the keys; one reference. Each domain stands there
 * once. ERR_INVALID: a name or selector that no signature can have; ERR_MEMORY. */
enum err seal_keys_make(const struct seal_domain *domains, size_t count,
                        struct seal_keys **out);
struct seal_keys *seal_keys_hold(struct seal_keys *keys);
/* NULL inside is allowed. */
void seal_keys_drop(struct seal_keys **keys);

struct seal;

/* `inner` outlives the seal; the keys are held. ERR_MEMORY. */
enum err seal_open(struct intake *inner, struct seal_keys *keys, struct seal **out);
/* Its writers are gone. NULL inside is allowed. */
void seal_close(struct seal **seal);

struct intake *seal_intake(struct seal *seal);

/* Other keys for what begins from now on. */
void seal_configure(struct seal *seal, struct seal_keys *keys);

#endif
