/* scan_private.h: running over octets to the next CR or LF, sixteen at a time where
 * the processor can. */
#ifndef GODWIT_WIRE_SMTP_SCAN_PRIVATE_H
#define GODWIT_WIRE_SMTP_SCAN_PRIVATE_H

#include "base/slice.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct scan_seen {
    bool nul;
    bool high; /* an octet above 127 */
};

/* The place of the first CR or LF in [at, end), or end; what lies before it is noted
 * in *seen, which is only added to. */
static inline const char *scan_to_line_end(const char *at, const char *end,
                                           struct scan_seen *seen)
{
#ifdef __SSE2__
    const __m128i cr = _mm_set1_epi8('\r');
    const __m128i lf = _mm_set1_epi8('\n');
    const __m128i zero = _mm_setzero_si128();
    while (end - at >= 16) {
        __m128i octets = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(octets, cr), _mm_cmpeq_epi8(octets, lf));
        unsigned found = (unsigned)_mm_movemask_epi8(ends);
        unsigned nul = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(octets, zero));
        unsigned high = (unsigned)_mm_movemask_epi8(octets);
        unsigned before = found == 0 ? 0xffffu : (found & (0u - found)) - 1;
        seen->nul |= (nul & before) != 0;
        seen->high |= (high & before) != 0;
        if (found != 0)
            return at + __builtin_ctz(found);
        at += 16;
    }
#endif
    for (; at < end && *at != '\r' && *at != '\n'; at++) {
        seen->nul |= *at == '\0';
        seen->high |= ((unsigned char)*at & 0x80u) != 0;
    }
    return at;
}

#endif
