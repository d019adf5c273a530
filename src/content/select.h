/* select.h: CSS selectors over the HTML of a message.
 *
 * Selectors Level 3 without pseudo-elements and what depends on a user: type, universal,
 * class, id, attributes with their operators (and the "i" flag), the four combinators, lists,
 * :first-child, :last-child, :only-child, :nth-child(), :nth-last-child(), :first-of-type,
 * :last-of-type, :nth-of-type(), :empty, :root, :not() of a compound. Limits bound the work.
 * Pure; one thread at a time; in its own process where mail comes from strangers.
 */
#ifndef GODWIT_CONTENT_SELECT_H
#define GODWIT_CONTENT_SELECT_H

#include "content/html.h"

enum {
    SELECT_TEXT_MAX = 4096,   /* octets of a selector */
    SELECT_PARTS_MAX = 256,   /* simple selectors in it */
    SELECT_MATCHES_MAX = 10000,
};

struct select_match {
    const struct html_node *node;
    struct slice text;  /* of all that is in it, blanks folded */
    struct slice outer; /* its own octets in the HTML, from "<" on; empty where the parser
                           made it up */
};

struct select_matches {
    struct select_match *items;
    size_t count;       /* of items */
    size_t total;       /* that match */
};

/* NULL, or what is wrong with the selector, in words for people, a static text. At most
 * `most` matches are kept. Everything lives in the arena. */
const char *select_find(const struct html *html, struct slice selector, size_t most,
                        struct arena *arena, struct select_matches *out_matches);

#endif
