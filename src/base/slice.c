/* slice.c: comparing and cutting borrowed bytes. */
#include "base/slice.h"

#include "base/ascii.h"

#include <stdlib.h>

bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    return a.len == b.len && slice_starts_with_nocase(a, b);
}

bool slice_starts_with_nocase(struct slice s, struct slice prefix)
{
    if (s.len < prefix.len)
        return false;
    for (size_t i = 0; i < prefix.len; i++)
        if (ascii_lower(s.data[i]) != ascii_lower(prefix.data[i]))
            return false;
    return true;
}

bool slice_contains_nocase(struct slice s, struct slice part)
{
    for (size_t i = 0; i + part.len <= s.len; i++)
        if (slice_starts_with_nocase(slice_from(s, i), part))
            return true;
    return false;
}

bool slice_ends_with_nocase(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len &&
           slice_equal_nocase(slice_from(s, s.len - suffix.len), suffix);
}

int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && ascii_is_blank(s.data[0]))
        s = slice_from(s, 1);
    while (s.len > 0 && ascii_is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

bool slice_split(struct slice *rest, char byte, struct slice *out_part)
{
    if (rest->len == 0)
        return false;
    size_t at = slice_find(*rest, byte);
    if (at == SLICE_NOT_FOUND) {
        *out_part = *rest;
        *rest = slice_from(*rest, rest->len);
    } else {
        *out_part = slice_part(*rest, 0, at);
        *rest = slice_from(*rest, at + 1);
    }
    return true;
}

bool slice_to_number(struct slice s, uint64_t max, uint64_t *out_value)
{
    uint64_t value = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_is_digit(s.data[i]))
            return false;
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.data[i] - '0'), &value))
            return false;
    }
    if (value > max)
        return false;
    *out_value = value;
    return true;
}

char *slice_to_string(struct slice s)
{
    if (slice_find(s, '\0') != SLICE_NOT_FOUND)
        return NULL;
    char *text = malloc(s.len + 1);
    if (text == NULL)
        return NULL;
    if (s.len > 0)
        memcpy(text, s.data, s.len);
    text[s.len] = '\0';
    return text;
}
