#include "base/base64.h"

#include "base/ascii.h"
#include "base/cursor.h"

enum { NO_DIGIT = 64 };

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_append(struct buffer *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i += 3) {
        size_t left = s.len - i;
        uint32_t bits = (uint32_t)(unsigned char)s.data[i] << 16;
        if (left > 1)
            bits |= (uint32_t)(unsigned char)s.data[i + 1] << 8;
        if (left > 2)
            bits |= (uint32_t)(unsigned char)s.data[i + 2];
        buffer_append_byte(out, alphabet[bits >> 18]);
        buffer_append_byte(out, alphabet[bits >> 12 & 63]);
        buffer_append_byte(out, left > 1 ? alphabet[bits >> 6 & 63] : '=');
        buffer_append_byte(out, left > 2 ? alphabet[bits & 63] : '=');
    }
}

static uint32_t digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0' + 52);
    if (c == '+')
        return 62;
    return c == '/' ? 63 : NO_DIGIT;
}

/* group = 4DIGIT / 3DIGIT "=" / 2DIGIT "=="; the padded ones at the end only */
static bool decode_group(const char *group, bool is_last, struct buffer *out)
{
    size_t digits = 4;
    uint32_t bits = 0;
    if (is_last && group[3] == '=')
        digits = group[2] == '=' ? 2 : 3;
    for (size_t i = 0; i < digits; i++) {
        uint32_t value = digit(group[i]);
        if (value == NO_DIGIT)
            return false;
        bits |= value << (18 - 6 * i);
    }
    if ((digits == 2 && (bits & 0xffff) != 0) || (digits == 3 && (bits & 0xff) != 0))
        return false;
    for (size_t i = 0; i + 1 < digits; i++)
        buffer_append_byte(out, (char)(bits >> (16 - 8 * i)));
    return true;
}

bool base64_decode(struct slice text, struct buffer *out)
{
    if (text.len % 4 != 0)
        return false;
    for (size_t i = 0; i < text.len; i += 4)
        if (!decode_group(text.data + i, i + 4 == text.len, out))
            return false;
    return true;
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
        uint32_t value = digit(letter);
        if (is_space(letter))
            continue;
        if (letter == '=' ? ++padding > 2 : value == NO_DIGIT || padding > 0)
            return false;
        if (letter == '=')
            continue;
        letters++;
        bits = bits << 6 | value;
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
