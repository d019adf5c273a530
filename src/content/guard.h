/* guard.h: how deep and how wide a message is, before a library takes it apart.
 *
 * HOSTILE 101, 103 and 105. GMime builds an object for each part and calls itself for each
 * level (1,024 at most), so that a small message could cost gigabytes. The guard is one pass
 * with a stack of its own: the lines that could be boundaries are counted whatever anybody
 * takes for one, and the depth is followed as RFC 2046 has it. Pure; any thread.
 */
#ifndef GODWIT_CONTENT_GUARD_H
#define GODWIT_CONTENT_GUARD_H

#include "base/slice.h"

enum {
    CONTENT_DEPTH_MAX = 100,   /* of multiparts and messages in one another */
    CONTENT_PARTS_MAX = 10000,
    CONTENT_FIELD_MAX = 64 * 1024, /* octets of a header field, folds included */
    CONTENT_HEADER_MAX = 1024 * 1024,
};

enum content_verdict {
    CONTENT_FITS,
    CONTENT_TOO_DEEP,
    CONTENT_TOO_MANY_PARTS,
    CONTENT_HEADER_TOO_LARGE, /* a field or all of a header */
};

/* Line ends may be CRLF or LF. */
enum content_verdict content_guard(struct slice message);

/* "too deep"; "" of CONTENT_FITS. */
const char *content_verdict_text(enum content_verdict verdict);

#endif
