/* maildrop.h: the form of a message that a program left while no godwit was running.
 *
 *   godwit-maildrop 1
 *   sender a@example.com
 *   notify 6                    of the recipients that follow; 0 until it is said
 *   recipient b@example.org
 *   ret full | headers          perhaps
 *   envid xtext                 perhaps
 *   size 1234
 *
 *   (so many octets of content, CRLF line ends)
 *
 * Lines end with LF. A codec: no I/O. Any thread.
 */
#ifndef GODWIT_MAIL_MAILDROP_H
#define GODWIT_MAIL_MAILDROP_H

#include "base/arena.h"
#include "base/buffer.h"
#include "mail/envelope.h"

/* The folder of them in the data folder. A file is written under a name that begins
 * with a dot, synced, and renamed to one that ends with MAILDROP_SUFFIX. */
#define MAILDROP_FOLDER "maildrop"
#define MAILDROP_SUFFIX ".mail"

enum {
    MAILDROP_HEAD_MAX = 1024 * 1024,
    MAILDROP_RECIPIENTS_MAX = 10000,
};

/* Appends all but the content, the empty line included. */
void maildrop_append_head(struct buffer *out, const struct envelope *envelope,
                          uint64_t content_size);

enum maildrop_result {
    MAILDROP_OK,
    MAILDROP_SHORT,  /* the empty line has not come: read more, or it is broken */
    MAILDROP_BROKEN, /* *out_fault says why */
    MAILDROP_MEMORY,
};

struct maildrop_head {
    struct envelope envelope;  /* its content_* and body are not set */
    uint64_t content_size;
    size_t len;                /* of the head: the content begins there */
};

/* Reads the head at the front of `bytes`. Addresses are checked (RFC 5321 4.1.2), the
 * rest is that of envelope.h. Texts borrow from `bytes`, the list lies in the arena.
 * *out_head with MAILDROP_OK only; *out_fault, static, with MAILDROP_BROKEN only. */
enum maildrop_result maildrop_parse_head(struct slice bytes, struct arena *arena,
                                         struct maildrop_head *out_head,
                                         const char **out_fault);

#endif
