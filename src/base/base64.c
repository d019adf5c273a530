/* base64.c: RFC 2045 6.8. */
#include "base/base64.h"

#include "base/ascii.h"
#include "base/cursor.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_append(struct buffer *out, struct slice bytes)
{
    struct slice group;
    for (size_t at = 0; at < bytes.len; at += 3) {
        group = slice_part(bytes, at, 3);
        uint32_t bits = 0;
        for (size_t i = 0; i < 3; i++)
            bits = bits << 8 | (i < group.len ? (uint8_t)group.data[i] : 0u);
        for (size_t i = 0; i < 4; i++)
            buffer_append_byte(out, i <= group.len ? alphabet[bits >> (18 - 6 * i) & 63u]
                                                   : '=');
    }
}

/* The six bits that a character stands for, or -1. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (ascii_is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool is_space(char c)
{
    return ascii_is_blank(c) || c == '\r' || c == '\n';
}

bool base64_read(struct slice text, struct buffer *out)
{
    struct cursor c = cursor_over(text);
    uint32_t bits = 0;
    size_t held = 0;    /* how many of `bits` are meant */
    size_t letters = 0;
    size_t padding = 0;
    while (!cursor_at_end(&c)) {
        char letter = (char)cursor_take(&c);
        int value = value_of(letter);
        if (is_space(letter))
            continue;
        if (letter == '=' ? ++padding > 2 : value < 0 || padding > 0)
            return false;
        if (letter == '=')
            continue;
        letters++;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            buffer_append_byte(out, (char)(bits >> held & 0xffu));
            bits &= (1u << held) - 1u;
        }
    }
    bool whole = padding == 0 || (letters + padding) % 4 == 0;
    return whole && letters % 4 != 1 && bits == 0 && !out->overflow;
}
