/* dsn_private.h: what the parts of a report are written with. */
#ifndef GODWIT_WIRE_REPORT_DSN_PRIVATE_H
#define GODWIT_WIRE_REPORT_DSN_PRIVATE_H

#include "wire/report/dsn.h"

/* Appends words of `text` with folds before column 76: each new line begins with
 * `indent`, which must start with a blank where the text stands in a field. `column`
 * is where the line stands already. Any run of blanks and line ends is one space,
 * controls become '?', and so does what is not ASCII, unless `utf8` and it is UTF-8.
 * A word longer than a line is cut into several. At most DSN_TEXT_MAX octets. */
void dsn_append_wrapped(struct buffer *out, struct slice text, struct slice indent,
                        size_t column, bool utf8);

/* Appends `text` on one line: controls '?', and not ASCII as above. */
void dsn_append_clean(struct buffer *out, struct slice text, bool utf8);

/* The status to show: the recipient's own, or the least said by its action. */
struct smtp_status dsn_status(const struct dsn_recipient *recipient);

/* The host of "host[address]:port", or "[address]"; empty for a path or nothing. */
struct slice dsn_remote_host(struct slice remote);

/* What a person can do about it, a sentence or two; static; or empty. */
struct slice dsn_advice(const struct dsn_recipient *recipient);

/* The part for people, with CRLF line ends, without its MIME header. */
void dsn_append_text(struct buffer *out, const struct dsn *dsn);

#endif
