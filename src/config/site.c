/* site.c: the type of `sites`: limits for where mail goes, and what replies mean there.
 *
 * What the program ships (providers.yaml) is put into the tree behind what the file says,
 * key by key where both have a name, so that it is read, shown and overridden like the rest.
 */
#include "config/reader_private.h"

#include "base/ascii.h"
#include "base/cursor.h"
#include "base/moment.h"

enum { REPLY_TEXT_MAX = 200, NAME_MAX_CHARACTERS = 60, SITES_MAX = 1000 };

static const struct choice downgrades[] = {
    { "note", false }, { "refuse", true }, { NULL, 0 },
};
static const struct choice thens[] = {
    { "slow", CONFIG_REPLY_SLOW },   { "suspend", CONFIG_REPLY_SUSPEND },
    { "defer", CONFIG_REPLY_DEFER }, { "bounce", CONFIG_REPLY_BOUNCE }, { NULL, 0 },
};

/* ---- rates ---- */

static const struct {
    struct slice name;
    uint32_t ms;
} units[] = {
    { SLICE_INIT("s"), SECOND_MS }, { SLICE_INIT("min"), MINUTE_MS },
    { SLICE_INIT("h"), HOUR_MS },   { SLICE_INIT("d"), DAY_MS },
};

/* rate = "none" / 1*DIGIT "/" ( "s" / "min" / "h" / "d" ) */
static bool take_rate(struct slice text, struct config_rate *out)
{
    struct cursor c = cursor_over(text);
    uint64_t count;
    *out = (struct config_rate){ .count = 0 };
    if (slice_equal(text, SLICE("none")))
        return true;
    if (!cursor_take_number(&c, 1000000, &count) || count == 0 || !cursor_take_byte(&c, '/'))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (slice_equal(cursor_rest(&c), units[i].name)) {
            *out = (struct config_rate){ (uint32_t)count, units[i].ms };
            return true;
        }
    return false;
}

static bool read_rate(struct reader *r, const struct key *key, struct node *node, void *place)
{
    if (!reader_text(r, key, node))
        return false;
    return take_rate(node->text, place) || reader_expected(r, key, node);
}

static void schema_rate(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":\"string\","
                             "\"pattern\":\"^(none|[1-9][0-9]*/(s|min|h|d))$\""));
}

static const struct key_type type_rate = {
    .expected = "a rate such as 10/s, 20/min, 1000/h, 5000/d or none",
    .read = read_rate, .schema = schema_rate, .kind = NODE_TEXT,
};

/* ---- replies ---- */

/* code = ( "4" / "5" ) ( "xx" / 2DIGIT ) */
static bool read_code(struct reader *r, const struct key *key, struct node *node, void *place)
{
    uint64_t code;
    if (!reader_text(r, key, node))
        return false;
    if (slice_equal_nocase(node->text, SLICE("4xx")))
        code = 4;
    else if (slice_equal_nocase(node->text, SLICE("5xx")))
        code = 5;
    else if (!slice_to_number(node->text, 599, &code) || code < 400)
        return reader_expected(r, key, node);
    memcpy(place, &(uint32_t){ (uint32_t)code }, sizeof(uint32_t));
    return true;
}

static void schema_code(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":[\"integer\",\"string\"]"));
}

static const struct key_type type_code = {
    .expected = "a reply code such as 421, or 4xx or 5xx",
    .read = read_code, .schema = schema_code, .kind = NODE_TEXT,
};

/* status = ( "4" / "5" ) "." 1*3DIGIT [ "." 1*3DIGIT ] */
static bool read_status(struct reader *r, const struct key *key, struct node *node, void *place)
{
    if (!reader_text(r, key, node))
        return false;
    struct cursor c = cursor_over(node->text);
    uint64_t class;
    uint64_t number;
    bool good = cursor_take_number(&c, 5, &class) && class >= 4;
    for (int i = 0; good && i < 2 && (i == 0 || !slice_is_empty(cursor_rest(&c))); i++)
        good = cursor_take_byte(&c, '.') && cursor_take_number(&c, 999, &number);
    if (!good || !slice_is_empty(cursor_rest(&c)))
        return reader_expected(r, key, node);
    memcpy(place, &node->text, sizeof node->text);
    return true;
}

static void schema_status(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":[\"string\",\"number\"]"));
}

static const struct key_type type_status = {
    .expected = "an enhanced status code such as 4.7.28, or 4.7 for all that begin so",
    .read = read_status, .schema = schema_status, .kind = NODE_TEXT,
};

static bool read_parts(struct reader *r, const struct key *key, struct node *node, void *place)
{
    struct config_slices all = { .count = 0 };
    struct node *n = node->kind == NODE_LIST ? node->first : node;
    if (node->kind == NODE_MAP)
        return reader_expected(r, key, node);
    all.all = arena_alloc_many(r->arena, node->kind == NODE_LIST ? node_count(node) + 1 : 1,
                               sizeof *all.all);
    if (all.all == NULL)
        return reader_memory(r);
    for (; n != NULL; n = node->kind == NODE_LIST ? n->next : NULL) {
        if (!reader_text(r, key, n))
            return false;
        if (n->text.len == 0 || n->text.len > REPLY_TEXT_MAX)
            return reader_fail(r, n, "a part of a reply has from 1 to %d octets",
                               REPLY_TEXT_MAX);
        all.all[all.count++] = n->text;
    }
    memcpy(place, &all, sizeof all);
    return true;
}

static void schema_texts(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":[\"array\",\"string\"],"
                             "\"items\":{\"type\":\"string\"}"));
}

static const struct key_type type_parts = {
    .expected = "a part of the reply's text, or a list of such",
    .read = read_parts, .schema = schema_texts, .kind = NODE_LIST,
};

static const struct key reply_keys[] = {
    { .name = "code", .type = &type_code, .offset = offsetof(struct config_reply, code),
      .help = "of the reply; 4xx and 5xx are all of a kind" },
    { .name = "status", .type = &type_status, .offset = offsetof(struct config_reply, status),
      .help = "its enhanced status code, or how that begins" },
    { .name = "text", .type = &type_parts, .offset = offsetof(struct config_reply, text),
      .help = "what is part of it, or one of several; without case" },
    { .name = "then", .type = &type_choice, .offset = offsetof(struct config_reply, then),
      .is_required = true, .choices = thens,
      .help = "slow: half the pace; suspend: nothing more for a time; defer or bounce: what "
              "becomes of the message" },
    { .name = "for", .type = &type_duration, .offset = offsetof(struct config_reply, for_ms),
      .fallback = "15m", .min = SECOND_MS, .max = 30 * DAY_MS,
      .help = "how long, of slow and suspend" },
    { .name = NULL },
};

struct replies {
    struct config_reply *all;
    size_t count;
};
_Static_assert(offsetof(struct config_site, replies_count) ==
                   offsetof(struct config_site, replies) + offsetof(struct replies, count),
               "an array is followed by its count");

static bool read_replies(struct reader *r, const struct key *key, struct node *node, void *place)
{
    struct replies all = { .count = 0 };
    if (node->kind != NODE_LIST)
        return reader_expected(r, key, node);
    all.all = arena_alloc_many(r->arena, node_count(node) + 1, sizeof *all.all);
    if (all.all == NULL)
        return reader_memory(r);
    for (struct node *n = node->first; n != NULL; n = n->next) {
        struct config_reply *reply = &all.all[all.count++];
        if (!reader_map(r, n, reply_keys, reply))
            return false;
        if (reply->code == 0 && reply->status.len == 0 && reply->text.count == 0)
            return reader_fail(r, n, "a code, a status or a text is needed");
    }
    memcpy(place, &all, sizeof all);
    return true;
}

static void schema_replies(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":\"array\",\"items\":{"));
    schema_of_keys(reply_keys, out);
    buffer_append_byte(out, '}');
}

static const struct key_type type_replies = {
    .expected = "a list such as [{ code: 421, text: \"too many\", then: slow, for: 15m }]",
    .read = read_replies, .schema = schema_replies, .kind = NODE_LIST,
};

/* ---- sites ---- */

/* Of every site. The fallbacks are the default's; a site with a name has those values. */
#define LIMIT_KEYS                                                                         \
    { .name = "connections", .type = &type_count32,                                        \
      .offset = offsetof(struct config_site, connections), .fallback = "20",               \
      .min = 1, .max = 10000, .help = "at a time" },                                      \
    { .name = "messages_per_connection", .type = &type_count32,                            \
      .offset = offsetof(struct config_site, messages_per_connection), .fallback = "100",  \
      .min = 1, .max = 1000000, .help = "then a new connection is made" },                 \
    { .name = "recipients_per_message", .type = &type_count32,                             \
      .offset = offsetof(struct config_site, recipients_per_message), .fallback = "100",   \
      .min = 1, .max = 1000000, .help = "more are sent as further copies" },               \
    { .name = "rate", .type = &type_rate, .offset = offsetof(struct config_site, rate),    \
      .fallback = "none", .help = "of messages, evenly spread: 10/s, 20/min, 1000/h" },    \
    { .name = "retry_first", .type = &type_duration,                                       \
      .offset = offsetof(struct config_site, retry_first_ms), .fallback = "0s",            \
      .max = 30 * DAY_MS, .help = "in place of the queue's; 0s: as there" },               \
    { .name = "retry_max", .type = &type_duration,                                         \
      .offset = offsetof(struct config_site, retry_max_ms), .fallback = "0s",              \
      .max = 30 * DAY_MS, .help = "in place of the queue's; 0s: as there" },               \
    { .name = "replies", .type = &type_replies,                                            \
      .offset = offsetof(struct config_site, replies), .fallback = "",                     \
      .help = "what is done about replies; the first that fits decides" }

static const struct key default_keys[] = {
    LIMIT_KEYS,
    { .name = "tls_downgrade", .type = &type_either,
      .offset = offsetof(struct config_site, refuse_downgrade), .fallback = "note",
      .choices = downgrades, .help = "a host that gives less TLS than it has shown before" },
    { .name = "dane", .type = &type_bool, .offset = offsetof(struct config_site, dane),
      .fallback = "true",
      .help = "heeds certificates that signed zones of the DNS vouch for" },
    { .name = "mta_sts", .type = &type_bool, .offset = offsetof(struct config_site, mta_sts),
      .fallback = "true", .help = "heeds the policies that domains publish over HTTPS" },
    { .name = NULL },
};

static const struct key named_keys[] = {
    { .name = "hosts", .type = &type_names, .offset = offsetof(struct config_site, hosts),
      .help = "the most preferred mail hosts of the domains meant" },
    { .name = "domains", .type = &type_names, .offset = offsetof(struct config_site, domains),
      .help = "the domains meant, by their own names" },
    LIMIT_KEYS,
    { .name = NULL },
};

enum { NAMED_KEYS = sizeof named_keys / sizeof named_keys[0] };

/* What is not said of a site with a name is the default's. */
static void without_fallbacks(struct key *out)
{
    memcpy(out, named_keys, sizeof named_keys);
    for (size_t i = 0; i < NAMED_KEYS; i++)
        out[i].fallback = NULL;
}

/* name = ( ALPHA / DIGIT ) *( ALPHA / DIGIT / "-" / "_" / "." ) */
static bool is_name(struct slice name)
{
    if (name.len == 0 || name.len > NAME_MAX_CHARACTERS || !ascii_is_alnum(name.data[0]))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!ascii_is_alnum(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

static bool read_named(struct reader *r, struct node *node, struct config_site *site)
{
    struct key keys[NAMED_KEYS];
    without_fallbacks(keys);
    *site = r->snapshot->config.site;
    site->name = node->name;
    site->replies = NULL;
    site->replies_count = 0;
    if (!is_name(node->name))
        return reader_fail_name(r, node, "a name has letters, digits, '-', '_' and '.', at "
                                "most %d", NAME_MAX_CHARACTERS);
    if (!reader_map(r, node, keys, site))
        return false;
    bool says_where = node_find(node, SLICE("hosts")) != NULL ||
                      node_find(node, SLICE("domains")) != NULL;
    return says_where || reader_fail_name(r, node, "no shipped site has that name: hosts or "
                                          "domains say what it is for");
}

/* ---- what is shipped ---- */

static bool shipped_text(struct reader *r, struct buffer *out)
{
    buffer_init(out, 1024 * 1024);
    for (const char *const *line = providers_lines; *line != NULL; line++)
        buffer_append_string(out, *line);
    return !out->overflow || reader_memory(r);
}

static void mark_shipped(struct node *root)
{
    struct node *n = root;
    while (n != NULL) {
        n->origin = NODE_SHIPPED;
        if (n->first != NULL) {
            n = n->first;
            continue;
        }
        while (n != root && n->next == NULL)
            n = n->parent;
        n = n == root ? NULL : n->next;
    }
}

/* Moves what the file does not say from a shipped site to its own. */
static void merge(struct node *own, struct node *shipped)
{
    struct node *next;
    for (struct node *n = shipped->first; n != NULL; n = next) {
        next = n->next;
        if (node_find(own, n->name) != NULL)
            continue;
        struct slice name = n->name;
        node_remove(n);
        node_add_named(own, name, n);
    }
}

static bool add_shipped(struct reader *r, struct node *sites)
{
    struct node *root = NULL;
    struct node *next;
    struct buffer text;
    struct slice kept;
    if (!shipped_text(r, &text) || !reader_keep(r, &text, &kept) || !yaml_read(r, kept, &root))
        return false;
    mark_shipped(root);
    for (struct node *n = root->first; n != NULL; n = next) {
        struct slice name = n->name;
        struct node *own = node_find(sites, name);
        next = n->next;
        if (own != NULL && own->kind == NODE_MAP) {
            merge(own, n);
        } else if (own == NULL) {
            node_remove(n);
            node_add_named(sites, name, n);
        }
    }
    return true;
}

static bool read_default(struct reader *r, struct node *sites, struct config_site *site)
{
    struct slice name = SLICE("default");
    struct node *node = node_find(sites, name);
    if (node == NULL) {
        node = node_new(r->arena, NODE_MAP, NODE_DEFAULT);
        if (node == NULL)
            return reader_memory(r);
        node_add_named(sites, name, node);
    }
    site->name = name;
    return reader_map(r, node, default_keys, site);
}

static bool read_sites(struct reader *r, const struct key *key, struct node *node, void *place)
{
    struct config *c = &r->snapshot->config;
    if (node->kind != NODE_MAP)
        return reader_expected(r, key, node);
    if (!add_shipped(r, node) || !read_default(r, node, place))
        return false;
    size_t count = node_count(node);
    if (count > SITES_MAX)
        return reader_fail(r, node, "at most %d sites may have a name", SITES_MAX);
    c->sites = arena_alloc_many(r->arena, count, sizeof *c->sites);
    if (c->sites == NULL)
        return reader_memory(r);
    for (struct node *n = node->first; n != NULL; n = n->next)
        if (!slice_equal(n->name, SLICE("default")) &&
            !read_named(r, n, &c->sites[c->sites_count++]))
            return false;
    return true;
}

static void schema_sites(const struct key *key, struct buffer *out)
{
    (void)key;
    buffer_append(out, SLICE("\"type\":\"object\",\"properties\":{\"default\":{"));
    schema_of_keys(default_keys, out);
    buffer_append(out, SLICE("}},\"additionalProperties\":{"));
    schema_of_keys(named_keys, out);
    buffer_append_byte(out, '}');
}

const struct key_type type_sites = {
    .expected = "a map of sites such as { gmail: { connections: 10, rate: 5/s } }",
    .read = read_sites, .schema = schema_sites, .kind = NODE_MAP,
};

/* ---- what is asked of them ---- */

static bool any_matches(const struct config_slices *patterns, struct slice name)
{
    for (size_t i = 0; name.len > 0 && i < patterns->count; i++)
        if (config_name_matches(patterns->all[i], name))
            return true;
    return false;
}

const struct config_site *config_site_for(const struct config *config, struct slice domain,
                                          struct slice host)
{
    for (size_t i = 0; i < config->sites_count; i++)
        if (any_matches(&config->sites[i].domains, domain) ||
            any_matches(&config->sites[i].hosts, host))
            return &config->sites[i];
    return &config->site;
}

const struct config_site *config_site_named(const struct config *config, struct slice name)
{
    if (slice_equal(name, config->site.name))
        return &config->site;
    for (size_t i = 0; i < config->sites_count; i++)
        if (slice_equal(config->sites[i].name, name))
            return &config->sites[i];
    return NULL;
}

static bool status_fits(struct slice wanted, struct smtp_status status)
{
    char bytes[16];
    struct buffer text = { .memory = bytes, .capacity = sizeof bytes, .max = sizeof bytes };
    if (wanted.len == 0)
        return true;
    smtp_status_append(&text, status);
    struct slice said = buffer_slice(&text);
    return said.len >= wanted.len && slice_equal(slice_part(said, 0, wanted.len), wanted) &&
           (said.len == wanted.len || said.data[wanted.len] == '.');
}

static bool reply_fits(const struct config_reply *reply, uint32_t code,
                       struct smtp_status status, struct slice text)
{
    if (reply->code != 0 && reply->code != (reply->code < 10 ? code / 100 : code))
        return false;
    if (!status_fits(reply->status, status))
        return false;
    for (size_t i = 0; i < reply->text.count; i++)
        if (slice_contains_nocase(text, reply->text.all[i]))
            return true;
    return reply->text.count == 0;
}

static const struct config_reply *find_reply(const struct config_site *site, uint32_t code,
                                             struct smtp_status status, struct slice text)
{
    for (size_t i = 0; i < site->replies_count; i++)
        if (reply_fits(&site->replies[i], code, status, text))
            return &site->replies[i];
    return NULL;
}

const struct config_reply *config_site_reply(const struct config *config,
                                             const struct config_site *site, uint32_t code,
                                             struct smtp_status status, struct slice text)
{
    const struct config_reply *found = find_reply(site, code, status, text);
    if (found == NULL && site != &config->site)
        found = find_reply(&config->site, code, status, text);
    return found;
}
