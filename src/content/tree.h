/* tree.h: a message as the tree of its parts, for people: what each is, how large, where its
 * octets lie, and what it calls itself, with encoded words and charsets made UTF-8.
 *
 * RFC 2045 to 2047, RFC 2231; HOSTILE 103, 105 and 109. GMime reads it, after the guard has
 * seen that it may; what is beyond the limits is one opaque part. Nothing is fetched,
 * joined or unpacked, and nothing decoded is kept: who wants it is handed it. In its own
 * process where mail comes from strangers; one thread at a time.
 */
#ifndef GODWIT_CONTENT_TREE_H
#define GODWIT_CONTENT_TREE_H

#include "base/arena.h"
#include "content/guard.h"

enum {
    CONTENT_TEXT_MAX = 64 * 1024, /* octets of one header value, decoded */
    CONTENT_ARENA_BYTES = 256 * 1024 * 1024,
};

#define CONTENT_NO_PARENT ((size_t)-1)

/* Of the message itself, or of a message in it. UTF-8 without controls, or empty. */
struct content_header {
    struct slice subject;
    struct slice from;
    struct slice to;
    struct slice date;
    struct slice message_id;
};

/* Texts likewise. */
struct content_part {
    size_t parent;             /* its index, or CONTENT_NO_PARENT */
    struct slice id;           /* "2", "1.2"; "0" of the body, and "1.0" of a multipart that
                                  is not the body, as Mailpit numbers them */
    uint64_t offset;           /* of its encoded octets in the message ... */
    uint64_t length;           /* ... and how many; of parts without parts */
    unsigned depth;
    struct slice type;         /* "text/plain", small letters */
    struct slice charset;
    struct slice boundary;
    struct slice encoding;     /* "base64"; empty: not said */
    struct slice disposition;
    struct slice filename;
    struct slice content_id;
    uint64_t size;             /* octets, decoded; of parts without parts */
    bool has_parts;            /* a multipart, or a message */
    const struct content_header *header; /* of a message in it; NULL: it is none */
};

/* Everything lives in the arena given. */
struct content_tree {
    enum content_verdict verdict; /* other than CONTENT_FITS: one opaque part */
    struct content_header header;
    struct content_part *parts;   /* each before those in it; the first is the body */
    size_t count;
};

/* False: memory is out. */
bool content_tree_read(struct slice message, struct arena *arena,
                       struct content_tree *out_tree);

/* Told of a part without parts: what it is, and its content, decoded; both until it
 * returns. False: no more of them. */
typedef bool content_leaf_fn(void *context, const struct content_part *part,
                             struct slice content);

/* The same, and `leaf` is told of each leaf; of an opaque part it is not. */
bool content_tree_leaves(struct slice message, struct arena *arena, content_leaf_fn *leaf,
                         void *context);

#endif
