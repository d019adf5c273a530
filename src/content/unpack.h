/* unpack.h: the one file in a packed report.
 *
 * HOSTILE 111. gzip and zip, told by their first octets, by libarchive; one level, as a
 * stream, until a limit is met; what an archive says of its sizes is not believed. In its
 * own process where mail comes from strangers; any thread.
 */
#ifndef GODWIT_CONTENT_UNPACK_H
#define GODWIT_CONTENT_UNPACK_H

#include "base/buffer.h"

enum {
    CONTENT_UNPACKED_MAX = 25 * 1024 * 1024,
    CONTENT_RATIO_MAX = 200,            /* octets for each octet packed ... */
    CONTENT_RATIO_FLOOR = 1024 * 1024,  /* ... of what is larger than this */
    CONTENT_MEMBERS_MAX = 16,
};

/* Appends what is in `packed` to `out`: of an archive the first file whose name ends in
 * `suffix`, small letters; what is no archive as it is. NULL, or why not, in words for
 * people, and `out` is of no use; a static text. */
const char *content_unpack(struct slice packed, struct slice suffix, struct buffer *out);

#endif
