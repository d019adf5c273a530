/* tree.c: GMime's objects walked with a stack of our own. */
#include "content/tree.h"

#include "base/ascii.h"
#include "base/buffer.h"
#include "base/utf8.h"

#include <gmime/gmime.h>

/* A part that waits for its turn. */
struct waiting {
    GMimeObject *object; /* NULL: none */
    size_t parent;
    unsigned depth;
    unsigned number;     /* among its siblings, from 1 */
};

struct walk {
    struct arena *arena;
    struct content_tree *tree;
    struct waiting *stack;
    size_t stack_len;
    size_t stack_room;
    size_t parts_room;
    content_leaf_fn *leaf; /* NULL: nobody wants them */
    void *context;
    bool is_enough;        /* of leaves */
    bool is_full;          /* memory is out */
};

static void start_gmime(void)
{
    static bool is_started;
    if (!is_started)
        g_mime_init();
    is_started = true;
}

/* A decoded CR, LF or NUL must never make a line of its own somewhere (HOSTILE 105). */
static struct slice keep(struct walk *walk, const char *text)
{
    struct slice copy = { .len = 0 };
    struct slice from = slice_part(slice_from_string(text), 0, CONTENT_TEXT_MAX);
    if (from.len == 0)
        return copy;
    char *memory = arena_alloc(walk->arena, from.len);
    if (memory == NULL) {
        walk->is_full = true;
        return copy;
    }
    for (size_t at = 0; at < from.len;) {
        size_t len = utf8_sequence_len(slice_from(from, at));
        bool is_good = len > 0 && !ascii_is_control(from.data[at]);
        if (is_good)
            memcpy(memory + at, from.data + at, len);
        else
            memory[at] = from.data[at] == '\t' ? ' ' : '?';
        at += is_good ? len : 1;
    }
    return slice_trim(slice_make(memory, from.len));
}

static struct slice keep_lower(struct walk *walk, const char *text)
{
    struct slice kept = keep(walk, text);
    char *memory = arena_alloc(walk->arena, kept.len);
    if (memory == NULL)
        return kept;
    for (size_t i = 0; i < kept.len; i++)
        memory[i] = ascii_lower(kept.data[i]);
    return slice_make(memory, kept.len);
}

static struct slice header_of(struct walk *walk, GMimeObject *object, const char *name)
{
    return keep(walk, g_mime_object_get_header(object, name));
}

static struct content_header read_header(struct walk *walk, GMimeMessage *message)
{
    GMimeObject *object = GMIME_OBJECT(message);
    return (struct content_header){
        .subject = header_of(walk, object, "Subject"),
        .from = header_of(walk, object, "From"),
        .to = header_of(walk, object, "To"),
        .date = header_of(walk, object, "Date"),
        .message_id = header_of(walk, object, "Message-Id"),
    };
}

static void read_type(struct walk *walk, GMimeObject *object, struct content_part *part)
{
    GMimeContentType *type = g_mime_object_get_content_type(object);
    if (type == NULL)
        return;
    char *name = g_mime_content_type_get_mime_type(type);
    part->type = keep_lower(walk, name);
    g_free(name);
    part->charset = keep(walk, g_mime_content_type_get_parameter(type, "charset"));
    part->boundary = keep(walk, g_mime_content_type_get_parameter(type, "boundary"));
}

/* Decoding never makes more octets than there are. */
static void hand_over(struct walk *walk, GMimeDataWrapper *content, struct content_part *part)
{
    GMimeStream *memory = g_mime_stream_mem_new();
    if (memory == NULL) {
        walk->is_full = true;
        return;
    }
    g_mime_data_wrapper_write_to_stream(content, memory);
    GByteArray *octets = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(memory));
    part->size = octets->len;
    walk->is_enough = !walk->leaf(walk->context, part,
                                  slice_make((const char *)octets->data, octets->len));
    g_object_unref(memory);
}

/* The parser keeps to the message given, so that a content is a stretch of it. */
static void find_place(GMimeDataWrapper *content, struct content_part *part)
{
    GMimeStream *stream = g_mime_data_wrapper_get_stream(content);
    if (stream == NULL || !GMIME_IS_STREAM_MEM(stream) || stream->bound_start < 0 ||
        stream->bound_end < stream->bound_start)
        return;
    part->offset = (uint64_t)stream->bound_start;
    part->length = (uint64_t)(stream->bound_end - stream->bound_start);
}

static void count(GMimeDataWrapper *content, struct content_part *part)
{
    GMimeStream *counter = g_mime_stream_null_new();
    if (counter == NULL)
        return;
    g_mime_data_wrapper_write_to_stream(content, counter);
    part->size = GMIME_STREAM_NULL(counter)->written;
    g_object_unref(counter);
}

static void read_leaf(struct walk *walk, GMimePart *leaf, struct content_part *part)
{
    GMimeDataWrapper *content = g_mime_part_get_content(leaf);
    part->filename = keep(walk, g_mime_part_get_filename(leaf));
    if (content == NULL)
        return;
    find_place(content, part);
    if (walk->leaf != NULL)
        hand_over(walk, content, part);
    else
        count(content, part);
}

/* Room for one more than `len`; what was there is copied, for arenas give nothing back. */
static bool make_room(struct walk *walk, void **items, size_t size, size_t len, size_t *room)
{
    if (len < *room)
        return true;
    size_t wanted = *room == 0 ? 16 : 2 * *room;
    void *larger = arena_alloc_many(walk->arena, wanted, size);
    if (larger == NULL) {
        walk->is_full = true;
        return false;
    }
    if (len > 0)
        memcpy(larger, *items, len * size);
    *items = larger;
    *room = wanted;
    return true;
}

static void push(struct walk *walk, const struct waiting *next)
{
    void *stack = walk->stack;
    if (next->object == NULL || walk->stack_len >= CONTENT_PARTS_MAX ||
        next->depth > CONTENT_DEPTH_MAX ||
        !make_room(walk, &stack, sizeof *walk->stack, walk->stack_len, &walk->stack_room))
        return;
    walk->stack = stack;
    walk->stack[walk->stack_len++] = *next;
}

/* Children of the body have numbers of their own; below, those of the parents go before. A
 * multipart's ".0" is no part of its children's. */
static struct slice make_id(struct walk *walk, const struct waiting *next, bool is_multipart)
{
    struct buffer id;
    struct slice kept = { .len = 0 };
    buffer_init(&id, 12 * (CONTENT_DEPTH_MAX + 1));
    if (next->parent == CONTENT_NO_PARENT) {
        buffer_append(&id, SLICE("0"));
    } else {
        const struct content_part *parent = &walk->tree->parts[next->parent];
        struct slice before = parent->id;
        if (parent->parent != CONTENT_NO_PARENT) {
            if (slice_ends_with_nocase(before, SLICE(".0")))
                before.len -= 2;
            buffer_append(&id, before);
            buffer_append_byte(&id, '.');
        }
        buffer_append_number(&id, next->number);
        if (is_multipart)
            buffer_append(&id, SLICE(".0"));
    }
    if (!arena_copy(walk->arena, buffer_slice(&id), &kept))
        walk->is_full = true;
    buffer_free(&id);
    return kept;
}

static void read_message(struct walk *walk, GMimeMessage *message, size_t index)
{
    struct content_part *part = &walk->tree->parts[index];
    struct content_header *header = arena_alloc(walk->arena, sizeof *header);
    part->has_parts = true;
    if (header == NULL) {
        walk->is_full = true;
        return;
    }
    *header = read_header(walk, message);
    part->header = header;
    push(walk, &(struct waiting){ g_mime_message_get_mime_part(message), index,
                                  part->depth + 1, 1 });
}

static void read_multipart(struct walk *walk, GMimeMultipart *multipart, size_t index)
{
    struct content_part *part = &walk->tree->parts[index];
    int count = g_mime_multipart_get_count(multipart);
    part->has_parts = true;
    for (; count > 0; count--)
        push(walk, &(struct waiting){ g_mime_multipart_get_part(multipart, count - 1), index,
                                      part->depth + 1, (unsigned)count });
}

static void read_part(struct walk *walk, const struct waiting *next)
{
    void *parts = walk->tree->parts;
    if (!make_room(walk, &parts, sizeof *walk->tree->parts, walk->tree->count,
                   &walk->parts_room))
        return;
    walk->tree->parts = parts;
    size_t index = walk->tree->count++;
    struct content_part *part = &walk->tree->parts[index];
    GMimeObject *object = next->object;
    *part = (struct content_part){
        .parent = next->parent, .depth = next->depth,
        .id = make_id(walk, next, GMIME_IS_MULTIPART(object)),
        .encoding = keep_lower(walk, g_mime_object_get_header(object,
                                                              "Content-Transfer-Encoding")),
        .disposition = keep_lower(walk, g_mime_object_get_disposition(object)),
        .content_id = keep(walk, g_mime_object_get_content_id(object)),
    };
    read_type(walk, object, part);
    if (GMIME_IS_MULTIPART(object)) {
        read_multipart(walk, GMIME_MULTIPART(object), index);
    } else if (GMIME_IS_MESSAGE_PART(object)) {
        GMimeMessage *message = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
        if (message != NULL)
            read_message(walk, message, index);
    } else if (GMIME_IS_PART(object)) {
        read_leaf(walk, GMIME_PART(object), part);
    }
}

static void walk_message(struct walk *walk, GMimeMessage *message)
{
    walk->tree->header = read_header(walk, message);
    push(walk, &(struct waiting){ g_mime_message_get_mime_part(message), CONTENT_NO_PARENT, 0,
                                  1 });
    while (walk->stack_len > 0 && walk->tree->count < CONTENT_PARTS_MAX && !walk->is_full &&
           !walk->is_enough) {
        struct waiting next = walk->stack[--walk->stack_len];
        read_part(walk, &next);
    }
}

static bool parse(struct slice message, struct walk *walk)
{
    start_gmime();
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(message.data, message.len);
    GMimeParser *parser = stream == NULL ? NULL : g_mime_parser_new_with_stream(stream);
    GMimeMessage *parsed = parser == NULL ? NULL : g_mime_parser_construct_message(parser, NULL);
    if (parsed != NULL) {
        walk_message(walk, parsed);
        g_object_unref(parsed);
    }
    if (parser != NULL)
        g_object_unref(parser);
    if (stream != NULL)
        g_object_unref(stream);
    return !walk->is_full;
}

/* What nobody takes apart; nothing at all is text (RFC 2045 5.2). */
static bool make_opaque(struct walk *walk, struct slice message)
{
    struct content_tree *tree = walk->tree;
    tree->parts = arena_alloc(walk->arena, sizeof *tree->parts);
    if (tree->parts == NULL)
        return false;
    tree->parts[0] = (struct content_part){
        .parent = CONTENT_NO_PARENT, .type = tree->verdict == CONTENT_FITS ? SLICE("text/plain")
                                              : SLICE("application/octet-stream"),
        .id = SLICE("0"), .length = message.len, .size = message.len,
    };
    tree->count = 1;
    return true;
}

static bool read_tree(struct slice message, struct walk *walk)
{
    struct content_tree *tree = walk->tree;
    *tree = (struct content_tree){ .verdict = content_guard(message) };
    if (message.len > 0 && tree->verdict == CONTENT_FITS && !parse(message, walk))
        return false;
    return tree->count > 0 || make_opaque(walk, message);
}

bool content_tree_read(struct slice message, struct arena *arena,
                       struct content_tree *out_tree)
{
    struct content_tree tree;
    struct walk walk = { .arena = arena, .tree = &tree };
    if (!read_tree(message, &walk))
        return false;
    *out_tree = tree;
    return true;
}

bool content_tree_leaves(struct slice message, struct arena *arena, content_leaf_fn *leaf,
                         void *context)
{
    struct content_tree tree;
    struct walk walk = { .arena = arena, .tree = &tree, .leaf = leaf, .context = context };
    return read_tree(message, &walk);
}
