/* input.h: a message from a file or a pipe, with the line ends that mail has. */
#ifndef GODWIT_CLI_INPUT_H
#define GODWIT_CLI_INPUT_H

#include "base/buffer.h"
#include "base/err.h"

enum { INPUT_BYTES_MAX = 256 * 1024 * 1024 };

/* Reads to the end, or, when `dot_ends`, to a line that is one dot; LF, CRLF and a lone
 * CR all become CRLF, and the last line gets one. `out` gets the content; its maximum is
 * the largest message. ERR_FULL: larger than that; ERR_INVALID: holds a NUL; ERR_IO. */
enum err input_read(int fd, bool dot_ends, struct buffer *out);

/* The same for text at hand. ERR_FULL or ERR_INVALID. */
enum err input_from_text(struct slice text, struct buffer *out);

#endif
