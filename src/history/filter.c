/* filter.c: a Bloom filter over a stretch of the history, so that an index of addresses,
 * whose pages would be written all over with each message, is not needed. */
#include "history/history_private.h"

#include "base/ascii.h"

enum { PROBES = 6, BITS = FILTER_BYTES * 8 };

/* FNV-1a, mixed once more: a collision costs a look, nothing else. */
uint64_t filter_key(struct slice text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.len; i++) {
        h ^= (uint8_t)ascii_lower(text.data[i]);
        h *= UINT64_C(0x100000001b3);
    }
    h ^= h >> 32;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

static size_t bit_of(uint64_t key, unsigned probe)
{
    uint32_t a = (uint32_t)key, b = (uint32_t)(key >> 32) | 1;
    return (size_t)(uint32_t)(a + probe * b) % BITS;
}

void filter_add(uint8_t bits[FILTER_BYTES], uint64_t key)
{
    for (unsigned i = 0; i < PROBES; i++)
        bits[bit_of(key, i) / 8] |= (uint8_t)(1u << bit_of(key, i) % 8);
}

bool filter_may_have(const uint8_t bits[FILTER_BYTES], uint64_t key)
{
    for (unsigned i = 0; i < PROBES; i++)
        if ((bits[bit_of(key, i) / 8] & 1u << bit_of(key, i) % 8) == 0)
            return false;
    return true;
}
