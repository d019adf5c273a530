/* slice.h: bytes that somebody else owns.
 *
 * A slice borrows; its maker says for how long. It may hold any byte, NUL
 * included, and is not terminated. An empty slice may have a NULL pointer.
 */
#ifndef GODWIT_BASE_SLICE_H
#define GODWIT_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *data;
    size_t len;
};

/* A slice of a string literal, usable as an initialiser too. */
#define SLICE_INIT(literal) { .data = ("" literal), .len = sizeof(literal) - 1 }
#define SLICE(literal) ((struct slice)SLICE_INIT(literal))

static inline struct slice slice_make(const void *data, size_t len)
{
    return (struct slice){ .data = data, .len = len };
}

/* For strings of our own or of the operating system, never for a peer's. */
static inline struct slice slice_from_string(const char *text)
{
    return slice_make(text, text == NULL ? 0 : strlen(text));
}

static inline bool slice_is_empty(struct slice s)
{
    return s.len == 0;
}

/* The part from `start`, at most `len` bytes long; both are cut to fit. */
static inline struct slice slice_part(struct slice s, size_t start, size_t len)
{
    if (start > s.len)
        start = s.len;
    if (len > s.len - start)
        len = s.len - start;
    return slice_make(s.data == NULL ? NULL : s.data + start, len);
}

static inline struct slice slice_from(struct slice s, size_t start)
{
    return slice_part(s, start, s.len);
}

#define SLICE_NOT_FOUND ((size_t)-1)

/* The place of the first `byte`, or SLICE_NOT_FOUND. */
static inline size_t slice_find(struct slice s, char byte)
{
    const char *at = s.len == 0 ? NULL : memchr(s.data, byte, s.len);
    return at == NULL ? SLICE_NOT_FOUND : (size_t)(at - s.data);
}

/* The place of the last `byte`, or SLICE_NOT_FOUND. */
static inline size_t slice_find_last(struct slice s, char byte)
{
    const char *at = s.len == 0 ? NULL : memrchr(s.data, byte, s.len);
    return at == NULL ? SLICE_NOT_FOUND : (size_t)(at - s.data);
}

bool slice_equal(struct slice a, struct slice b);

/* ASCII letters compare without case; all else byte by byte. */
bool slice_equal_nocase(struct slice a, struct slice b);
bool slice_starts_with_nocase(struct slice s, struct slice prefix);
bool slice_ends_with_nocase(struct slice s, struct slice suffix);
bool slice_contains_nocase(struct slice s, struct slice part);
int slice_compare(struct slice a, struct slice b);

/* Without spaces and tabs at both ends. */
struct slice slice_trim(struct slice s);

/* Takes from the front of *rest up to `byte`, which is dropped, or all that is
 * there. False, and nothing taken, when *rest is empty. */
bool slice_split(struct slice *rest, char byte, struct slice *out_part);

/* Decimal digits only, the whole slice, no sign, no space, at most `max`.
 * False, out untouched, when it is anything else. */
bool slice_to_number(struct slice s, uint64_t max, uint64_t *out_value);

/* A terminated copy for the operating system, to be freed with free(); NULL when
 * memory is out or the slice holds a NUL. */
char *slice_to_string(struct slice s);

#endif
