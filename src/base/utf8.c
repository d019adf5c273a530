/* utf8.c: RFC 3629 section 4, checked sequence by sequence. */
#include "base/utf8.h"

#include "base/ascii.h"

static unsigned byte_at(struct slice s, size_t i)
{
    return (unsigned char)s.data[i];
}

static bool is_tail(struct slice s, size_t i)
{
    return (byte_at(s, i) & 0xc0u) == 0x80u;
}

/* UTF8-2 = %xC2-DF tail; UTF8-3 and UTF8-4 narrow their second byte after E0,
 * ED, F0 and F4. */
size_t utf8_sequence_len(struct slice s)
{
    if (s.len == 0)
        return 0;
    unsigned first = byte_at(s, 0);
    if (first < 0x80)
        return 1;
    size_t len = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 :
                 first < 0xf5 ? 4 : 0;
    if (len == 0 || s.len < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if (!is_tail(s, i))
            return 0;
    unsigned second = byte_at(s, 1);
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
        return 0;
    return len;
}

/* How many octets at the front are ASCII, in steps of a word. */
static size_t ascii_words(struct slice s)
{
    size_t i = 0;
    uint64_t word;
    for (; s.len - i >= sizeof word; i += sizeof word) {
        memcpy(&word, s.data + i, sizeof word);
        if ((word & UINT64_C(0x8080808080808080)) != 0)
            break;
    }
    return i;
}

bool utf8_is_valid(struct slice s)
{
    while (s.len > 0) {
        s = slice_from(s, ascii_words(s));
        if (s.len == 0)
            return true;
        size_t len = utf8_sequence_len(s);
        if (len == 0)
            return false;
        s = slice_from(s, len);
    }
    return true;
}

bool utf8_is_control(struct slice s)
{
    size_t len = utf8_sequence_len(s);
    if (len == 2)
        return byte_at(s, 0) == 0xc2 && byte_at(s, 1) < 0xa0;
    if (len != 3 || byte_at(s, 0) != 0xe2)
        return false;
    unsigned second = byte_at(s, 1);
    unsigned third = byte_at(s, 2);
    /* U+200E, U+200F; U+2028 to U+202E; U+2066 to U+2069 */
    return (second == 0x80 && (third == 0x8e || third == 0x8f)) ||
           (second == 0x80 && third >= 0xa8 && third <= 0xae) ||
           (second == 0x81 && third >= 0xa6 && third <= 0xa9);
}

bool slice_is_ascii(struct slice s)
{
    unsigned char seen = 0;
    for (size_t i = 0; i < s.len; i++)
        seen |= (unsigned char)s.data[i];
    return seen < 0x80;
}
