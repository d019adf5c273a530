/* reader.c: maps read by their tables, and the messages about what is wrong. */
#include "config/reader_private.h"

#include <stdarg.h>
#include <stdio.h>

enum { PATH_DEPTH_MAX = 16 };

static void append_position(struct buffer *out, const struct reader *r,
                            enum node_origin origin, uint32_t line, uint32_t column)
{
    if (origin == NODE_FLAG) {
        buffer_append(out, SLICE("command line: "));
        return;
    }
    if (slice_is_empty(r->snapshot->file))
        return;
    buffer_append_escaped(out, r->snapshot->file);
    if (line > 0)
        buffer_append_format(out, ":%u:%u", line, column);
    buffer_append(out, SLICE(": "));
}

static size_t place_in_list(const struct node *node)
{
    size_t place = 0;
    for (const struct node *n = node->parent->first; n != node; n = n->next)
        place++;
    return place;
}

static void append_path(struct buffer *out, const struct node *node)
{
    const struct node *steps[PATH_DEPTH_MAX];
    size_t count = 0;
    for (const struct node *n = node; n->parent != NULL && count < PATH_DEPTH_MAX;
         n = n->parent)
        steps[count++] = n;
    for (size_t i = count; i-- > 0;) {
        if (steps[i]->parent->kind == NODE_LIST) {
            buffer_append_format(out, "[%zu]", place_in_list(steps[i]) + 1);
            continue;
        }
        if (i + 1 < count)
            buffer_append_byte(out, '.');
        buffer_append_escaped(out, steps[i]->name);
    }
    if (count > 0)
        buffer_append(out, SLICE(": "));
}

static void set_text(struct config_error *error, const struct buffer *text)
{
    struct slice s = slice_part(buffer_slice(text), 0, sizeof error->text - 1);
    if (s.len > 0)
        memcpy(error->text, s.data, s.len);
    error->text[s.len] = '\0';
}

static void __attribute__((format(printf, 4, 0)))
say(struct reader *r, const struct node *node, bool about_name, const char *format,
    va_list arguments)
{
    char said[600];
    struct buffer text;
    uint32_t line = about_name ? node->name_line : node->line;
    uint32_t column = about_name ? node->name_column : node->column;
    int len = vsnprintf(said, sizeof said, format, arguments);
    size_t kept = len < 0 ? 0 : (size_t)len;
    if (kept >= sizeof said)
        kept = sizeof said - 1;
    buffer_init(&text, 16384);
    append_position(&text, r, node->origin, line, column);
    append_path(&text, node);
    buffer_append_escaped(&text, slice_make(said, kept));
    *r->error = (struct config_error){ .line = line, .column = column };
    set_text(r->error, &text);
    buffer_free(&text);
    r->result = ERR_INVALID;
}

bool reader_fail(struct reader *r, const struct node *node, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(r, node, false, format, arguments);
    va_end(arguments);
    return false;
}

bool reader_fail_name(struct reader *r, const struct node *node, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(r, node, true, format, arguments);
    va_end(arguments);
    return false;
}

bool reader_memory(struct reader *r)
{
    static const char said[] = "the configuration does not fit into memory";
    *r->error = (struct config_error){ .line = 0 };
    memcpy(r->error->text, said, sizeof said);
    r->result = ERR_MEMORY;
    return false;
}

bool reader_expected(struct reader *r, const struct key *key, const struct node *node)
{
    switch (node->kind) {
    case NODE_TEXT:
        return reader_fail(r, node, "'%.*s' is not %s", (int)slice_part(node->text, 0, 80).len,
                           node->text.data, key->type->expected);
    case NODE_LIST:
        return reader_fail(r, node, "a list stands where %s is expected",
                           key->type->expected);
    case NODE_MAP:
        return reader_fail(r, node, "a map stands where %s is expected",
                           key->type->expected);
    }
    return false;
}

bool reader_text(struct reader *r, const struct key *key, const struct node *node)
{
    return node->kind == NODE_TEXT || reader_expected(r, key, node);
}

bool reader_keep(struct reader *r, struct buffer *from, struct slice *out)
{
    bool fits = !from->overflow && arena_copy(r->arena, buffer_slice(from), out);
    buffer_free(from);
    return fits || reader_memory(r);
}

static const char *key_name_at(const void *from, size_t index)
{
    const struct key *keys = from;
    return keys[index].name;
}

static bool unknown_key(struct reader *r, const struct node *node, const struct key *keys)
{
    struct name_list names = { .at = key_name_at, .from = keys };
    struct buffer all;
    const char *nearest = nearest_name(node->name, &names);
    if (nearest != NULL)
        return reader_fail_name(r, node, "unknown key; did you mean '%s'?", nearest);
    buffer_init(&all, 512);
    for (const struct key *k = keys; k->name != NULL; k++)
        buffer_append_format(&all, "%s%s", k == keys ? "" : ", ", k->name);
    struct slice said = buffer_slice(&all);
    reader_fail_name(r, node, "unknown key; known here: %.*s", (int)said.len, said.data);
    buffer_free(&all);
    return false;
}

static bool known_only(struct reader *r, const struct node *map, const struct key *keys)
{
    for (const struct node *n = map->first; n != NULL; n = n->next) {
        const struct key *k = keys;
        while (k->name != NULL && !slice_equal(n->name, slice_from_string(k->name)))
            k++;
        if (k->name == NULL)
            return unknown_key(r, n, keys);
    }
    return true;
}

/* What stands for a key that nobody gave; NULL without memory. */
static struct node *default_node(struct reader *r, const struct key *key)
{
    struct node *n = node_new(r->arena, key->type->kind, NODE_DEFAULT);
    struct slice rest = slice_from_string(key->fallback);
    struct slice part;
    if (n == NULL || key->type->kind == NODE_MAP)
        return n;
    if (key->type->kind == NODE_TEXT) {
        n->text = rest;
        return n;
    }
    while (slice_split(&rest, ' ', &part)) {
        struct node *item = node_text(r->arena, part, NODE_DEFAULT);
        if (item == NULL)
            return NULL;
        node_add(n, item);
    }
    return n;
}

bool reader_map(struct reader *r, struct node *map, const struct key *keys, void *base)
{
    if (map->kind != NODE_MAP)
        return reader_fail(r, map, "a map of keys and values is expected");
    if (!known_only(r, map, keys))
        return false;
    for (const struct key *k = keys; k->name != NULL; k++) {
        struct slice name = slice_from_string(k->name);
        struct node *n = node_find(map, name);
        if (n == NULL && k->is_required)
            return reader_fail(r, map, "the key '%s' is missing", k->name);
        if (n == NULL && k->fallback == NULL)
            continue;
        if (n == NULL) {
            n = default_node(r, k);
            if (n == NULL)
                return reader_memory(r);
            node_add_named(map, name, n);
        }
        if (!k->type->read(r, k, n, (char *)base + k->offset))
            return false;
    }
    return true;
}

uint32_t reader_file(struct reader *r, const char *key, struct slice path)
{
    struct config *c = &r->snapshot->config;
    struct config_file **at = &c->files;
    uint32_t place = 1;
    for (; *at != NULL; at = &(*at)->next, place++)
        if (slice_equal((*at)->path, path) && strcmp((*at)->key, key) == 0)
            return place;
    if (place > CONFIG_FILES_MAX)
        return 0;
    *at = arena_alloc(r->arena, sizeof **at);
    if (*at == NULL)
        return 0;
    **at = (struct config_file){ .path = path, .key = key };
    c->files_count = place;
    return place;
}

bool reader_too_many_files(struct reader *r, const struct node *node)
{
    return reader_fail(r, node, "at most %d files of next hops and signatures may be named",
                       CONFIG_FILES_MAX);
}
