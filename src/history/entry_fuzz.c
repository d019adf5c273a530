/* entry_fuzz.c: rows of any bytes, as a disk may give them back. */
#include "history/history_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice row = slice_make((const char *)data, size), entry;
    struct entry_reader r = { .failed = false }, shared = { .failed = false };
    struct buffer again;
    buffer_init(&again, 1 << 20);
    while (row_next(&row, &entry)) {
        json_decref(entry_value(&r, entry, 1, 1));
        if (entry.len <= ENTRY_MAX)
            row_add(&again, &shared, entry);
    }
    buffer_free(&again);
    return 0;
}
