/* ascii.h: classes of bytes, free of the locale. Bytes above 127 are in none. */
#ifndef GODWIT_BASE_ASCII_H
#define GODWIT_BASE_ASCII_H

#include <stdbool.h>

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool ascii_is_alnum(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c);
}

/* Space or tab: WSP of RFC 5234. */
static inline bool ascii_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static inline bool ascii_is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static inline bool ascii_is_high(char c)
{
    return ((unsigned char)c & 0x80u) != 0;
}

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

/* The value of a hexadecimal digit of either case, or -1. */
static inline int ascii_hex_value(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
