#include "base/base64.h"

enum { NO_DIGIT = 64 };

static const char letters[] =
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
        buffer_append_byte(out, letters[bits >> 18]);
        buffer_append_byte(out, letters[bits >> 12 & 63]);
        buffer_append_byte(out, left > 1 ? letters[bits >> 6 & 63] : '=');
        buffer_append_byte(out, left > 2 ? letters[bits & 63] : '=');
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
