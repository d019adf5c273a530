/* lines.h: one JSON object a line in, one a line out: the form of every --batch. */
#ifndef GODWIT_CLI_LINES_H
#define GODWIT_CLI_LINES_H

#include "base/buffer.h"

#include <jansson.h>

/* Prints it as one line and drops it. An exit code: EX_DATAERR where "error" stands in it;
 * NULL inside: EX_OSERR, after a complaint that memory is out. */
int lines_print(json_t *result);

/* All of a file (NULL or "-": standard input), byte for byte, up to the buffer's maximum.
 * NULL, or why not, in words for people. */
const char *lines_read(const char *name, struct buffer *out);

/* The same; an exit code, after a complaint. */
int lines_whole(const char *name, struct buffer *out);

/* An answer for each line of the file (NULL or "-": standard input), in order, with the "id"
 * of the line; a line that is wrong is answered, too. `evaluate` returns a new reference, or
 * NULL: it has complained, and that is the end. The exit code of the worst. */
int lines_run(const char *name, json_t *(*evaluate)(void *context, const json_t *entry),
              void *context);

#endif
