/* record.h: reading back what buffer_append_u16 and its kin wrote.
 *
 * A reader has a sticky failure: past the end, or where a length does not fit,
 * everything reads as zero and `failed` stays set. Check it once at the end.
 */
#ifndef GODWIT_BASE_RECORD_H
#define GODWIT_BASE_RECORD_H

#include "base/cursor.h"

struct record {
    struct cursor cursor;
    bool failed;
};

static inline struct record record_over(struct slice s)
{
    return (struct record){ .cursor = cursor_over(s) };
}

uint8_t record_u8(struct record *r);
uint16_t record_u16(struct record *r);
uint32_t record_u32(struct record *r);
uint64_t record_u64(struct record *r);

/* A u32 length and that many bytes, as record_put_slice() writes them. The slice
 * borrows from what is read. */
struct slice record_slice(struct record *r);

struct buffer;
void record_put_slice(struct buffer *b, struct slice s);

#endif
