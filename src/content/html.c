/* html.c: gumbo under limits. It has no way to be told that memory is out but to leave it, which
 * is safe since it holds nothing that is not in the arena. */
#include "content/html_private.h"

#include "base/ascii.h"

#include <setjmp.h>

struct memory {
    struct arena *arena;
    size_t left;
    jmp_buf out;
};

static void *take(void *context, size_t size)
{
    struct memory *memory = context;
    void *taken = size > memory->left ? NULL : arena_alloc(memory->arena, size);
    if (taken == NULL)
        longjmp(memory->out, 1);
    memory->left -= size;
    return taken;
}

static void give_back(void *context, void *taken)
{
    (void)context;
    (void)taken;
}

/* Whatever begins a tag counts, also where it is none, so that nothing is missed. */
static struct slice cut(struct slice source, bool *out_is_cut)
{
    struct slice part = slice_part(source, 0, HTML_BYTES_MAX);
    size_t tags = 0;
    for (size_t i = 0; i < part.len; i++)
        if (part.data[i] == '<' && ++tags > HTML_TAGS_MAX)
            part.len = i;
    *out_is_cut = part.len < source.len;
    return part;
}

static const GumboOutput *parse(struct memory *memory, struct slice source)
{
    GumboOptions options = kGumboDefaultOptions;
    options.allocator = take;
    options.deallocator = give_back;
    options.userdata = memory;
    options.max_errors = 0;
    if (setjmp(memory->out) != 0)
        return NULL;
    return gumbo_parse_with_options(&options, source.len == 0 ? "" : source.data, source.len);
}

void html_read(struct slice source, struct arena *arena, struct html *out_html)
{
    struct memory memory = { .arena = arena, .left = HTML_MEMORY_MAX };
    struct html html = { .root = NULL };
    html.source = cut(source, &html.is_cut);
    const GumboOutput *output = parse(&memory, html.source);
    if (output != NULL)
        html.root = html_node_of(output->document);
    *out_html = html;
}

const GumboVector *html_children(const GumboNode *node)
{
    if (html_is_element(node))
        return &node->v.element.children;
    return node->type == GUMBO_NODE_DOCUMENT ? &node->v.document.children : NULL;
}

struct slice html_tag_name(const GumboNode *element)
{
    if (element->v.element.tag != GUMBO_TAG_UNKNOWN)
        return slice_from_string(gumbo_normalized_tagname(element->v.element.tag));
    GumboStringPiece piece = element->v.element.original_tag;
    gumbo_tag_from_original_text(&piece);
    return slice_make(piece.data, piece.length);
}

bool html_attribute(const GumboNode *element, const char *name, struct slice *out_value)
{
    const GumboAttribute *found = gumbo_get_attribute(&element->v.element.attributes, name);
    if (found == NULL)
        return false;
    *out_value = slice_from_string(found->value);
    return true;
}

static const GumboNode *sibling_after(const GumboNode *node)
{
    const GumboVector *siblings = html_children(node->parent);
    size_t next = node->index_within_parent + 1;
    return next < siblings->length ? siblings->data[next] : NULL;
}

const GumboNode *html_next(const GumboNode *top, const GumboNode *node, bool is_skipped)
{
    const GumboVector *children = html_children(node);
    if (!is_skipped && children != NULL && children->length > 0)
        return children->data[0];
    for (; node != top && node->parent != NULL; node = node->parent) {
        const GumboNode *sibling = sibling_after(node);
        if (sibling != NULL)
            return sibling;
    }
    return NULL;
}
