/* buffer.c: growing, consuming and filling a bounded buffer. */
#include "base/buffer.h"

#include "base/ascii.h"
#include "base/must.h"
#include "base/utf8.h"

#include <endian.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUFFER_FIRST_BYTES = 256 };

void buffer_free(struct buffer *b)
{
    free(b->memory);
    buffer_init(b, b->max);
}

void buffer_consume(struct buffer *b, size_t len)
{
    must(len <= buffer_len(b));
    b->start += len;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buffer_truncate(struct buffer *b, size_t len)
{
    must(len <= buffer_len(b));
    b->end = b->start + len;
}

static bool buffer_grow(struct buffer *b, size_t needed)
{
    size_t capacity = b->capacity == 0 ? BUFFER_FIRST_BYTES : b->capacity;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    if (capacity > b->max)
        capacity = b->max;
    char *memory = realloc(b->memory, capacity);
    if (memory == NULL)
        return false;
    b->memory = memory;
    b->capacity = capacity;
    return true;
}

char *buffer_reserve(struct buffer *b, size_t len)
{
    size_t held = buffer_len(b);
    if (b->overflow || held > b->max || len > b->max - held) {
        b->overflow = true;
        return NULL;
    }
    if (b->capacity - b->end >= len && b->memory != NULL)
        return b->memory + b->end;
    if (b->start > 0) {
        memmove(b->memory, b->memory + b->start, held);
        b->start = 0;
        b->end = held;
    }
    if (b->memory == NULL || b->capacity - b->end < len) {
        if (!buffer_grow(b, held + len)) {
            b->overflow = true;
            return NULL;
        }
    }
    return b->memory + b->end;
}

void buffer_added(struct buffer *b, size_t len)
{
    must(len <= b->capacity - b->end);
    b->end += len;
}

void buffer_append(struct buffer *b, struct slice s)
{
    if (s.len == 0)
        return;
    char *room = buffer_reserve(b, s.len);
    if (room == NULL)
        return;
    memcpy(room, s.data, s.len);
    b->end += s.len;
}

void buffer_append_byte_slowly(struct buffer *b, char byte)
{
    buffer_append(b, slice_make(&byte, 1));
}

void buffer_append_string(struct buffer *b, const char *text)
{
    buffer_append(b, slice_from_string(text));
}

void buffer_append_number(struct buffer *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buffer_append(b, slice_make(digits + at, sizeof digits - at));
}

void buffer_append_format(struct buffer *b, const char *format, ...)
{
    va_list arguments;
    va_list again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, arguments);
    must(len >= 0);
    char *room = buffer_reserve(b, (size_t)len + 1);
    if (room != NULL) {
        vsnprintf(room, (size_t)len + 1, format, again);
        b->end += (size_t)len;
    }
    va_end(again);
    va_end(arguments);
}

static void append_escaped_byte(struct buffer *b, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    switch (byte) {
    case '\r':
        buffer_append(b, SLICE("\\r"));
        return;
    case '\n':
        buffer_append(b, SLICE("\\n"));
        return;
    case '\t':
        buffer_append(b, SLICE("\\t"));
        return;
    case '\\':
        buffer_append(b, SLICE("\\\\"));
        return;
    default:
        buffer_append(b, slice_make((char[]){ '\\', 'x', hex[byte >> 4],
                                              hex[byte & 15u] }, 4));
    }
}

void buffer_append_escaped(struct buffer *b, struct slice s)
{
    while (s.len > 0) {
        char c = s.data[0];
        size_t whole = 1;
        bool plain = !ascii_is_control(c) && c != '\\';
        if (ascii_is_high(c)) {
            whole = utf8_sequence_len(s);
            plain = whole > 0 && !utf8_is_control(s);
            whole = whole == 0 ? 1 : whole;
        }
        if (plain)
            buffer_append(b, slice_part(s, 0, whole));
        else
            for (size_t i = 0; i < whole; i++)
                append_escaped_byte(b, (unsigned char)s.data[i]);
        s = slice_from(s, whole);
    }
}

void buffer_append_u16(struct buffer *b, uint16_t value)
{
    value = htole16(value);
    buffer_append(b, slice_make(&value, sizeof value));
}

void buffer_append_u32(struct buffer *b, uint32_t value)
{
    value = htole32(value);
    buffer_append(b, slice_make(&value, sizeof value));
}

void buffer_append_u64(struct buffer *b, uint64_t value)
{
    value = htole64(value);
    buffer_append(b, slice_make(&value, sizeof value));
}

void buffer_move(struct buffer *to, struct buffer *from)
{
    free(to->memory);
    *to = *from;
    buffer_init(from, from->max);
}
