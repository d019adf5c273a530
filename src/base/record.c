/* record.c: little-endian numbers and counted bytes. */
#include "base/record.h"

#include "base/buffer.h"

#include <endian.h>

static bool take(struct record *r, void *out, size_t len)
{
    struct slice part;
    if (r->failed || !cursor_take_part(&r->cursor, len, &part)) {
        r->failed = true;
        memset(out, 0, len);
        return false;
    }
    memcpy(out, part.data, len);
    return true;
}

uint8_t record_u8(struct record *r)
{
    uint8_t value;
    take(r, &value, sizeof value);
    return value;
}

uint16_t record_u16(struct record *r)
{
    uint16_t value;
    take(r, &value, sizeof value);
    return le16toh(value);
}

uint32_t record_u32(struct record *r)
{
    uint32_t value;
    take(r, &value, sizeof value);
    return le32toh(value);
}

uint64_t record_u64(struct record *r)
{
    uint64_t value;
    take(r, &value, sizeof value);
    return le64toh(value);
}

struct slice record_slice(struct record *r)
{
    struct slice part = { 0 };
    size_t len = record_u32(r);
    if (!r->failed && !cursor_take_part(&r->cursor, len, &part))
        r->failed = true;
    return part;
}

void record_put_slice(struct buffer *b, struct slice s)
{
    if (s.len > UINT32_MAX) {
        b->overflow = true;
        return;
    }
    buffer_append_u32(b, (uint32_t)s.len);
    buffer_append(b, s);
}
