/* reasons.h: the steps that led to a verdict, as short texts for people.
 *
 * A bounded list. What is told of a peer's bytes goes in through
 * buffer_append_escaped(), so that a text is printable and of one line. When the list
 * is full or memory is out a step is not kept; a verdict never depends on it. One owner,
 * one thread.
 */
#ifndef GODWIT_MAIL_REASONS_H
#define GODWIT_MAIL_REASONS_H

#include "base/buffer.h"

enum {
    REASONS_MAX = 64,
    REASON_BYTES_MAX = 240, /* of one text; a longer one is cut, and ends in "..." */
};

struct reasons {
    struct buffer text;
    uint16_t ends[REASONS_MAX];
    uint16_t count;
};

/* Allocates nothing. */
void reasons_init(struct reasons *reasons);
void reasons_free(struct reasons *reasons);

/* Append the text to what this returns, then call reasons_end(). */
struct buffer *reasons_begin(struct reasons *reasons);
void reasons_end(struct reasons *reasons);

/* A whole text of ours. */
void reasons_add(struct reasons *reasons, const char *text);

/* A text of ours, then `told` in quotes and escaped, then more of ours. */
void reasons_add_about(struct reasons *reasons, const char *before, struct slice told,
                       const char *after);

/* Forgets the newest ones where fewer than `wanted` would find room: for the end of the
 * story, which must not be what is missing. */
void reasons_make_room(struct reasons *reasons, size_t wanted);

/* The n-th of reasons->count, valid until the next one is added. */
struct slice reasons_at(const struct reasons *reasons, size_t n);

#endif
