/* parts.h: a message that may be a report, as a flat list of its parts, decoded.
 *
 * RFC 2045, RFC 2046, RFC 6522; HOSTILE 103 and 109. One pass, no recursion. Only the
 * first REPORT_BYTES_MAX octets are read: what a report says comes first. A multipart
 * whose boundary never comes is one part of text. Pure; any thread.
 */
#ifndef GODWIT_WIRE_REPORT_PARTS_H
#define GODWIT_WIRE_REPORT_PARTS_H

#include "base/arena.h"

enum {
    REPORT_BYTES_MAX = 4 * 1024 * 1024,
    REPORT_PARTS_MAX = 64,
    REPORT_DEPTH_MAX = 16,
    REPORT_ARENA_BYTES = 64 * 1024 * 1024, /* enough for any report that is read */
};

enum report_part_kind {
    REPORT_PART_TEXT,     /* text of any kind but HTML; what says nothing of itself */
    REPORT_PART_HTML,
    REPORT_PART_STATUS,   /* message/delivery-status, message/global-delivery-status */
    REPORT_PART_FEEDBACK, /* message/feedback-report */
    REPORT_PART_MESSAGE,  /* message/rfc822, message/global */
    REPORT_PART_HEADERS,  /* text/rfc822-headers, message/global-headers */
    REPORT_PART_OTHER,
};

struct report_part {
    enum report_part_kind kind;
    struct slice header;  /* its lines end in CRLF; perhaps empty */
    struct slice content; /* likewise; transfer encodings taken off */
};

/* Everything lives in the arena given. */
struct report_parts {
    struct slice header;
    struct slice body;    /* as it came, but for line ends */
    struct report_part *parts;
    size_t count;         /* at least one */
    bool is_cut;          /* there was more than the limits allow */
};

/* False: the arena has no room. */
bool report_parts_read(struct slice message, struct arena *arena,
                       struct report_parts *out_parts);

/* The first part of that kind, or NULL. */
const struct report_part *report_parts_find(const struct report_parts *parts,
                                            enum report_part_kind kind);

/* The value of the first such field on one line, in the arena; empty when there is none. */
struct slice report_header_value(struct slice header, struct slice name,
                                 struct arena *arena);

#endif
