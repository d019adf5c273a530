/* complete.c: what flags say, and the defaults that depend on the machine or on what
 * else was said. They go into the tree before it is read. */
#include "config/reader_private.h"

#include "wire/smtp/address.h"

#include <unistd.h>

static struct node *section(struct reader *r, struct node *root, struct slice name,
                            enum node_origin origin)
{
    struct node *n = node_find(root, name);
    if (n != NULL)
        return n;
    n = node_new(r->arena, NODE_MAP, origin);
    if (n != NULL)
        node_add_named(root, name, n);
    return n;
}

/* Sets a text, in place of what stands there. Wrong kinds are left to be refused. */
static bool set(struct reader *r, struct node *map, struct slice name, struct slice text,
                enum node_origin origin)
{
    struct slice kept;
    if (map != NULL && map->kind != NODE_MAP)
        return true;
    if (map == NULL || !arena_copy(r->arena, text, &kept))
        return reader_memory(r);
    struct node *n = node_text(r->arena, kept, origin);
    if (n == NULL)
        return reader_memory(r);
    node_remove(node_find(map, name));
    node_add_named(map, name, n);
    return true;
}

static bool flag(struct reader *r, struct node *map, struct slice name, struct slice text)
{
    return slice_is_empty(text) || set(r, map, name, text, NODE_FLAG);
}

static bool listen_flags(struct reader *r, struct node *root)
{
    if (r->flags->listen_count == 0)
        return true;
    struct node *list = node_new(r->arena, NODE_LIST, NODE_FLAG);
    if (list == NULL)
        return reader_memory(r);
    node_remove(node_find(root, SLICE("listen")));
    node_add_named(root, SLICE("listen"), list);
    for (size_t i = 0; i < r->flags->listen_count; i++) {
        struct slice text;
        if (!arena_copy(r->arena, r->flags->listen[i], &text))
            return reader_memory(r);
        struct node *item = node_text(r->arena, text, NODE_FLAG);
        if (item == NULL)
            return reader_memory(r);
        node_add(list, item);
    }
    return true;
}

/* { smtp: <next hop> } under `map`, in place of what stands there. */
static bool set_next_hop(struct reader *r, struct node *map)
{
    struct node *deliver = node_new(r->arena, NODE_MAP, NODE_FLAG);
    if (deliver == NULL)
        return reader_memory(r);
    node_remove(node_find(map, SLICE("deliver")));
    node_remove(node_find(map, SLICE("quota")));
    node_add_named(map, SLICE("deliver"), deliver);
    return set(r, deliver, SLICE("smtp"), r->flags->next_hop, NODE_FLAG);
}

static bool next_hop_flag(struct reader *r, struct node *root)
{
    if (slice_is_empty(r->flags->next_hop))
        return true;
    struct node *routes = node_new(r->arena, NODE_LIST, NODE_FLAG);
    struct node *route = node_new(r->arena, NODE_MAP, NODE_FLAG);
    if (routes == NULL || route == NULL)
        return reader_memory(r);
    node_remove(node_find(root, SLICE("routes")));
    node_add_named(root, SLICE("routes"), routes);
    node_add(routes, route);
    if (!set_next_hop(r, route))
        return false;
    struct node *domains = node_find(root, SLICE("domains"));
    if (domains == NULL || domains->kind != NODE_MAP)
        return true;
    for (struct node *d = domains->first; d != NULL; d = d->next)
        if (d->kind == NODE_MAP && node_find(d, SLICE("deliver")) != NULL &&
            !set_next_hop(r, d))
            return false;
    return true;
}

static bool flags_into(struct reader *r, struct node *root)
{
    const struct config_flags *f = r->flags;
    bool says_log = !slice_is_empty(f->log_form) || !slice_is_empty(f->log_level);
    if (!flag(r, root, SLICE("hostname"), f->hostname) ||
        !flag(r, root, SLICE("data"), f->data) || !listen_flags(r, root) ||
        !next_hop_flag(r, root))
        return false;
    if (says_log) {
        struct node *log = section(r, root, SLICE("log"), NODE_FLAG);
        if (!flag(r, log, SLICE("form"), f->log_form) ||
            !flag(r, log, SLICE("level"), f->log_level))
            return false;
    }
    return !f->hold || set(r, section(r, root, SLICE("queue"), NODE_FLAG), SLICE("hold"),
                           SLICE("true"), NODE_FLAG);
}

/* The kernel's name for this machine where it is a domain name. */
static bool default_hostname(struct reader *r, struct node *root)
{
    char name[256];
    struct slice said = SLICE("localhost");
    if (node_find(root, SLICE("hostname")) != NULL)
        return true;
    if (gethostname(name, sizeof name) == 0 &&
        memchr(name, '\0', sizeof name) != NULL &&
        smtp_domain_is_valid(slice_from_string(name)))
        said = slice_from_string(name);
    return set(r, root, SLICE("hostname"), said, NODE_DEFAULT);
}

static bool default_listener(struct reader *r, struct node *root)
{
    if (node_find(root, SLICE("listen")) != NULL)
        return true;
    struct node *list = node_new(r->arena, NODE_LIST, NODE_DEFAULT);
    struct node *item = node_new(r->arena, NODE_MAP, NODE_DEFAULT);
    if (list == NULL || item == NULL)
        return reader_memory(r);
    node_add_named(root, SLICE("listen"), list);
    node_add(list, item);
    return set(r, item, SLICE("address"), SLICE("127.0.0.1:2525"), NODE_DEFAULT) &&
           set(r, item, SLICE("role"), SLICE("submission"), NODE_DEFAULT);
}

/* The last route takes everything that none before it took. */
static bool last_route(struct reader *r, struct node *root)
{
    bool capture = r->flags->capture;
    enum node_origin origin = capture ? NODE_FLAG : NODE_DEFAULT;
    struct node *routes = node_find(root, SLICE("routes"));
    struct node *route = node_new(r->arena, NODE_MAP, origin);
    if (routes == NULL) {
        routes = node_new(r->arena, NODE_LIST, origin);
        if (routes == NULL)
            return reader_memory(r);
        node_add_named(root, SLICE("routes"), routes);
    }
    if (route == NULL)
        return reader_memory(r);
    if (routes->kind != NODE_LIST)
        return true;
    node_add(routes, route);
    return set(r, route, SLICE("deliver"), capture ? SLICE("capture") : SLICE("mx"),
               origin);
}

bool tree_complete(struct reader *r, struct node *root)
{
    bool is_root = geteuid() == 0;
    if (!flags_into(r, root) || !default_hostname(r, root) || !default_listener(r, root) ||
        !last_route(r, root))
        return false;
    return node_find(root, SLICE("data")) != NULL ||
           set(r, root, SLICE("data"),
               is_root ? SLICE("/var/lib/godwit") : SLICE("./godwit-data"), NODE_DEFAULT);
}
