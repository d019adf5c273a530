/* buffer.h: bytes that we make, with a maximum set at birth.
 *
 * Appending beyond the maximum, or without memory, appends nothing and sets
 * `overflow`, which stays set until the buffer is cleared: write everything,
 * check once. The front can be consumed, so that a buffer serves as a queue of
 * bytes. Memory grows by doubling from the first append. One owner, one thread.
 */
#ifndef GODWIT_BASE_BUFFER_H
#define GODWIT_BASE_BUFFER_H

#include "base/slice.h"

struct buffer {
    char *memory;
    size_t start;    /* the first byte that has not been consumed */
    size_t end;      /* one past the last byte */
    size_t capacity;
    size_t max;
    bool overflow;
};

/* Allocates nothing. `max` is the largest number of bytes it may hold. */
static inline void buffer_init(struct buffer *b, size_t max)
{
    *b = (struct buffer){ .max = max };
}

/* Gives the memory back; the buffer is empty and usable again. */
void buffer_free(struct buffer *b);

static inline size_t buffer_len(const struct buffer *b)
{
    return b->end - b->start;
}

/* Valid until the buffer is next changed. */
static inline struct slice buffer_slice(const struct buffer *b)
{
    return slice_make(b->memory == NULL ? NULL : b->memory + b->start,
                      buffer_len(b));
}

/* Forgets content and overflow, keeps the memory. */
static inline void buffer_clear(struct buffer *b)
{
    b->start = b->end = 0;
    b->overflow = false;
}

/* Drops `len` bytes, which must be there, from the front. */
void buffer_consume(struct buffer *b, size_t len);

/* Cuts the content back to its first `len` bytes. */
void buffer_truncate(struct buffer *b, size_t len);

/* Room for `len` more bytes, not yet part of the content, or NULL (and overflow
 * set); buffer_added() makes them content. */
char *buffer_reserve(struct buffer *b, size_t len);
void buffer_added(struct buffer *b, size_t len);

void buffer_append(struct buffer *b, struct slice s);
void buffer_append_byte_slowly(struct buffer *b, char byte); /* where it must grow */

static inline void buffer_append_byte(struct buffer *b, char byte)
{
    if (b->end < b->capacity && !b->overflow) /* the capacity never exceeds the maximum */
        b->memory[b->end++] = byte;
    else
        buffer_append_byte_slowly(b, byte);
}

void buffer_append_string(struct buffer *b, const char *text);
void buffer_append_number(struct buffer *b, uint64_t value);
void buffer_append_format(struct buffer *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* For logs and people: control bytes, DEL, backslash and bytes that are not
 * UTF-8 become \xNN (\r, \n, \t and \\ by name); everything else as it is. */
void buffer_append_escaped(struct buffer *b, struct slice s);

/* Little-endian numbers of a fixed width, for records of our own. */
void buffer_append_u16(struct buffer *b, uint16_t value);
void buffer_append_u32(struct buffer *b, uint32_t value);
void buffer_append_u64(struct buffer *b, uint64_t value);

/* Moves the content out: *to is freed first, *from is empty afterwards. */
void buffer_move(struct buffer *to, struct buffer *from);

#endif
