/* html_private.h: gumbo's nodes, for those who walk over them. */
#ifndef GODWIT_CONTENT_HTML_PRIVATE_H
#define GODWIT_CONTENT_HTML_PRIVATE_H

#include "content/html.h"

#include <gumbo.h>

static inline const GumboNode *html_gumbo(const struct html_node *node)
{
    return (const GumboNode *)(const void *)node;
}

static inline const struct html_node *html_node_of(const GumboNode *node)
{
    return (const struct html_node *)(const void *)node;
}

static inline bool html_is_element(const GumboNode *node)
{
    return node->type == GUMBO_NODE_ELEMENT || node->type == GUMBO_NODE_TEMPLATE;
}

static inline bool html_is_text(const GumboNode *node)
{
    return node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_WHITESPACE ||
           node->type == GUMBO_NODE_CDATA;
}

/* The children of an element or of the document; NULL: it can have none. */
const GumboVector *html_children(const GumboNode *node);

/* The tag's name in small letters, also of one that gumbo does not know. */
struct slice html_tag_name(const GumboNode *element);

/* False: the element has no such attribute. */
bool html_attribute(const GumboNode *element, const char *name, struct slice *out_value);

/* The next node in the order of the document, within `top`; NULL: that was the last one.
 * With `is_skipped` what is in `node` is passed over. */
const GumboNode *html_next(const GumboNode *top, const GumboNode *node, bool is_skipped);

#endif
