/* tree_fuzz.c: any message becomes a tree within the limits, with texts that are UTF-8. */
#include "base/must.h"
#include "base/utf8.h"
#include "content/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct content_tree tree;
    arena_init(&arena, CONTENT_ARENA_BYTES);
    if (content_tree_read(slice_make(data, size), &arena, &tree)) {
        must(tree.count > 0 && tree.count <= CONTENT_PARTS_MAX);
        must(utf8_is_valid(tree.header.subject));
        for (size_t i = 0; i < tree.count; i++) {
            const struct content_part *part = &tree.parts[i];
            must(i == 0 ? part->parent == CONTENT_NO_PARENT : part->parent < i);
            must(part->depth <= CONTENT_DEPTH_MAX && part->size <= size);
            must(utf8_is_valid(part->filename) && utf8_is_valid(part->type));
        }
    }
    arena_free(&arena);
    return 0;
}
