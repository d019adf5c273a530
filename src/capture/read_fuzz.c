/* read_fuzz.c: records of the log, as somebody may have damaged them. */
#include "capture/capture_private.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct capture_item item;
    struct frame frame;
    if (size == 0)
        return 0;
    struct slice bytes = slice_make(data + 1, size - 1);
    enum capture_kind kind = (enum capture_kind)(CAPTURE_MESSAGE + data[0] % 5);
    arena_init(&arena, 1024 * 1024);
    capture_frame_take(bytes, &frame);
    if (capture_parse(kind, bytes, &arena, &item)) {
        struct buffer again;
        buffer_init(&again, 1024 * 1024);
        if (kind == CAPTURE_MESSAGE)
            record_put_message(&again, &item.message);
        else
            record_put_session(&again, &item.session);
        must(again.overflow || buffer_len(&again) == bytes.len);
        buffer_free(&again);
    }
    arena_free(&arena);
    return 0;
}
