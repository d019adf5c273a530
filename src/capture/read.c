/* read.c: frames from the file; what is no frame is passed over in steps of eight octets, and
 * holes as a whole. */
#include "capture/capture_private.h"

#include "base/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { ARENA_MAX = 64 * 1024 * 1024, PAGE = 4096 };

void capture_reader_init(struct capture_reader *r, int fd, uint64_t place)
{
    *r = (struct capture_reader){ .fd = fd, .place = place };
    buffer_init(&r->bytes, FRAME_MAX);
    arena_init(&r->arena, ARENA_MAX);
}

void capture_reader_free(struct capture_reader *r)
{
    buffer_free(&r->bytes);
    arena_free(&r->arena);
}

/* True when all of it was there. */
static bool read_at(int fd, uint64_t place, char *out, size_t len)
{
    while (len > 0) {
        ssize_t got = pread(fd, out, len, (off_t)place);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        out += got;
        place += (uint64_t)got;
        len -= (size_t)got;
    }
    return true;
}

/* Where the next octets are that are not in a hole; `place` itself where that is not known. */
static uint64_t behind_hole(int fd, uint64_t place)
{
    off_t at = lseek(fd, (off_t)place, SEEK_DATA);
    if (at < 0 && errno == ENXIO)
        at = lseek(fd, 0, SEEK_END);
    return at < (off_t)place ? place : (uint64_t)at / 8 * 8;
}

/* Of a frame that begins at reader->place. */
enum found { FOUND, NOT_THERE, NO_FRAME };

static enum found look(struct capture_reader *r, struct frame *out)
{
    char header[FRAME_BYTES];
    if (!read_at(r->fd, r->place, header, sizeof header))
        return NOT_THERE;
    if (!capture_frame_take(slice_make(header, sizeof header), out))
        return NO_FRAME;
    char last;
    if (!read_at(r->fd, r->place + capture_frame_span(out->length) - 1, &last, 1))
        return NOT_THERE;
    if (out->kind == CAPTURE_BODY)
        return FOUND;
    buffer_clear(&r->bytes);
    char *room = buffer_reserve(&r->bytes, out->length + 1);
    if (room == NULL)
        return NO_FRAME;
    if (!read_at(r->fd, r->place + FRAME_BYTES, room, out->length))
        return NOT_THERE;
    buffer_added(&r->bytes, out->length);
    return crc32c(0, buffer_slice(&r->bytes)) == out->crc ? FOUND : NO_FRAME;
}

/* From place to the next frame; false when there is none yet, and the place is as before. */
static bool resync(struct capture_reader *r, struct frame *out)
{
    uint64_t start = r->place;
    uint64_t at = behind_hole(r->fd, start);
    r->place = at > start ? at : start + 8;
    enum found found;
    while ((found = look(r, out)) == NO_FRAME)
        r->place += 8;
    if (found == FOUND)
        return true;
    r->place = start;
    return false;
}

bool capture_read(struct capture_reader *r)
{
    struct frame frame;
    for (;;) {
        enum found found = look(r, &frame);
        if (found == NOT_THERE || (found == NO_FRAME && !resync(r, &frame)))
            return false;
        uint64_t place = r->place;
        r->place += capture_frame_span(frame.length);
        arena_reset(&r->arena);
        if (frame.kind == CAPTURE_BODY ||
            !capture_parse(frame.kind, buffer_slice(&r->bytes), &r->arena, &r->item))
            continue;
        r->item.place = place;
        return true;
    }
}

bool capture_read_content(int fd, const struct capture_extent *extents, size_t count,
                          struct buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        struct frame frame;
        char header[FRAME_BYTES];
        const struct capture_extent *e = &extents[i];
        if (!read_at(fd, e->place, header, sizeof header) ||
            !capture_frame_take(slice_make(header, sizeof header), &frame) ||
            frame.kind != CAPTURE_BODY || frame.length != e->length)
            return false;
        char *room = buffer_reserve(out, frame.length);
        if (frame.length == 0)
            continue;
        if (room == NULL || !read_at(fd, e->place + FRAME_BYTES, room, frame.length) ||
            crc32c(0, slice_make(room, frame.length)) != frame.crc)
            return false;
        buffer_added(out, frame.length);
    }
    return true;
}

void capture_release(int fd, uint64_t place, uint64_t length)
{
    uint64_t start = (place + PAGE - 1) / PAGE * PAGE;
    uint64_t end = (place + length) / PAGE * PAGE;
    if (end > start)
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start,
                  (off_t)(end - start));
}
