/* frame_private.h: the frame, the unit of the log, and how a segment is read.
 *
 * A frame is a header of 40 bytes and a payload, at a multiple of 64 bytes. The
 * header starts with the spool's own random number, so that no bytes of a mail can
 * pass for a frame, and names its segment, so that what a recycled file still holds
 * from before is refused.
 */
#ifndef GODWIT_SPOOL_FRAME_PRIVATE_H
#define GODWIT_SPOOL_FRAME_PRIVATE_H

#include "base/slice.h"

enum {
    SPOOL_FRAME_HEADER = 40,
    SPOOL_FRAME_ALIGN = 64,
    SPOOL_SECTOR = 4096, /* what a disk, and the kernel's cache, write as one */
};

enum spool_frame_type {
    SPOOL_FRAME_SEGMENT = 1, /* the first of a segment: generation */
    SPOOL_FRAME_CHUNK,       /* a part of a body, meaningless without its commit */
    SPOOL_FRAME_COMMIT,      /* a message, and updates of others */
    SPOOL_FRAME_MOVE,        /* the same message in a new place */
    SPOOL_FRAME_UPDATE,      /* states of recipients */
    SPOOL_FRAME_ENDED,       /* messages that are gone */
    SPOOL_FRAME_NOTE,        /* a key and its value */
    SPOOL_FRAME_VOID,        /* a group before this one was given up */
    SPOOL_FRAME_FOOTER,      /* the segment is whole and closed */
};

struct spool_frame {
    uint64_t segment;
    uint64_t sequence;
    uint32_t length; /* of the payload */
    uint32_t crc;    /* CRC32C of the payload */
    enum spool_frame_type type;
};

static inline uint64_t spool_align(uint64_t bytes, uint64_t to)
{
    return (bytes + to - 1) / to * to;
}

/* What a payload takes up in a segment. */
static inline uint64_t spool_frame_bytes(uint64_t length)
{
    return spool_align(SPOOL_FRAME_HEADER + length, SPOOL_FRAME_ALIGN);
}

void spool_frame_encode(const struct spool_frame *frame, uint64_t magic,
                        char out[SPOOL_FRAME_HEADER]);

/* False when the bytes do not begin with a whole header that checks. */
bool spool_frame_decode(struct slice bytes, uint64_t magic,
                        struct spool_frame *out_frame);

/* Walks over the frames of one segment held in memory. */
struct spool_scan {
    struct slice bytes;
    uint64_t magic;
    uint64_t segment;
    size_t at;             /* where the next frame is looked for */
    uint64_t sequence;     /* of the last frame, 0 before the first */
    bool ours;             /* the bytes being skipped hold a header of this segment */
    size_t gap;            /* where the skipping began */
};

enum spool_scan_result {
    SPOOL_SCAN_FRAME, /* a whole frame */
    SPOOL_SCAN_BAD,   /* bytes that were frames of this segment and do not check */
    SPOOL_SCAN_END,
};

struct spool_scan_step {
    struct spool_frame frame;
    uint64_t offset;       /* of the header, or of the bad bytes */
    struct slice payload;  /* or the bad bytes */
};

static inline struct spool_scan spool_scan_over(struct slice bytes, uint64_t magic,
                                                uint64_t segment)
{
    return (struct spool_scan){ .bytes = bytes, .magic = magic, .segment = segment };
}

enum spool_scan_result spool_scan_next(struct spool_scan *scan,
                                       struct spool_scan_step *out_step);

#endif
