/* message_fuzz.c: any message is read, with texts that are UTF-8 and places within it. */
#include "base/must.h"
#include "base/utf8.h"
#include "content/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct content_message m;
    arena_init(&arena, CONTENT_ARENA_BYTES);
    if (content_message_read(slice_make(data, size), &arena, &m)) {
        must(utf8_is_valid(m.text) && utf8_is_valid(m.html) && utf8_is_valid(m.snippet));
        for (size_t i = 0; i < m.field_count; i++)
            must(utf8_is_valid(m.fields[i].value) && utf8_is_valid(m.fields[i].raw));
        for (size_t i = 0; i < m.file_count; i++)
            must(m.files[i].place.offset + m.files[i].place.length <= size);
    }
    arena_free(&arena);
    return 0;
}
