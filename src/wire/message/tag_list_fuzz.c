/* tag_list_fuzz.c: whatever is a list lies within its text, each name once. */
#include "base/must.h"
#include "wire/message/tag_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    struct tag_list list;
    if (!tag_list_parse(input, &list))
        return 0;
    must(list.count > 0 && list.count <= TAG_LIST_MAX);
    for (size_t i = 0; i < list.count; i++) {
        const struct tag *tag = &list.tags[i];
        must(tag_list_find(&list, tag->name) == tag);
        must(tag->raw.data + tag->raw.len <= input.data + size);
        must(tag->value.len <= tag->raw.len && slice_find(tag->raw, ';') == SLICE_NOT_FOUND);
        struct slice rest = tag->value;
        struct slice word;
        while (tag_word_next(&rest, &word))
            must(slice_find(word, ':') == SLICE_NOT_FOUND);
    }
    return 0;
}
