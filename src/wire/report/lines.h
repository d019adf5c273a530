/* lines.h: the text of reports that others wrote, made readable: line ends of any kind,
 * transfer encodings, fields that break the rules of headers. Lenient, since a report
 * that cannot be read helps nobody. Pure; any thread. */
#ifndef GODWIT_WIRE_REPORT_LINES_H
#define GODWIT_WIRE_REPORT_LINES_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/cursor.h"

/* Appends text with each CRLF, LF or lone CR as a CRLF. */
void report_append_lines(struct buffer *out, struct slice text);

/* Appends what quoted-printable means (RFC 2045 6.7); what is none stays as it is. */
void report_append_unquoted(struct buffer *out, struct slice text);

/* Appends what base64 means; octets of other alphabets are skipped (RFC 2045 6.8). */
void report_append_unbased(struct buffer *out, struct slice text);

/* Appends a header's value with what its encoded words mean (RFC 2047 2), in whatever
 * charset they are: for finding phrases, not for showing. */
void report_append_words(struct buffer *out, struct slice value);

/* Takes a line without its CRLF. False at the end. */
bool report_line_next(struct cursor *c, struct slice *out_line);

enum report_field_result {
    REPORT_FIELD,
    REPORT_FIELD_GAP, /* an empty line, or one of blanks */
    REPORT_FIELD_END,
};

/* Borrows name and raw value; the value lives in the arena: on one line, trimmed, controls
 * as '?'. */
struct report_field {
    struct slice name;
    struct slice value;
    struct slice raw;  /* trimmed, folds kept */
};

/* Takes the next field of lines that end in CRLF; lines that are none are passed over,
 * and so is a value that the arena has no room for. */
enum report_field_result report_field_next(struct cursor *c, struct arena *arena,
                                           struct report_field *out_field);

#endif
