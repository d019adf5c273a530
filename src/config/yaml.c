/* yaml.c: YAML events into a tree, with limits.
 *
 * One document, one map. Anchors, aliases, tags and merge keys are refused: nothing of
 * ours needs them, and aliases are how a small file becomes a large tree. Depth and the
 * number of nodes have a maximum.
 */
#include "config/reader_private.h"

#include <stdlib.h>
#include <yaml.h>

enum {
    DEPTH_MAX = 12,
    NODES_MAX = 1000000,
};

struct builder {
    struct reader *reader;
    struct node *root;
    struct node *open;       /* the list or map that is being filled */
    struct node *name;       /* a key whose value has not come, as a text */
    uint32_t depth;
    uint32_t nodes;
    bool ended;
};

static bool fail_at(struct builder *b, const yaml_mark_t *mark, const char *what)
{
    struct node place = {
        .origin = NODE_FILE, .line = (uint32_t)mark->line + 1,
        .column = (uint32_t)mark->column + 1,
    };
    return reader_fail(b->reader, &place, "%s", what);
}

static struct node *new_node(struct builder *b, enum node_kind kind,
                             const yaml_mark_t *mark)
{
    struct node *n = node_new(b->reader->arena, kind, NODE_FILE);
    if (n == NULL)
        return NULL;
    n->line = (uint32_t)mark->line + 1;
    n->column = (uint32_t)mark->column + 1;
    return n;
}

/* Puts a node where the file is at: as the root, in a list, or as a key's value. */
static bool place(struct builder *b, struct node *n)
{
    if (b->open == NULL) {
        b->root = n;
        return true;
    }
    if (b->open->kind == NODE_LIST) {
        node_add(b->open, n);
        return true;
    }
    n->name_line = b->name->line;
    n->name_column = b->name->column;
    node_add_named(b->open, b->name->text, n);
    b->name = NULL;
    return true;
}

static bool wants_name(const struct builder *b)
{
    return b->open != NULL && b->open->kind == NODE_MAP && b->name == NULL;
}

static bool on_scalar(struct builder *b, const yaml_event_t *event)
{
    struct slice text = slice_make(event->data.scalar.value, event->data.scalar.length);
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
        return fail_at(b, &event->start_mark, "anchors and tags of YAML are not used here");
    if (b->open == NULL) {
        /* A file of comments alone is an empty document: one empty scalar. */
        if (plain && slice_is_empty(text))
            return true;
        return fail_at(b, &event->start_mark, "a map of keys and values is expected");
    }
    struct node *n = new_node(b, NODE_TEXT, &event->start_mark);
    if (n == NULL || !arena_copy(b->reader->arena, text, &n->text))
        return reader_memory(b->reader);
    if (wants_name(b)) {
        b->name = n;
        return true;
    }
    if (!place(b, n))
        return false;
    bool is_null = plain && (slice_is_empty(text) || slice_equal(text, SLICE("~")) ||
                             slice_equal(text, SLICE("null")));
    return !is_null || reader_fail(b->reader, n, "a value is missing (say \"\" for an "
                                   "empty one)");
}

static bool on_open(struct builder *b, enum node_kind kind, const yaml_event_t *event,
                    bool decorated)
{
    if (decorated)
        return fail_at(b, &event->start_mark, "anchors and tags of YAML are not used here");
    if (wants_name(b))
        return fail_at(b, &event->start_mark, "a key is a single word");
    if (b->open == NULL && kind != NODE_MAP)
        return fail_at(b, &event->start_mark, "a map of keys and values is expected");
    if (++b->depth > DEPTH_MAX)
        return fail_at(b, &event->start_mark, "nested too deep");
    struct node *n = new_node(b, kind, &event->start_mark);
    if (n == NULL)
        return reader_memory(b->reader);
    if (!place(b, n))
        return false;
    b->open = n;
    return true;
}

static int by_name_and_place(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a;
    const struct node *y = *(struct node *const *)b;
    int order = slice_compare(x->name, y->name);
    if (order != 0)
        return order;
    if (x->name_line != y->name_line)
        return x->name_line < y->name_line ? -1 : 1;
    return x->name_column < y->name_column ? -1 : 1;
}

static bool has_each_key_once(struct builder *b, const struct node *map)
{
    size_t count = node_count(map);
    size_t filled = 0;
    const struct node *twice = NULL;
    struct node **sorted = calloc(count + 1, sizeof(struct node *));
    if (sorted == NULL)
        return reader_memory(b->reader);
    for (struct node *n = map->first; n != NULL; n = n->next)
        sorted[filled++] = n;
    qsort(sorted, count, sizeof *sorted, by_name_and_place);
    for (size_t i = 1; i < count && twice == NULL; i++)
        if (slice_equal(sorted[i - 1]->name, sorted[i]->name))
            twice = sorted[i];
    free(sorted);
    return twice == NULL || reader_fail_name(b->reader, twice, "the key stands here twice");
}

static bool on_close(struct builder *b)
{
    const struct node *closed = b->open;
    b->open = b->open->parent;
    b->depth--;
    return closed->kind != NODE_MAP || has_each_key_once(b, closed);
}

static bool on_event(struct builder *b, const yaml_event_t *event)
{
    if (++b->nodes > NODES_MAX)
        return fail_at(b, &event->start_mark, "too many values");
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(b, event);
    case YAML_MAPPING_START_EVENT:
        return on_open(b, NODE_MAP, event, event->data.mapping_start.anchor != NULL ||
                                               event->data.mapping_start.tag != NULL);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(b, NODE_LIST, event, event->data.sequence_start.anchor != NULL ||
                                                event->data.sequence_start.tag != NULL);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return on_close(b);
    case YAML_ALIAS_EVENT:
        return fail_at(b, &event->start_mark, "aliases of YAML are not used here");
    case YAML_DOCUMENT_END_EVENT:
        b->ended = true;
        return true;
    case YAML_DOCUMENT_START_EVENT:
        return !b->ended || fail_at(b, &event->start_mark, "a second document begins");
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
        return true;
    }
    return true;
}

static bool fail_syntax(struct builder *b, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return reader_memory(b->reader);
    struct node place = {
        .origin = NODE_FILE, .line = (uint32_t)parser->problem_mark.line + 1,
        .column = (uint32_t)parser->problem_mark.column + 1,
    };
    return reader_fail(b->reader, &place, "not YAML: %s%s%s",
                       parser->problem == NULL ? "bytes that are not UTF-8" : parser->problem,
                       parser->context == NULL ? "" : " ",
                       parser->context == NULL ? "" : parser->context);
}

static bool run(struct builder *b, yaml_parser_t *parser)
{
    for (;;) {
        yaml_event_t event;
        if (yaml_parser_parse(parser, &event) == 0)
            return fail_syntax(b, parser);
        bool is_last = event.type == YAML_STREAM_END_EVENT;
        bool fine = on_event(b, &event);
        yaml_event_delete(&event);
        if (!fine || is_last)
            return fine;
    }
}

bool yaml_read(struct reader *r, struct slice text, struct node **out_root)
{
    struct builder b = { .reader = r };
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0)
        return reader_memory(r);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        &parser, (const unsigned char *)(text.data == NULL ? "" : text.data), text.len);
    bool fine = run(&b, &parser);
    yaml_parser_delete(&parser);
    if (fine && b.root == NULL) {
        b.root = node_new(r->arena, NODE_MAP, NODE_DEFAULT);
        fine = b.root != NULL || reader_memory(r);
    }
    if (fine)
        *out_root = b.root;
    return fine;
}
