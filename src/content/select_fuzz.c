/* select_fuzz.c: a selector, an empty line, and HTML. */
#include "content/select.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    struct arena arena;
    struct html html;
    struct select_matches found = { .count = 0 };
    size_t line = slice_find(input, '\n');
    if (line == SLICE_NOT_FOUND)
        return 0;
    arena_init(&arena, 64 * 1024 * 1024);
    html_read(slice_from(input, line + 1), &arena, &html);
    if (select_find(&html, slice_part(input, 0, line), 10, &arena, &found) == NULL)
        must(found.count <= 10 && found.count <= found.total);
    arena_free(&arena);
    return 0;
}
