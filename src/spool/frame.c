/* frame.c: frame headers, and walking over a segment that may be damaged. */
#include "spool/frame_private.h"

#include "base/crc32c.h"
#include "base/record.h"

#include <endian.h>

/* frame = magic(8) header-crc(4) length(4) segment(8) sequence(8) crc(4) type(4)
 *         payload(length)
 * All numbers little-endian; header-crc covers magic and all after itself. */
enum { CRC_AT = 8, AFTER_CRC = 12 };

static uint32_t header_crc(const char *header)
{
    uint32_t crc = crc32c(0, slice_make(header, CRC_AT));
    return crc32c(crc, slice_make(header + AFTER_CRC, SPOOL_FRAME_HEADER - AFTER_CRC));
}

static char *put32(char *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static char *put64(char *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

void spool_frame_encode(const struct spool_frame *frame, uint64_t magic,
                        char out[SPOOL_FRAME_HEADER])
{
    char *at = put64(out, magic) + sizeof(uint32_t);
    at = put32(at, frame->length);
    at = put64(at, frame->segment);
    at = put64(at, frame->sequence);
    at = put32(at, frame->crc);
    put32(at, (uint32_t)frame->type);
    put32(out + CRC_AT, header_crc(out));
}

bool spool_frame_decode(struct slice bytes, uint64_t magic,
                        struct spool_frame *out_frame)
{
    if (bytes.len < SPOOL_FRAME_HEADER)
        return false;
    struct record r = record_over(slice_part(bytes, 0, SPOOL_FRAME_HEADER));
    if (record_u64(&r) != magic || record_u32(&r) != header_crc(bytes.data))
        return false;
    struct spool_frame frame = { 0 };
    frame.length = record_u32(&r);
    frame.segment = record_u64(&r);
    frame.sequence = record_u64(&r);
    frame.crc = record_u32(&r);
    uint32_t type = record_u32(&r);
    if (type < SPOOL_FRAME_SEGMENT || type > SPOOL_FRAME_FOOTER)
        return false;
    frame.type = (enum spool_frame_type)type;
    *out_frame = frame;
    return true;
}

/* A header of this segment that need not check. */
static bool looks_ours(const struct spool_scan *scan, struct slice bytes)
{
    struct record r = record_over(bytes);
    if (record_u64(&r) != scan->magic)
        return false;
    record_u64(&r);
    return record_u64(&r) == scan->segment && !r.failed;
}

static bool is_next(const struct spool_scan *scan, struct slice bytes,
                    struct spool_frame *out_frame)
{
    struct spool_frame frame;
    if (!spool_frame_decode(bytes, scan->magic, &frame) ||
        frame.segment != scan->segment || frame.sequence <= scan->sequence ||
        frame.length > bytes.len - SPOOL_FRAME_HEADER)
        return false;
    *out_frame = frame;
    return true;
}

/* Tells about skipped bytes once, before whatever comes after them. A jump in the
 * sequence means that a frame is missing, even where its header is unreadable. */
static bool tell_gap(struct spool_scan *scan, bool jumped, struct spool_scan_step *out)
{
    bool tell = scan->gap < scan->at && (scan->ours || jumped);
    if (tell)
        *out = (struct spool_scan_step){
            .offset = scan->gap,
            .payload = slice_part(scan->bytes, scan->gap, scan->at - scan->gap),
        };
    scan->gap = scan->at;
    scan->ours = false;
    return tell;
}

/* A frame that checks, or bad bytes, at scan->at, whose header is `frame`. */
static enum spool_scan_result take(struct spool_scan *scan,
                                   const struct spool_frame *frame,
                                   struct spool_scan_step *out)
{
    size_t whole = spool_frame_bytes(frame->length);
    *out = (struct spool_scan_step){
        .frame = *frame,
        .offset = scan->at,
        .payload = slice_part(scan->bytes, scan->at + SPOOL_FRAME_HEADER,
                              frame->length),
    };
    scan->sequence = frame->sequence;
    scan->at += whole;
    scan->gap = scan->at;
    scan->ours = false;
    if (crc32c(0, out->payload) == frame->crc)
        return SPOOL_SCAN_FRAME;
    out->payload = slice_part(scan->bytes, out->offset,
                              SPOOL_FRAME_HEADER + frame->length);
    return SPOOL_SCAN_BAD;
}

enum spool_scan_result spool_scan_next(struct spool_scan *scan,
                                       struct spool_scan_step *out_step)
{
    while (scan->at < scan->bytes.len &&
           scan->bytes.len - scan->at >= SPOOL_FRAME_HEADER) {
        struct slice rest = slice_from(scan->bytes, scan->at);
        struct spool_frame frame;
        if (is_next(scan, rest, &frame)) {
            bool jumped = frame.type != SPOOL_FRAME_VOID &&
                          scan->sequence != 0 && frame.sequence != scan->sequence + 1;
            if (tell_gap(scan, jumped, out_step))
                return SPOOL_SCAN_BAD;
            return take(scan, &frame, out_step);
        }
        scan->ours |= looks_ours(scan, rest);
        scan->at += SPOOL_FRAME_ALIGN;
    }
    if (scan->at > scan->bytes.len)
        scan->at = scan->bytes.len;
    return tell_gap(scan, false, out_step) ? SPOOL_SCAN_BAD : SPOOL_SCAN_END;
}
