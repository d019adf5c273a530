/* capture_private.h: the log (log.c), what stands in it (record.c), messages on their way into
 * it (intake.c), sessions (session.c), syncs (sync.c). */
#ifndef GODWIT_CAPTURE_CAPTURE_PRIVATE_H
#define GODWIT_CAPTURE_CAPTURE_PRIVATE_H

#include "base/list.h"
#include "base/record.h"
#include "base/table.h"
#include "capture/capture.h"
#include "capture/read.h"

enum {
    FRAME_BYTES = 24,
    FRAME_MAX = 1024 * 1024 * 16,
    EXTENT_BYTES = 256 * 1024,   /* of a message that a writer holds back */
    SESSION_LINES_BYTES = 32 * 1024, /* of a dialogue that are held back */
};

/* A frame: u32 magic, u32 kind, u32 length, u32 CRC of the payload, u32 zero, u32 CRC of what
 * is before it; then the payload, and zeros to the next multiple of eight. */
struct frame {
    enum capture_kind kind;
    uint32_t length;
    uint32_t crc;
};

/* record.c */
void capture_frame_put(struct buffer *out, enum capture_kind kind, struct slice payload);
bool capture_frame_take(struct slice bytes, struct frame *out);
static inline uint64_t capture_frame_span(uint64_t length)
{
    return FRAME_BYTES + (length + 7) / 8 * 8;
}
void record_put_message(struct buffer *out, const struct capture_message *message);
void record_put_session(struct buffer *out, const struct capture_session *session);

/* A session that goes on. */
struct capture_open_session {
    struct table_entry entry;    /* by `id` */
    uint64_t id;                 /* as the host has it */
    uint64_t place;              /* its name in the log */
    struct buffer lines;         /* not in the log yet */
    uint64_t lines_bytes;        /* in all */
    bool is_cut;
    struct capture_facts facts;  /* as its last message ended, or it did */
    struct buffer facts_text;    /* where they stand */
};

struct capture {
    struct capture_options options;
    struct intake intake;
    struct line_sink lines;
    struct event_sink events;
    struct gate gate;
    struct table sessions;
    struct buffer scratch;
    uint64_t end;                /* of the log */
    uint64_t looked_at;          /* where its size on the disk was last asked for */
    bool is_full;
    bool is_broken;              /* a write or a sync has failed */
    uint64_t generation;
    uint64_t made;
    /* syncs */
    struct list waiting;         /* writers, for the next one */
    struct list syncing;         /* for the one that runs */
    bool is_syncing;
    enum err synced;             /* what came of it; the worker's until done() */
    struct work work;
};

/* log.c: appends a frame; its place in *out_place. */
enum err log_append_frame(struct capture *c, enum capture_kind kind, struct slice payload,
                          uint64_t *out_place);
enum err log_seek_end(struct capture *c);
void log_free_range(struct capture *c, uint64_t start, uint64_t length);
void log_tell(struct capture *c);
bool log_has_room(struct capture *c);

/* intake.c */
struct capture_writer {
    struct intake_writer writer;
    struct capture *capture;
    struct intake_begin begin;
    struct buffer held;
    struct capture_extent *extents;
    size_t extents_count;
    size_t extents_room;
    uint64_t size;
    enum err failure;
    struct list_node node;       /* in waiting or syncing */
    struct task task;
    void (*done)(void *context, enum err result, struct mail_id id);
    void *context;
};

enum err capture_begin(struct intake *intake, const struct intake_begin *begin,
                       struct intake_writer **out);
void writer_answer(struct capture_writer *w, enum err result); /* at its home, later */

/* session.c */
struct capture_open_session *session_find(struct capture *c, uint64_t id);
void session_flush_lines(struct capture *c, struct capture_open_session *s);
void sessions_init(struct capture *c);
void sessions_free(struct capture *c);

/* sync.c: answers the writer when all that is in the log by now is synced. */
void sync_wait(struct capture *c, struct capture_writer *w);

#endif
