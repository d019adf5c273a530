/* intake.c: a message on its way into the log: held back while it is small, in pieces when it
 * is not. What is given up is given back to the disk. */
#include "capture/capture_private.h"

#include <stdlib.h>
#include <string.h>

enum { RECORD_MAX = FRAME_MAX };

static struct capture_writer *of(struct intake_writer *writer)
{
    return container_of(writer, struct capture_writer, writer);
}

static enum err add_extent(struct capture_writer *w, struct capture_extent extent)
{
    if (w->extents_count == w->extents_room) {
        size_t room = w->extents_room == 0 ? 4 : w->extents_room * 2;
        struct capture_extent *more = reallocarray(w->extents, room, sizeof *more);
        if (more == NULL)
            return ERR_MEMORY;
        w->extents = more;
        w->extents_room = room;
    }
    w->extents[w->extents_count++] = extent;
    return ERR_OK;
}

static void let_go(struct capture_writer *w)
{
    struct slice held = buffer_slice(&w->held);
    struct capture_extent extent = { .length = held.len };
    if (w->failure == ERR_OK)
        w->failure = log_append_frame(w->capture, CAPTURE_BODY, held, &extent.place);
    if (w->failure == ERR_OK)
        w->failure = add_extent(w, extent);
    buffer_clear(&w->held);
}

static void release(struct capture_writer *w)
{
    for (size_t i = 0; i < w->extents_count; i++)
        log_free_range(w->capture, w->extents[i].place + FRAME_BYTES, w->extents[i].length);
    w->extents_count = 0;
}

static void writer_free(struct capture_writer *w)
{
    buffer_free(&w->held);
    free(w->extents);
    free(w);
}

static enum intake_flow on_write(struct intake_writer *writer, struct slice bytes)
{
    struct capture_writer *w = of(writer);
    while (bytes.len > 0 && w->failure == ERR_OK) {
        struct slice piece = slice_part(bytes, 0, EXTENT_BYTES - buffer_len(&w->held));
        buffer_append(&w->held, piece);
        w->size += piece.len;
        bytes = slice_from(bytes, piece.len);
        if (w->held.overflow)
            w->failure = ERR_MEMORY;
        if (buffer_len(&w->held) == EXTENT_BYTES)
            let_go(w);
    }
    return w->failure == ERR_OK ? INTAKE_MORE : INTAKE_FAILED;
}

static void on_rewind(struct intake_writer *writer)
{
    struct capture_writer *w = of(writer);
    release(w);
    buffer_clear(&w->held);
    w->size = 0;
}

static void on_abort(struct intake_writer **writer)
{
    if (*writer == NULL)
        return;
    struct capture_writer *w = of(*writer);
    *writer = NULL;
    release(w);
    writer_free(w);
}

static void on_answer(struct task *task)
{
    struct capture_writer *w = container_of(task, struct capture_writer, task);
    w->done(w->context, w->failure, w->writer.id);
    if (w->failure != ERR_OK)
        release(w);
    writer_free(w);
}

void writer_answer(struct capture_writer *w, enum err result)
{
    w->failure = result;
    w->task.run = on_answer;
    home_post(w->begin.home, &w->task);
}

static void append_message(struct capture_writer *w, const struct intake_commit *commit)
{
    struct capture *c = w->capture;
    struct capture_open_session *s = session_find(c, w->begin.session_id);
    struct capture_message m = {
        .id = w->writer.id, .session = s == NULL ? 0 : s->place,
        .received_wall_ms = commit->received_wall_ms, .size = w->size,
        .envelope = *commit->envelope, .prefix = commit->prefix,
        .extents = w->extents, .extents_count = w->extents_count,
    };
    struct buffer record;
    uint64_t place;
    if (s != NULL)
        m.facts = s->facts;
    buffer_init(&record, RECORD_MAX);
    record_put_message(&record, &m);
    if (record.overflow)
        w->failure = ERR_MEMORY;
    if (s != NULL && w->failure == ERR_OK)
        session_flush_lines(c, s);
    if (w->failure == ERR_OK)
        w->failure = log_append_frame(c, CAPTURE_MESSAGE, buffer_slice(&record), &place);
    buffer_free(&record);
}

static void on_commit(struct intake_writer **writer, const struct intake_commit *commit)
{
    struct capture_writer *w = of(*writer);
    *writer = NULL;
    w->done = commit->done;
    w->context = commit->context;
    if (buffer_len(&w->held) > 0)
        let_go(w);
    if (w->failure == ERR_OK)
        append_message(w, commit);
    if (w->failure == ERR_OK && w->capture->options.is_durable) {
        sync_wait(w->capture, w);
        return;
    }
    if (w->failure == ERR_OK)
        log_tell(w->capture);
    writer_answer(w, w->failure);
}

enum err capture_begin(struct intake *intake, const struct intake_begin *begin,
                       struct intake_writer **out)
{
    static const struct intake_writer_ops ops = {
        .write = on_write, .rewind = on_rewind, .commit = on_commit, .abort = on_abort,
    };
    struct capture *c = container_of(intake, struct capture, intake);
    if (!log_has_room(c))
        return ERR_FULL;
    struct capture_writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return ERR_MEMORY;
    w->writer.ops = &ops;
    w->writer.id.value = c->generation << 32 | ++c->made;
    w->capture = c;
    w->begin = *begin;
    buffer_init(&w->held, EXTENT_BYTES);
    *out = &w->writer;
    return ERR_OK;
}
