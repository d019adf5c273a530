#include "milter/held.h"

#include "base/buffer.h"
#include "base/list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    MEMORY_MAX = 64 * 1024,      /* then it goes to the file */
    TAIL_MAX = 4 * 1024 * 1024,  /* and what comes while it goes there */
    WINDOW_BYTES = 64 * 1024,
};

struct held {
    struct held_options options;
    void (*ready)(void *context);
    void *context;
    int fd;
    uint64_t filed;              /* octets in the file */
    struct buffer tail;          /* what follows them */
    enum err trouble;
    /* a job of the pool */
    struct work work;
    bool is_working;
    bool is_over;                /* freed when the job is done */
    bool is_read;
    enum err result;
    struct buffer moving;        /* being written */
    char *window;                /* of the file */
    uint64_t window_at;
    size_t window_len;
};

static void held_free(struct held *h)
{
    if (h->fd >= 0)
        close(h->fd);
    buffer_free(&h->tail);
    buffer_free(&h->moving);
    free(h->window);
    free(h);
}

/* ---- on a thread of the pool ---- */

static enum err open_file(struct held *h)
{
    char path[4096];
    h->fd = open(h->options.folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (h->fd >= 0)
        return ERR_OK;
    int len = snprintf(path, sizeof path, "%s/filtered-XXXXXX", h->options.folder);
    if (len < 0 || (size_t)len >= sizeof path)
        return ERR_INVALID;
    h->fd = mkostemp(path, O_CLOEXEC); /* not every file system has files without names */
    if (h->fd < 0)
        return err_from_errno(errno);
    unlink(path);
    return ERR_OK;
}

static enum err write_out(struct held *h)
{
    struct slice left = buffer_slice(&h->moving);
    uint64_t at = h->filed;
    while (left.len > 0) {
        ssize_t n = pwrite(h->fd, left.data, left.len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? err_from_errno(errno) : ERR_IO;
        at += (size_t)n;
        left = slice_from(left, (size_t)n);
    }
    return ERR_OK;
}

static enum err read_in(struct held *h)
{
    size_t done = 0;
    while (done < h->window_len) {
        ssize_t n = pread(h->fd, h->window + done, h->window_len - done,
                          (off_t)(h->window_at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? err_from_errno(errno) : ERR_IO;
        done += (size_t)n;
    }
    return ERR_OK;
}

static void on_run(struct work *work)
{
    struct held *h = container_of(work, struct held, work);
    h->result = h->fd < 0 ? open_file(h) : ERR_OK;
    if (h->result == ERR_OK)
        h->result = h->is_read ? read_in(h) : write_out(h);
}

/* ---- on its own ---- */

static void on_done(struct work *work)
{
    struct held *h = container_of(work, struct held, work);
    h->is_working = false;
    if (h->is_over) {
        held_free(h);
        return;
    }
    if (h->result != ERR_OK) {
        h->trouble = h->result;
        h->window_len = 0;
    } else if (!h->is_read) {
        h->filed += buffer_len(&h->moving);
    }
    buffer_free(&h->moving);
    if (h->ready != NULL)
        h->ready(h->context);
}

static enum held_result start(struct held *h, bool is_read)
{
    h->is_read = is_read;
    h->work = (struct work){ .home = h->options.home, .run = on_run, .done = on_done };
    h->is_working = workers_submit(h->options.workers, &h->work);
    if (h->is_working)
        return HELD_WAIT;
    h->trouble = ERR_BUSY;
    h->window_len = 0;
    return HELD_FAILED;
}

enum err held_open(const struct held_options *options, struct held **out)
{
    struct held *h = calloc(1, sizeof *h);
    if (h == NULL)
        return ERR_MEMORY;
    h->options = *options;
    h->fd = -1;
    buffer_init(&h->tail, TAIL_MAX);
    buffer_init(&h->moving, TAIL_MAX);
    *out = h;
    return ERR_OK;
}

void held_close(struct held **held)
{
    struct held *h = *held;
    *held = NULL;
    if (h == NULL)
        return;
    h->is_over = true;
    if (!h->is_working)
        held_free(h);
}

void held_tell(struct held *h, void (*ready)(void *context), void *context)
{
    h->ready = ready;
    h->context = context;
}

enum held_result held_append(struct held *h, struct slice bytes)
{
    if (h->trouble == ERR_OK && bytes.len > h->options.bytes_max - held_size(h))
        h->trouble = ERR_FULL;
    if (h->trouble != ERR_OK)
        return HELD_FAILED;
    buffer_append(&h->tail, bytes);
    if (h->tail.overflow) {
        h->trouble = ERR_MEMORY;
        return HELD_FAILED;
    }
    if (buffer_len(&h->tail) < MEMORY_MAX)
        return HELD_OK;
    if (h->is_working)
        return HELD_WAIT;
    buffer_move(&h->moving, &h->tail);
    return start(h, false);
}

enum held_result held_read(struct held *h, uint64_t at, struct slice *out)
{
    if (h->trouble != ERR_OK)
        return HELD_FAILED;
    if (h->is_working)
        return HELD_WAIT;
    if (at >= h->filed) {
        *out = slice_from(buffer_slice(&h->tail), (size_t)(at - h->filed));
        return HELD_OK;
    }
    if (at >= h->window_at && at < h->window_at + h->window_len) {
        size_t skipped = (size_t)(at - h->window_at);
        *out = slice_make(h->window + skipped, h->window_len - skipped);
        return HELD_OK;
    }
    if (h->window == NULL)
        h->window = malloc(WINDOW_BYTES);
    if (h->window == NULL) {
        h->trouble = ERR_MEMORY;
        return HELD_FAILED;
    }
    uint64_t left = h->filed - at;
    h->window_at = at;
    h->window_len = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
    return start(h, true);
}

uint64_t held_size(const struct held *h)
{
    return h->filed + buffer_len(&h->moving) + buffer_len(&h->tail);
}

bool held_is_busy(const struct held *h)
{
    return h->is_working;
}

enum err held_trouble(const struct held *h)
{
    return h->trouble;
}
