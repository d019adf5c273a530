/* command.h: cutting a client's bytes into command lines, and a line into a verb and
 * its argument. RFC 5321 2.3.8 (only CRLF ends a line), 4.1.1 and 4.5.3.1.4; HOSTILE
 * 16, 18 and 35. Pure; any thread; results borrow from the input. */
#ifndef GODWIT_WIRE_SMTP_COMMAND_H
#define GODWIT_WIRE_SMTP_COMMAND_H

#include "base/slice.h"

enum smtp_line_result {
    SMTP_LINE_TAKEN,
    SMTP_LINE_NEED_MORE,
    SMTP_LINE_TOO_LONG,      /* `limit` octets and no CRLF among them */
    SMTP_LINE_BARE_LINE_END, /* CR without LF, or LF without CR */
    SMTP_LINE_NUL,
};

/* Looks for a line at the front of the input. With SMTP_LINE_TAKEN *out_line is the
 * line without its CRLF and *out_used the octets to drop with it; otherwise neither
 * is touched: keep the input and come again with more behind it, or answer and close.
 * `limit` counts the CRLF, as RFC 5321 does. */
enum smtp_line_result smtp_line_take(struct slice input, size_t limit,
                                     struct slice *out_line, size_t *out_used);

/* Drops the input up to the end of a line that was too long, LF included; false,
 * with all of it dropped, when the end has not come yet. */
bool smtp_line_skip(struct slice *input);

struct smtp_command {
    struct slice verb;     /* one or more letters, as written */
    struct slice argument; /* without spaces and tabs around it; perhaps empty */
    bool has_control;      /* a control byte in the argument; a tab is none */
};

/* command = verb [ SP argument ]. False when the line begins with no letter or the verb
 * is followed by anything but a space; blanks at the end of the line are let pass (RFC
 * 5321 4.1.1). Octets above 127 pass too: what may hold them decides. */
bool smtp_command_parse(struct slice line, struct smtp_command *out_command);

/* The argument of BDAT: chunk-size [ SP "LAST" ] (RFC 3030 section 2). Digits only;
 * false also when the number does not fit 64 bits. */
bool smtp_bdat_parse(struct slice argument, uint64_t *out_size, bool *out_is_last);

#endif
