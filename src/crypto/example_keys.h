/* example_keys.h: the keys of RFC 8463 A.1 and A.2, for tests alone. */
#ifndef GODWIT_CRYPTO_EXAMPLE_KEYS_H
#define GODWIT_CRYPTO_EXAMPLE_KEYS_H

#include "base/buffer.h"

/* An RSAPublicKey of that many bits, a multiple of 8, and an exponent of so many octets:
 * in form only, nobody can sign with it. */
static inline void example_rsa_public(struct buffer *out, size_t bits, size_t exponent)
{
    size_t modulus = bits / 8 + 1;
    size_t inside = 4 + modulus + 2 + exponent;
    const size_t heads[][2] = { { 0x30, inside }, { 0x02, modulus } };
    for (size_t i = 0; i < 2; i++) {
        buffer_append_byte(out, (char)heads[i][0]);
        buffer_append_byte(out, (char)0x82);
        buffer_append_byte(out, (char)(heads[i][1] >> 8));
        buffer_append_byte(out, (char)heads[i][1]);
    }
    buffer_append_byte(out, '\0');
    for (size_t i = 1; i < modulus; i++)
        buffer_append_byte(out, (char)0xfd);
    buffer_append_byte(out, 0x02);
    buffer_append_byte(out, (char)exponent);
    for (size_t i = 0; i < exponent; i++)
        buffer_append_byte(out, 0x11);
}

#define EXAMPLE_ED25519_PEM \
    "-----BEGIN PRIVATE KEY-----\n" \
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n" \
    "-----END PRIVATE KEY-----\n"
#define EXAMPLE_ED25519_PUBLIC "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

#define EXAMPLE_RSA_PEM \
    "-----BEGIN RSA PRIVATE KEY-----\n" \
    "MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi\n" \
    "Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM\n" \
    "KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\n" \
    "AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm\n" \
    "6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe\n" \
    "zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy\n" \
    "6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc\n" \
    "uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy\n" \
    "WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd\n" \
    "WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a\n" \
    "licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst\n" \
    "o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe\n" \
    "uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL\n" \
    "-----END RSA PRIVATE KEY-----\n"
#define EXAMPLE_RSA_PUBLIC \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2" \
    "jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvH" \
    "O9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"

#endif
