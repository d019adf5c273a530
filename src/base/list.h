/* list.h: an intrusive, doubly linked list. A node stands in at most one list at
 * a time; an unlinked node has both pointers NULL. */
#ifndef GODWIT_BASE_LIST_H
#define GODWIT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *next;
    struct list_node *previous;
};

struct list {
    struct list_node head;
};

/* The struct of `type` whose `member` is `node`; NULL stays NULL only if `member`
 * stands first, so check the node before. */
#define container_of(node, type, member)                                       \
    ((type *)(void *)((char *)(node) - offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->head.next = l->head.previous = &l->head;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->head.next == &l->head;
}

static inline bool list_is_linked(const struct list_node *n)
{
    return n->next != NULL;
}

static inline void list_link_(struct list_node *n, struct list_node *previous,
                              struct list_node *next)
{
    n->previous = previous;
    n->next = next;
    previous->next = n;
    next->previous = n;
}

static inline void list_append(struct list *l, struct list_node *n)
{
    list_link_(n, l->head.previous, &l->head);
}

static inline void list_prepend(struct list *l, struct list_node *n)
{
    list_link_(n, &l->head, l->head.next);
}

/* Harmless on a node that is in no list. */
static inline void list_remove(struct list_node *n)
{
    if (n->next == NULL)
        return;
    n->previous->next = n->next;
    n->next->previous = n->previous;
    n->next = n->previous = NULL;
}

/* The first node, or NULL. */
static inline struct list_node *list_first(const struct list *l)
{
    return list_is_empty(l) ? NULL : l->head.next;
}

/* The node after `n`, or NULL. */
static inline struct list_node *list_next(const struct list *l,
                                          const struct list_node *n)
{
    return n->next == &l->head ? NULL : n->next;
}

/* Takes the first node out, or NULL. */
static inline struct list_node *list_take(struct list *l)
{
    struct list_node *n = list_first(l);
    if (n != NULL)
        list_remove(n);
    return n;
}

#endif
