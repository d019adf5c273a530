/* parse_codes.c: what a program wants of a mail that was sent to test it: one-time codes, links. */
#include "cli/parse_private.h"

#include "content/found.h"

static json_t *parse_with(struct slice octets, json_t *(*find)(const struct content_message *))
{
    struct arena arena;
    struct content_message message;
    json_t *answer = NULL;
    arena_init(&arena, CONTENT_ARENA_BYTES);
    if (content_message_read(octets, &arena, &message))
        answer = find(&message);
    arena_free(&arena);
    return answer;
}

json_t *parse_codes(struct slice message)
{
    return parse_with(message, found_codes);
}

json_t *parse_links(struct slice message)
{
    return parse_with(message, found_links);
}
