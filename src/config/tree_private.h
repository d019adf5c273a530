/* tree_private.h: the configuration as it was said: texts, lists and maps, each with
 * the place it comes from.
 *
 * A file is read into a tree; flags replace nodes in it; what nobody said is filled in
 * from the table of keys. The snapshot is read from the completed tree, and `config
 * show` prints the same tree, so that the two cannot differ. Nodes lie in the
 * snapshot's arena.
 */
#ifndef GODWIT_CONFIG_TREE_PRIVATE_H
#define GODWIT_CONFIG_TREE_PRIVATE_H

#include "base/arena.h"

enum node_kind {
    NODE_TEXT,
    NODE_LIST,
    NODE_MAP,
};

enum node_origin {
    NODE_DEFAULT,
    NODE_FILE,
    NODE_FLAG,
    NODE_SHIPPED, /* in providers.yaml */
};

struct node {
    enum node_kind kind;
    enum node_origin origin;
    uint32_t line;        /* from 1; 0 when it is not from the file */
    uint32_t column;
    uint32_t name_line;   /* of the key, for what stands in a map */
    uint32_t name_column;
    struct slice name;    /* empty in a list */
    struct slice text;
    struct node *parent;
    struct node *first;   /* of a list and a map */
    struct node *last;
    struct node *next;
};

/* A new node without a parent, or NULL without memory. `text` is borrowed. */
struct node *node_new(struct arena *arena, enum node_kind kind, enum node_origin origin);
struct node *node_text(struct arena *arena, struct slice text, enum node_origin origin);

/* Puts it behind its siblings. In a map it needs a name, borrowed. */
void node_add(struct node *parent, struct node *child);
void node_add_named(struct node *parent, struct slice name, struct node *child);

/* Takes it out; harmless for NULL. */
void node_remove(struct node *child);

/* The child of that name, or NULL. */
struct node *node_find(const struct node *map, struct slice name);

size_t node_count(const struct node *parent);

#endif
