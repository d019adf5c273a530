/* maildrop_fuzz.c: any bytes as a maildrop's head; what is taken is taken again when it
 * is written anew. */
#include "mail/maildrop.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct maildrop_head head;
    struct maildrop_head again;
    const char *fault;
    arena_init(&arena, 8 * 1024 * 1024);
    if (maildrop_parse_head(slice_make(data, size), &arena, &head, &fault) == MAILDROP_OK) {
        struct buffer b;
        must(head.len <= size);
        buffer_init(&b, 2 * MAILDROP_HEAD_MAX);
        maildrop_append_head(&b, &head.envelope, head.content_size);
        must(maildrop_parse_head(buffer_slice(&b), &arena, &again, &fault) == MAILDROP_OK);
        must(again.content_size == head.content_size && again.len == buffer_len(&b));
        must(again.envelope.recipients_count == head.envelope.recipients_count);
        must(slice_equal(again.envelope.sender, head.envelope.sender));
        buffer_free(&b);
    }
    arena_free(&arena);
    return 0;
}
