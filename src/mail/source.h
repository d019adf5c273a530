/* source.h: reading back a message that an intake keeps.
 *
 * open() may be called on any thread and pins the content where it lies; close()
 * lets go of it. Between them the view and its slices stay as they are. A view
 * belongs to one thread at a time.
 */
#ifndef GODWIT_MAIL_SOURCE_H
#define GODWIT_MAIL_SOURCE_H

#include "base/err.h"
#include "mail/envelope.h"
#include "mail/id.h"

struct message_source;
struct message_view;

struct message_source_ops {
    /* ERR_ABSENT: no such message (any more); ERR_CORRUPT: it does not check and
     * was put aside; ERR_IO, ERR_MEMORY, ERR_DESCRIPTORS. */
    enum err (*open)(struct message_source *source, struct mail_id id,
                     struct message_view **out_view);
};

struct message_source {
    const struct message_source_ops *ops;
};

struct message_view_ops {
    /* Reads content from `offset`: exactly `len` bytes unless the content ends
     * before; *out_len says how many. ERR_IO or ERR_CORRUPT on trouble. */
    enum err (*read)(struct message_view *view, uint64_t offset, char *out,
                     size_t len, size_t *out_len);
    void (*close)(struct message_view *view);
};

struct message_view {
    const struct message_view_ops *ops;
    struct mail_id id;
    struct envelope envelope;
    struct slice prefix;       /* header fields to be sent before the content */
    uint64_t content_size;     /* in bytes, without the prefix */
    int64_t received_wall_ms;
};

static inline enum err message_open(struct message_source *source, struct mail_id id,
                                    struct message_view **out_view)
{
    return source->ops->open(source, id, out_view);
}

static inline enum err message_read(struct message_view *view, uint64_t offset,
                                    char *out, size_t len, size_t *out_len)
{
    return view->ops->read(view, offset, out, len, out_len);
}

/* Takes the view; NULL inside is allowed. */
static inline void message_close(struct message_view **view)
{
    if (*view == NULL)
        return;
    (*view)->ops->close(*view);
    *view = NULL;
}

#endif
