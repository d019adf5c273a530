/* crc32c.c: SSE 4.2 when the processor has it, a table of 256 otherwise. */
#include "base/crc32c.h"

#include <pthread.h>

static uint32_t byte_table[256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 1u) != 0 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
        byte_table[i] = crc;
    }
}

static uint32_t crc32c_by_table(uint32_t crc, struct slice s)
{
    pthread_once(&table_once, make_table);
    for (size_t i = 0; i < s.len; i++)
        crc = (crc >> 8) ^ byte_table[(crc ^ (unsigned char)s.data[i]) & 0xffu];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2")))
static uint32_t crc32c_by_instruction(uint32_t crc, struct slice s)
{
    uint64_t wide = crc;
    const char *at = s.data;
    size_t left = s.len;
    for (; left >= 8; at += 8, left -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; left > 0; at++, left--)
        crc = __builtin_ia32_crc32qi(crc, (unsigned char)*at);
    return crc;
}
#endif

uint32_t crc32c(uint32_t crc, struct slice s)
{
    crc = ~crc;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc32c_by_instruction(crc, s);
#endif
    return ~crc32c_by_table(crc, s);
}
