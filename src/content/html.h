/* html.h: HTML as a tree, within limits.
 *
 * gumbo reads it. It neither fails nor has limits, its time may be the square of the number of
 * tags and its memory more than that, and it frees a tree by calling itself. So a document is
 * cut behind so many tags, memory has an end, and everything lives in the arena given. Trees
 * may be as deep as there are tags: who walks them must not call itself. Pure; one thread at a
 * time; in its own process where mail comes from strangers.
 */
#ifndef GODWIT_CONTENT_HTML_H
#define GODWIT_CONTENT_HTML_H

#include "base/arena.h"

enum {
    HTML_BYTES_MAX = 4 * 1024 * 1024,
    HTML_TAGS_MAX = 16000,
    HTML_MEMORY_MAX = 96 * 1024 * 1024,
};

/* A node is gumbo's, by the name that others may use. */
struct html_node;

struct html {
    struct slice source; /* what was read of it */
    const struct html_node *root; /* the document; NULL: it takes too much memory */
    bool is_cut;         /* there was more than the limits let through */
};

/* UTF-8; `source` must live as long as the tree. */
void html_read(struct slice source, struct arena *arena, struct html *out_html);

#endif
