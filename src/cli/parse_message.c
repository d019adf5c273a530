/* parse_message.c: the tree of a message's parts as nested objects. */
#include "cli/parse_private.h"

#include "content/tree.h"

#include <stdlib.h>

static void add_text(json_t *object, const char *key, struct slice text)
{
    json_object_set_new(object, key, batch_text_or_null(text));
}

static void add_header(json_t *object, const struct content_header *header)
{
    add_text(object, "subject", header->subject);
    add_text(object, "from", header->from);
    add_text(object, "to", header->to);
    add_text(object, "date", header->date);
    add_text(object, "message_id", header->message_id);
}

static json_t *show_part(const struct content_part *part)
{
    json_t *object = json_object();
    if (object == NULL)
        return NULL;
    add_text(object, "type", part->type);
    add_text(object, "charset", part->charset);
    add_text(object, "encoding", part->encoding);
    add_text(object, "disposition", part->disposition);
    add_text(object, "filename", part->filename);
    add_text(object, "content_id", part->content_id);
    if (part->boundary.len > 0)
        add_text(object, "boundary", part->boundary);
    if (part->header != NULL)
        add_header(object, part->header);
    if (part->has_parts)
        json_object_set_new(object, "parts", json_array());
    else
        json_object_set_new(object, "size", json_integer((json_int_t)part->size));
    return object;
}

/* Each part goes into the list of its parent, which came before it. */
static json_t *show_parts(const struct content_tree *tree)
{
    json_t **objects = calloc(tree->count, sizeof *objects);
    json_t *body = NULL;
    for (size_t i = 0; objects != NULL && i < tree->count; i++) {
        const struct content_part *part = &tree->parts[i];
        objects[i] = show_part(part);
        if (part->parent == CONTENT_NO_PARENT)
            body = objects[i];
        else
            json_array_append_new(json_object_get(objects[part->parent], "parts"), objects[i]);
    }
    free(objects);
    return body;
}

static json_t *show(const struct content_tree *tree)
{
    json_t *answer = json_object();
    if (answer == NULL)
        return NULL;
    add_header(answer, &tree->header);
    add_text(answer, "opaque", slice_from_string(content_verdict_text(tree->verdict)));
    json_object_set_new(answer, "body", show_parts(tree));
    return answer;
}

json_t *parse_message(struct slice message)
{
    struct arena arena;
    struct content_tree tree;
    json_t *answer = NULL;
    arena_init(&arena, CONTENT_ARENA_BYTES);
    if (content_tree_read(message, &arena, &tree))
        answer = show(&tree);
    arena_free(&arena);
    return answer;
}
