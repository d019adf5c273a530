/* read.h: the log of a sandbox, read by whoever shows it.
 *
 * A reader begins anywhere in front of a frame and goes on to the end of the file; at the end
 * it may be asked again later. What is damaged or was given back to the disk is passed over.
 * One thread.
 */
#ifndef GODWIT_CAPTURE_READ_H
#define GODWIT_CAPTURE_READ_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"
#include "mail/envelope.h"
#include "mail/id.h"

enum capture_kind {
    CAPTURE_BODY = 1,    /* a piece of a message; passed over by the reader */
    CAPTURE_MESSAGE,
    CAPTURE_OPENED,      /* a session */
    CAPTURE_LINES,
    CAPTURE_CLOSED,
    CAPTURE_FAULT,       /* a scripted fault was met */
};

/* Where a piece of a message stands in the log. */
struct capture_extent {
    uint64_t place;
    uint64_t length;
};

/* Who sent it, as it was known at its end. */
struct capture_facts {
    struct slice helo;
    struct slice client;        /* "192.0.2.1:4711" */
    struct slice account;
    struct slice mechanism;
    struct slice tls_version;   /* empty: in clear */
    struct slice tls_cipher;
};

/* Borrowed until the next call of capture_read(). */
struct capture_message {
    struct mail_id id;
    uint64_t session;           /* its name; 0: from none */
    int64_t received_wall_ms;
    uint64_t size;
    struct capture_facts facts;
    struct envelope envelope;
    struct slice prefix;        /* the trace field that a relay would have put before it */
    const struct capture_extent *extents;
    size_t extents_count;
};

struct capture_line {
    int64_t wall_ms;
    bool is_ours;
    struct slice text;
};

struct capture_session {
    uint64_t place;             /* its name: the place of its CAPTURE_OPENED, plus one */
    int64_t wall_ms;
    struct capture_facts facts; /* CLOSED */
    bool is_cut;                /* CLOSED: the dialogue was longer than what is kept of it */
    const struct capture_line *lines; /* LINES */
    size_t lines_count;
    struct slice fault;         /* FAULT: which one */
};

struct capture_item {
    enum capture_kind kind;
    uint64_t place;
    struct capture_message message;
    struct capture_session session;
};

struct capture_reader {
    int fd;                     /* borrowed */
    uint64_t place;             /* of the next frame */
    struct buffer bytes;
    struct arena arena;
    struct capture_item item;
};

void capture_reader_init(struct capture_reader *reader, int fd, uint64_t place);
void capture_reader_free(struct capture_reader *reader);

/* The next item, in reader->item; false at the end of what is there. */
bool capture_read(struct capture_reader *reader);

/* Appends the octets of a message, of which `size` is the length. False: they are not there
 * any more, or do not fit. */
bool capture_read_content(int fd, const struct capture_extent *extents, size_t count,
                          struct buffer *out);

/* Gives the disk back what lies there; in whole pages. */
void capture_release(int fd, uint64_t place, uint64_t length);

/* A payload of that kind; false: it is none. Everything lives in the arena or is borrowed from
 * `payload`. */
bool capture_parse(enum capture_kind kind, struct slice payload, struct arena *arena,
                   struct capture_item *out);

#endif
