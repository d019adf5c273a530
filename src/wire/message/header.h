/* header.h: the header of a message: walking over its fields, and scanning it while
 * it comes in.
 *
 * RFC 5322 2.2, 3.6 and 4.5; HOSTILE 80 to 82, 101 and 108. Only CRLF ends a line.
 * A field whose name is followed by blanks or a fold before the colon ("From :") is
 * that field, and is flagged. Pure; one owner; any thread.
 */
#ifndef GODWIT_WIRE_MESSAGE_HEADER_H
#define GODWIT_WIRE_MESSAGE_HEADER_H

#include "base/buffer.h"
#include "base/cursor.h"

/* The fields that something in the system asks for. */
enum header_kind {
    HEADER_OTHER,
    HEADER_AUTO_SUBMITTED,
    HEADER_BCC,
    HEADER_CC,
    HEADER_CONTENT_TYPE,
    HEADER_DATE,
    HEADER_DELIVERED_TO,
    HEADER_FROM,
    HEADER_MESSAGE_ID,
    HEADER_MIME_VERSION,
    HEADER_RECEIVED,
    HEADER_REPLY_TO,
    HEADER_RETURN_PATH,
    HEADER_SENDER,
    HEADER_SUBJECT,
    HEADER_TO,
    HEADER_KINDS, /* how many there are */
};

/* Any case of letters. */
enum header_kind header_kind_of(struct slice name);

/* Borrows from the header block. */
struct header_field {
    struct slice whole; /* all its lines, with their CRLF */
    struct slice name;  /* as written, without blanks */
    struct slice value; /* what follows the colon: folds kept, final CRLF off */
    bool has_gap;       /* blanks or a fold before the colon */
};

enum header_result {
    HEADER_FIELD,
    HEADER_END,       /* the empty line, which is taken, or the end of the block */
    HEADER_MALFORMED, /* lines that are no field: only `whole` is set; go on if you like */
};

/* Takes the next field, with its folded lines. *out_field is not set at the end. */
enum header_result header_next(struct cursor *c, struct header_field *out_field);

/* The first field of that name, any case; false when there is none. */
bool header_find(struct slice header, struct slice name, struct header_field *out_field);

/* Appends the value on one line: the CRLF of each fold taken out (RFC 5322 2.2.3),
 * blanks at both ends off. Bare CR, LF and NUL become '?'. */
void header_append_unfolded(struct buffer *out, struct slice value);

enum {
    HEADER_FIELDS_MAX = 2000,
    HEADER_BYTES_MAX = 1024 * 1024,
};

enum header_scan_state {
    HEADER_SCAN_LINE,      /* at the start of a line */
    HEADER_SCAN_NAME,
    HEADER_SCAN_GAP,       /* between name and colon */
    HEADER_SCAN_NAME_CR,
    HEADER_SCAN_NAME_LINE, /* a line ended before the colon came; is it folded? */
    HEADER_SCAN_VALUE,
    HEADER_SCAN_VALUE_CR,
    HEADER_SCAN_EMPTY_CR,
    HEADER_SCAN_ENDED,
};

/* Watches a message go by. Read the facts freely; they grow until the end. */
struct header_scan {
    enum header_scan_state state;
    uint8_t name_len;
    char name[20];             /* longer names are nobody's */
    bool has_gap;              /* of the field being read */
    struct buffer *copy;
    /* the facts */
    size_t size;               /* octets of the header, with its empty line */
    uint32_t fields;
    uint32_t malformed_lines;  /* lines that are no field */
    uint32_t count[HEADER_KINDS];
    bool first_line_malformed; /* begins with a blank, or has no colon */
    bool any_gap;              /* a field with blanks before its colon */
    bool too_many_fields;      /* over HEADER_FIELDS_MAX, malformed lines counted */
    bool too_large;            /* over HEADER_BYTES_MAX */
    bool ended;                /* the empty line was there */
};

/* `copy`, which may be NULL, is given the header's octets, the empty line included,
 * up to HEADER_BYTES_MAX; its own maximum may be smaller. It is borrowed. */
void header_scan_init(struct header_scan *scan, struct buffer *copy);

/* Feeds content; takes from *piece what belongs to the header. True when the header
 * has ended: the rest of *piece is body. */
bool header_scan_feed(struct header_scan *scan, struct slice *piece);

/* The content has ended: a name without a colon at the very end counts as malformed.
 * A header without an empty line is a header; `ended` stays false. */
void header_scan_finish(struct header_scan *scan);

#endif
