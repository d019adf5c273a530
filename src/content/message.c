/* message.c: the tree, then the header, then what is to be read. */
#include "content/message_private.h"

struct content_place content_part_place(const struct content_part *part)
{
    return (struct content_place){ part->offset, part->length,
                                   content_encoding_of(part->encoding) };
}

const struct content_part *content_message_part(const struct content_message *message,
                                                struct slice id)
{
    for (size_t i = 0; i < message->tree.count; i++)
        if (slice_equal(message->tree.parts[i].id, id))
            return &message->tree.parts[i];
    return NULL;
}

const struct content_field *content_message_field(const struct content_message *message,
                                                  struct slice name)
{
    for (size_t i = 0; i < message->field_count; i++)
        if (slice_equal_nocase(message->fields[i].name, name))
            return &message->fields[i];
    return NULL;
}

bool content_message_read(struct slice message, struct arena *arena,
                          struct content_message *out_message)
{
    struct content_message read = { .field_count = 0 };
    if (!content_tree_read(message, arena, &read.tree) ||
        !message_read_header(message, arena, &read) ||
        !message_read_body(message, arena, &read))
        return false;
    *out_message = read;
    return true;
}
