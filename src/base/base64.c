#include "base/base64.h"

#include "base/ascii.h"
#include "base/cursor.h"

enum { NO_DIGIT = 64, LETTERS = 256 };

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

/* One more than the digit that a letter is, so that 0 is none. */
static const uint8_t digits_and_one[LETTERS] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,
    ['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
    ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
    ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
    ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
    ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
    ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
    ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
    ['/'] = 64,
};

static uint32_t digit(char c)
{
    uint32_t one_more = digits_and_one[(unsigned char)c];
    return one_more == 0 ? NO_DIGIT : one_more - 1;
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
        if (value == NO_DIGIT && is_space(letter))
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
