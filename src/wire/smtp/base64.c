/* base64.c: groups of three octets, four characters each. */
#include "wire/smtp/base64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_append(struct buffer *out, struct slice octets)
{
    for (size_t at = 0; at < octets.len; at += 3) {
        struct slice group = slice_part(octets, at, 3);
        uint32_t bits = 0;
        for (size_t i = 0; i < 3; i++)
            bits = bits << 8 | (i < group.len ? (uint8_t)group.data[i] : 0u);
        for (size_t i = 0; i < 4; i++)
            buffer_append_byte(out, i > group.len ? '=' : alphabet[bits >> (18 - 6 * i) & 63]);
    }
}

static bool value_of(char c, uint32_t *out)
{
    for (uint32_t i = 0; i < 64; i++)
        if (alphabet[i] == c) {
            *out = i;
            return true;
        }
    return false;
}

/* base64 = *( 4( ALPHA / DIGIT / "+" / "/" ) )
 *          [ 3( char ) "=" / 2( char ) "==" ] (RFC 4954 8) */
static bool read_group(struct slice group, bool is_last, struct buffer *out)
{
    uint32_t bits = 0;
    size_t characters = 4;
    while (characters > 2 && is_last && group.data[characters - 1] == '=')
        characters--;
    for (size_t i = 0; i < 4; i++) {
        uint32_t value = 0;
        if (i < characters && !value_of(group.data[i], &value))
            return false;
        bits = bits << 6 | value;
    }
    size_t octets = characters - 1;
    if ((bits & (0xffffffu >> (8 * octets))) != 0)
        return false;
    for (size_t i = 0; i < octets; i++)
        buffer_append_byte(out, (char)(uint8_t)(bits >> (16 - 8 * i)));
    return true;
}

bool base64_read(struct slice text, struct buffer *out)
{
    size_t before = buffer_len(out);
    bool good = text.len % 4 == 0;
    for (size_t at = 0; good && at < text.len; at += 4)
        good = read_group(slice_part(text, at, 4), at + 4 == text.len, out);
    if (!good)
        buffer_truncate(out, before);
    return good;
}
