/* links.h: the links that a reader of a message can follow, as a browser would ask for them.
 *
 * From href of a and area, buttons and forms of the HTML, and from what looks like a URL in
 * its text and in text/plain (RFC 3986 Appendix C). No images, no mailto:, tel:, javascript:.
 * Each URL once. Pure; one thread at a time; in its own process where mail comes from
 * strangers.
 */
#ifndef GODWIT_CONTENT_LINKS_H
#define GODWIT_CONTENT_LINKS_H

#include "content/message.h"

enum { LINKS_MAX = 1000, LINK_URL_MAX = 8192 };

enum link_kind {
    LINK_VERIFICATION, /* confirm, activate, sign in by it, accept an invitation */
    LINK_RESET,        /* of a password */
    LINK_UNSUBSCRIBE,  /* or preferences for mail */
    LINK_LEGAL,        /* privacy, terms, imprint */
    LINK_SOCIAL,
    LINK_SUPPORT,      /* help, contact */
    LINK_VIEW,         /* the same mail in a browser */
    LINK_OTHER,
};

struct link {
    struct slice url;
    struct slice text;    /* what is clicked on, one line; empty for bare URLs */
    enum link_kind kind;
    double confidence;    /* of its kind, 0 to 1 */
    bool in_html;
    bool in_text;
};

/* In the order of the message, those of the HTML first. */
struct links {
    struct link *items;
    size_t count;
    const struct link *best; /* the one to verify or reset with; NULL: none */
};

/* Everything lives in the arena. False: memory is out. */
bool links_find(const struct content_message *message, struct arena *arena,
                struct links *out_links);

/* "verification", "reset" ... */
const char *link_kind_text(enum link_kind kind);

#endif
