/* canonical.h: the two forms in which DKIM and ARC hash a message: "simple" and "relaxed"
 * (RFC 6376 3.4). Only CRLF ends a line; a bare CR or LF is an octet like any other.
 * Pure; any thread.
 */
#ifndef GODWIT_WIRE_MESSAGE_CANONICAL_H
#define GODWIT_WIRE_MESSAGE_CANONICAL_H

#include "wire/message/header.h"

enum canonical_kind {
    CANONICAL_SIMPLE,
    CANONICAL_RELAXED,
};

/* Appends a field's canonical form with its CRLF. `without`, which may be empty, is a
 * part of the field's value that is left out: that of a signature's own "b=". */
void canonical_append_field(struct buffer *out, enum canonical_kind kind,
                            const struct header_field *field, struct slice without);

/* Takes the canonical octets of a body; they are borrowed for the call. */
struct canonical_sink {
    void (*take)(void *context, struct slice octets);
    void *context;
};

/* A body on its way. A value; holds none of it. */
struct canonical_body {
    enum canonical_kind kind;
    bool has_blanks;  /* blanks that are one if the line goes on, and none if it ends */
    bool has_cr;      /* a CR whose LF may come */
    bool any;         /* something that is no empty line went by */
    uint64_t lines;   /* line ends that are kept only if something follows */
};

static inline void canonical_body_init(struct canonical_body *body,
                                       enum canonical_kind kind)
{
    *body = (struct canonical_body){ .kind = kind };
}

void canonical_body_push(struct canonical_body *body, struct slice piece,
                         const struct canonical_sink *sink);
void canonical_body_finish(struct canonical_body *body, const struct canonical_sink *sink);

#endif
