/* show.c: the completed tree as YAML, each value with where it comes from. What it
 * prints is a configuration again. */
#include "config/reader_private.h"

#include "base/ascii.h"

static bool is_plain(struct slice text)
{
    if (text.len == 0 || !(ascii_is_alnum(text.data[0]) || text.data[0] == '/'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (!ascii_is_alnum(c) && c != '.' && c != '-' && c != '_' && c != '/')
            return false;
    }
    /* Words that YAML may read as something else than themselves. */
    return !slice_equal_nocase(text, SLICE("null"));
}

static void append_text(struct buffer *out, struct slice text)
{
    if (is_plain(text)) {
        buffer_append(out, text);
        return;
    }
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '"' || c == '\\')
            buffer_append_byte(out, '\\');
        if (ascii_is_control(c))
            buffer_append_format(out, "\\x%02x", (unsigned)(unsigned char)c);
        else
            buffer_append_byte(out, c);
    }
    buffer_append_byte(out, '"');
}

static void append_origin(struct buffer *out, const struct snapshot *s,
                          const struct node *node)
{
    buffer_append(out, SLICE("  # "));
    switch (node->origin) {
    case NODE_DEFAULT:
        buffer_append(out, SLICE("default"));
        break;
    case NODE_SHIPPED:
        buffer_append(out, SLICE("shipped"));
        break;
    case NODE_FILE:
        buffer_append_escaped(out, s->file);
        buffer_append_format(out, ":%u", node->line);
        break;
    case NODE_FLAG:
        buffer_append(out, SLICE("command line"));
        break;
    }
    buffer_append_byte(out, '\n');
}

static void append_indent(struct buffer *out, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        buffer_append(out, SLICE("  "));
}

/* Behind "key:" or "-": a value on the line, or what begins on the next one. Texts and
 * empty collections stand on the line. */
static bool append_inline(struct buffer *out, const struct snapshot *s,
                          const struct node *node)
{
    if (node->kind != NODE_TEXT && node->first != NULL)
        return false;
    buffer_append_byte(out, ' ');
    switch (node->kind) {
    case NODE_TEXT:
        append_text(out, node->text);
        break;
    case NODE_LIST:
        buffer_append(out, SLICE("[]"));
        break;
    case NODE_MAP:
        buffer_append(out, SLICE("{}"));
        break;
    }
    append_origin(out, s, node);
    return true;
}

/* The first node under `root` in the order of the text, then each next one; *depth
 * goes along. No recursion: a tree may be as deep as its file says. */
static const struct node *next_node(const struct node *root, const struct node *at,
                                    unsigned *depth)
{
    if (at->first != NULL) {
        ++*depth;
        return at->first;
    }
    while (at != root && at->next == NULL) {
        at = at->parent;
        --*depth;
    }
    return at == root ? NULL : at->next;
}

static void append_node(struct buffer *out, const struct snapshot *s,
                        const struct node *node, unsigned depth)
{
    append_indent(out, depth);
    if (node->parent->kind == NODE_LIST) {
        buffer_append_byte(out, '-');
    } else {
        append_text(out, node->name);
        buffer_append_byte(out, ':');
    }
    if (!append_inline(out, s, node))
        buffer_append_byte(out, '\n');
}

void config_show(const struct config *config, struct buffer *out)
{
    const struct snapshot *s = (const struct snapshot *)(const void *)config;
    unsigned depth = 0;
    const struct node *at = next_node(s->tree, s->tree, &depth);
    for (; at != NULL; at = next_node(s->tree, at, &depth))
        append_node(out, s, at, depth - 1);
}
