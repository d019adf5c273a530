/* macro_private.h: RFC 7208 section 7. Pure. */
#ifndef GODWIT_AUTH_SPF_MACRO_PRIVATE_H
#define GODWIT_AUTH_SPF_MACRO_PRIVATE_H

#include "base/buffer.h"

/* Where the text stands. */
enum spf_macro_place {
    SPF_MACRO_DOMAIN,   /* domain-spec: no "c", "r", "t"; ends as a name does */
    SPF_MACRO_MODIFIER, /* macro-string of a modifier that nobody knows */
    SPF_MACRO_EXPLAIN,  /* explain-string: spaces, too */
};

/* What each letter stands for; empty for those that are no macro. */
struct spf_macros {
    struct slice of[26]; /* by letter - 'a' */
};

static inline struct slice *spf_macro_of(struct spf_macros *macros, char letter)
{
    return &macros->of[letter - 'a'];
}

/* Whether the grammar allows it. */
bool spf_macro_is_valid(struct slice text, enum spf_macro_place place);

/* Whether a valid text uses the macro, in either case. */
bool spf_macro_uses(struct slice text, char letter);

/* Appends the expansion of a valid text. For SPF_MACRO_DOMAIN only the last
 * SPF_EXPANSION_KEPT octets or more are kept, since no name is longer; otherwise `out`
 * may overflow. */
void spf_macro_expand(const struct spf_macros *macros, struct slice text,
                      enum spf_macro_place place, struct buffer *out);

enum { SPF_EXPANSION_KEPT = 512 };

/* What may be asked: without a dot at the end, cut from the left to 253 octets (RFC 7208
 * 7.3). Empty when it can be no name: an empty label, one over 63 octets, none at all. */
struct slice spf_macro_target(struct slice expanded);

#endif
