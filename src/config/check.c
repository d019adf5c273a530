/* check.c: what follows from several keys together, once all are read. */
#include "config/reader_private.h"

static bool capture_path(struct reader *r, struct slice *out_path)
{
    struct buffer path;
    buffer_init(&path, 8192);
    buffer_append(&path, r->snapshot->config.data);
    buffer_append(&path, SLICE("/captured"));
    return reader_keep(r, &path, out_path);
}

static bool check_routes(struct reader *r)
{
    struct config *c = &r->snapshot->config;
    struct slice captured;
    if (!capture_path(r, &captured))
        return false;
    for (size_t i = 0; i < c->routes_count; i++)
        if (c->routes[i].deliver.way == CONFIG_WAY_CAPTURE)
            c->routes[i].deliver.path = captured;
    return true;
}

static bool check_listeners(struct reader *r)
{
    const struct config *c = &r->snapshot->config;
    const struct node *list = node_find(r->snapshot->tree, SLICE("listen"));
    if (c->listeners_count == 0)
        return reader_fail(r, list, "at least one listener is needed");
    const struct node *item = list->kind == NODE_LIST ? list->first : list;
    for (size_t i = 0; i < c->listeners_count; i++, item = item->next)
        if (c->listeners[i].proxy && c->proxy_from_count == 0)
            return reader_fail_name(r, node_find(item, SLICE("proxy")),
                                    "say in proxy_from who may send a PROXY header");
    return true;
}

bool snapshot_check(struct reader *r)
{
    return check_routes(r) && check_listeners(r);
}
