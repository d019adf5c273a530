/* log.c: the file: frames one after another, and its end. */
#include "capture/capture_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_EVERY = 8 * 1024 * 1024, SCRATCH_MAX = FRAME_MAX + 4096 };

/* What is on the disk: what was given back does not count. */
bool log_has_room(struct capture *c)
{
    struct stat status;
    bool is_due = c->end - c->looked_at >= LOOK_EVERY || c->is_full;
    if (c->options.bytes_max > 0 && is_due && fstat(c->options.fd, &status) == 0) {
        c->looked_at = c->end;
        c->is_full = (uint64_t)status.st_blocks * 512 > c->options.bytes_max;
    }
    return !c->is_full && !c->is_broken;
}

static enum err write_whole(int fd, struct slice bytes, uint64_t place)
{
    while (bytes.len > 0) {
        ssize_t put = pwrite(fd, bytes.data, bytes.len, (off_t)place);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 && errno == ENOSPC ? ERR_FULL : ERR_IO;
        bytes = slice_from(bytes, (size_t)put);
        place += (uint64_t)put;
    }
    return ERR_OK;
}

enum err log_append_frame(struct capture *c, enum capture_kind kind, struct slice payload,
                          uint64_t *out_place)
{
    struct buffer *b = &c->scratch;
    buffer_clear(b);
    capture_frame_put(b, kind, payload);
    if (b->overflow)
        return ERR_MEMORY;
    /* What fails half way is written over by the next one. */
    enum err error = write_whole(c->options.fd, buffer_slice(b), c->end);
    if (error != ERR_OK)
        return error;
    *out_place = c->end;
    c->end += buffer_len(b);
    return ERR_OK;
}

void log_tell(struct capture *c)
{
    if (c->options.told >= 0)
        eventfd_write(c->options.told, 1);
}

void log_free_range(struct capture *c, uint64_t start, uint64_t length)
{
    capture_release(c->options.fd, start, length);
}

/* Behind the last frame that is whole. */
enum err log_seek_end(struct capture *c)
{
    struct capture_reader reader;
    struct stat status;
    if (fstat(c->options.fd, &status) != 0)
        return ERR_IO;
    capture_reader_init(&reader, c->options.fd, 0);
    while (capture_read(&reader)) {
        uint64_t used = reader.item.message.id.value >> 32;
        if (reader.item.kind == CAPTURE_MESSAGE && used >= c->generation)
            c->generation = used + 1; /* started again within a second */
    }
    c->end = c->looked_at = reader.place;
    capture_reader_free(&reader);
    if ((uint64_t)status.st_size > c->end && ftruncate(c->options.fd, (off_t)c->end) != 0)
        return ERR_IO;
    return ERR_OK;
}

enum err capture_open(const struct capture_options *options, struct capture **out)
{
    struct capture *c = calloc(1, sizeof *c);
    if (c == NULL)
        return ERR_MEMORY;
    c->options = *options;
    c->generation = (uint64_t)loop_now(options->loop).wall_ms / 1000;
    static const struct intake_ops ops = { .begin = capture_begin };
    c->intake.ops = &ops;
    list_init(&c->waiting);
    list_init(&c->syncing);
    buffer_init(&c->scratch, SCRATCH_MAX);
    sessions_init(c);
    enum err error = log_seek_end(c);
    if (error != ERR_OK) {
        capture_close(&c);
        return error;
    }
    *out = c;
    return ERR_OK;
}

void capture_close(struct capture **capture)
{
    struct capture *c = *capture;
    if (c == NULL)
        return;
    sessions_free(c);
    buffer_free(&c->scratch);
    free(c);
    *capture = NULL;
}

struct intake *capture_intake(struct capture *c)
{
    return &c->intake;
}
