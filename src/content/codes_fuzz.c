/* codes_fuzz.c: what is found in a message: text, codes, links, left-over marks. */
#include "content/codes.h"
#include "content/leaks.h"
#include "content/links.h"

#include "base/must.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct content_message message;
    struct codes codes;
    struct links links;
    struct leaks leaks;
    arena_init(&arena, CONTENT_ARENA_BYTES);
    if (content_message_read(slice_make(data, size), &arena, &message)) {
        must(utf8_is_valid(message.text) && utf8_is_valid(message.snippet));
        if (codes_find(&message, &arena, &codes))
            for (size_t i = 0; i < codes.count; i++)
                must(utf8_is_valid(codes.items[i].context));
        if (links_find(&message, &arena, &links))
            must(links.count <= LINKS_MAX);
        if (leaks_find(&message, &arena, &leaks))
            must(leaks.count <= LEAKS_MAX && leaks.count <= leaks.total);
    }
    arena_free(&arena);
    return 0;
}
