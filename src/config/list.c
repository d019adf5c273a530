/* list.c: the types of lists: networks, addresses, listeners, routes. */
#include "config/reader_private.h"

struct items {
    void *items;
    size_t count;
};

/* An array and its count stand one behind the other in struct config. */
#define STAND_TOGETHER(type, array)                                            \
    _Static_assert(offsetof(type, array##_count) ==                            \
                       offsetof(type, array) + offsetof(struct items, count),  \
                   "an array is followed by its count")
STAND_TOGETHER(struct config, listeners);
STAND_TOGETHER(struct config, certificates);
STAND_TOGETHER(struct config, relay_clients);
STAND_TOGETHER(struct config, xclient_from);
STAND_TOGETHER(struct config, proxy_from);
STAND_TOGETHER(struct config, routes);
STAND_TOGETHER(struct config_dns, servers);

/* A single text stands for a list of one. */
static struct node *first_item(struct node *node)
{
    return node->kind == NODE_LIST ? node->first : node;
}

static struct node *next_item(const struct node *list, const struct node *item)
{
    return list->kind == NODE_LIST ? item->next : NULL;
}

struct list_plan {
    size_t item_size;
    bool (*read)(struct reader *r, const struct key *key, struct node *item, void *place);
};

static bool read_list(struct reader *r, const struct key *key, struct node *node,
                      void *place, const struct list_plan *plan)
{
    if (node->kind == NODE_MAP)
        return reader_expected(r, key, node);
    struct items all = { .count = node->kind == NODE_LIST ? node_count(node) : 1 };
    all.items = arena_alloc_many(r->arena, all.count == 0 ? 1 : all.count,
                                 plan->item_size);
    if (all.items == NULL)
        return reader_memory(r);
    char *at = all.items;
    for (struct node *n = first_item(node); n != NULL; n = next_item(node, n)) {
        if (!plan->read(r, key, n, at))
            return false;
        at += plan->item_size;
    }
    memcpy(place, &all, sizeof all);
    return true;
}

static bool read_network(struct reader *r, const struct key *key, struct node *node,
                         void *place)
{
    if (!reader_text(r, key, node))
        return false;
    return network_parse(node->text, place) ||
           reader_fail(r, node, "'%.*s' is not a network such as 192.0.2.0/24 (no bits "
                       "set behind the prefix) or 2001:db8::/32",
                       (int)slice_part(node->text, 0, 80).len, node->text.data);
}

static bool read_networks(struct reader *r, const struct key *key, struct node *node,
                          void *place)
{
    static const struct list_plan plan = { sizeof(struct network), read_network };
    return read_list(r, key, node, place, &plan);
}

enum { DNS_PORT = 53 };

static bool read_server(struct reader *r, const struct key *key, struct node *node,
                        void *place)
{
    if (!reader_text(r, key, node))
        return false;
    struct net_address address;
    if ((!net_host_parse(node->text, DNS_PORT, &address) &&
         !net_address_parse(node->text, &address)) ||
        address.any.sa_family == AF_UNIX)
        return reader_fail(r, node, "'%.*s' is not an address such as 192.0.2.53 or "
                           "127.0.0.1:5353",
                           (int)slice_part(node->text, 0, 80).len, node->text.data);
    memcpy(place, &address, sizeof address);
    return true;
}

static bool read_addresses(struct reader *r, const struct key *key, struct node *node,
                           void *place)
{
    static const struct list_plan plan = { sizeof(struct net_address), read_server };
    return read_list(r, key, node, place, &plan);
}

/* A text in a list of maps is the map's first key. */
static bool make_map(struct reader *r, struct node *node, const char *name)
{
    if (node->kind != NODE_TEXT)
        return true;
    struct node *text = node_text(r->arena, node->text, node->origin);
    if (text == NULL)
        return reader_memory(r);
    text->line = text->name_line = node->line;
    text->column = text->name_column = node->column;
    node->kind = NODE_MAP;
    node->text = slice_make(NULL, 0);
    node_add_named(node, slice_from_string(name), text);
    return true;
}

/* What was not said and depends on the role. False without memory. */
static bool say_default(struct reader *r, struct node *node, struct slice name,
                        const char *value)
{
    struct node *text = node_text(r->arena, slice_from_string(value), NODE_DEFAULT);
    if (text == NULL)
        return reader_memory(r);
    node_add_named(node, name, text);
    return true;
}

static bool read_listener(struct reader *r, const struct key *key, struct node *node,
                          void *place)
{
    struct config_listener *listener = place;
    struct slice line_end = SLICE("bare_line_end");
    struct slice auth = SLICE("auth");
    if (!make_map(r, node, "address"))
        return false;
    if (!reader_map(r, node, key->keys, listener))
        return false;
    bool relay = listener->role == CONFIG_ROLE_RELAY;
    if (node_find(node, line_end) == NULL) {
        listener->bare_line_end = relay ? LINE_END_REJECT : LINE_END_CONVERT;
        if (!say_default(r, node, line_end, relay ? "reject" : "convert"))
            return false;
    }
    if (node_find(node, auth) == NULL) {
        listener->auth = relay ? CONFIG_AUTH_NONE : CONFIG_AUTH_REQUIRED;
        if (!say_default(r, node, auth, relay ? "none" : "required"))
            return false;
    }
    return true;
}

static bool read_listeners(struct reader *r, const struct key *key, struct node *node,
                           void *place)
{
    static const struct list_plan plan = { sizeof(struct config_listener), read_listener };
    return read_list(r, key, node, place, &plan);
}

static bool read_certificate(struct reader *r, const struct key *key, struct node *node,
                             void *place)
{
    return make_map(r, node, "cert") && reader_map(r, node, key->keys, place);
}

static bool read_certificates(struct reader *r, const struct key *key, struct node *node,
                              void *place)
{
    static const struct list_plan plan = { sizeof(struct config_certificate),
                                           read_certificate };
    return read_list(r, key, node, place, &plan);
}

static bool read_route(struct reader *r, const struct key *key, struct node *node,
                       void *place)
{
    return reader_map(r, node, key->keys, place);
}

static bool read_routes(struct reader *r, const struct key *key, struct node *node,
                        void *place)
{
    static const struct list_plan plan = { sizeof(struct config_route), read_route };
    if (node->kind != NODE_LIST)
        return reader_expected(r, key, node);
    return read_list(r, key, node, place, &plan);
}

static void schema_texts(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":[\"array\",\"string\"],"
                             "\"items\":{\"type\":\"string\"}"));
}

static void schema_listeners(const struct key *key, struct buffer *out)
{
    buffer_append(out, SLICE("\"type\":[\"array\",\"string\",\"integer\"],"
                             "\"items\":{\"anyOf\":[{\"type\":[\"string\",\"integer\"]},{"));
    schema_of_keys(key->keys, out);
    buffer_append(out, SLICE("}]}"));
}

static void schema_certificates(const struct key *key, struct buffer *out)
{
    buffer_append(out, SLICE("\"type\":[\"array\",\"string\"],"
                             "\"items\":{\"anyOf\":[{\"type\":\"string\"},{"));
    schema_of_keys(key->keys, out);
    buffer_append(out, SLICE("}]}"));
}

static void schema_routes(const struct key *key, struct buffer *out)
{
    buffer_append(out, SLICE("\"type\":\"array\",\"items\":{"));
    schema_of_keys(key->keys, out);
    buffer_append_byte(out, '}');
}

const struct key_type type_networks = {
    .expected = "a list of networks such as [192.0.2.0/24, 2001:db8::/32]",
    .read = read_networks, .schema = schema_texts, .kind = NODE_LIST,
};
const struct key_type type_addresses = {
    .expected = "a list of addresses such as [192.0.2.53, 127.0.0.1:5353]",
    .read = read_addresses, .schema = schema_texts, .kind = NODE_LIST,
};
const struct key_type type_listeners = {
    .expected = "a list of listeners such as [{ address: \"*:25\", role: relay }]",
    .read = read_listeners, .schema = schema_listeners, .kind = NODE_LIST,
};
const struct key_type type_certificates = {
    .expected = "a list of certificates such as [{ cert: /etc/ssl/mx.pem, "
                "key: /etc/ssl/mx.key }]",
    .read = read_certificates, .schema = schema_certificates, .kind = NODE_LIST,
};
const struct key_type type_routes = {
    .expected = "a list of routes such as [{ to: \"@example.com\", deliver: mx }]",
    .read = read_routes, .schema = schema_routes, .kind = NODE_LIST,
};
