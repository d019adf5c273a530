/* tree.c: nodes and their places among each other. */
#include "config/tree_private.h"

struct node *node_new(struct arena *arena, enum node_kind kind, enum node_origin origin)
{
    struct node *n = arena_alloc(arena, sizeof *n);
    if (n != NULL)
        *n = (struct node){ .kind = kind, .origin = origin };
    return n;
}

struct node *node_text(struct arena *arena, struct slice text, enum node_origin origin)
{
    struct node *n = node_new(arena, NODE_TEXT, origin);
    if (n != NULL)
        n->text = text;
    return n;
}

void node_add(struct node *parent, struct node *child)
{
    child->parent = parent;
    child->next = NULL;
    if (parent->last == NULL)
        parent->first = child;
    else
        parent->last->next = child;
    parent->last = child;
}

void node_add_named(struct node *parent, struct slice name, struct node *child)
{
    child->name = name;
    node_add(parent, child);
}

void node_remove(struct node *child)
{
    struct node *before = NULL;
    if (child == NULL || child->parent == NULL)
        return;
    struct node *parent = child->parent;
    for (struct node *n = parent->first; n != child; n = n->next)
        before = n;
    if (before == NULL)
        parent->first = child->next;
    else
        before->next = child->next;
    if (parent->last == child)
        parent->last = before;
    child->parent = NULL;
    child->next = NULL;
}

struct node *node_find(const struct node *map, struct slice name)
{
    struct node *n = map->first;
    while (n != NULL && !slice_equal(n->name, name))
        n = n->next;
    return n;
}

size_t node_count(const struct node *parent)
{
    size_t count = 0;
    for (const struct node *n = parent->first; n != NULL; n = n->next)
        count++;
    return count;
}
