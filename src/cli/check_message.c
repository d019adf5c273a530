/* check_message.c: a message as it was on the wire. What is evaluated are its very octets:
 * only where no line ends in CRLF, as files mostly have it, each LF becomes one. */
#include "cli/check_private.h"

#include "cli/lines.h"

static bool has_wire_lines(struct slice text)
{
    struct slice line;
    while (slice_split(&text, '\n', &line))
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            return true;
    return false;
}

bool check_message_from_text(struct slice text, struct buffer *out)
{
    if (has_wire_lines(text)) {
        buffer_append(out, text);
    } else {
        bool ends_in_line = text.len > 0 && text.data[text.len - 1] == '\n';
        struct slice line;
        while (slice_split(&text, '\n', &line)) {
            buffer_append(out, line);
            if (text.len > 0 || ends_in_line)
                buffer_append(out, SLICE("\r\n"));
        }
    }
    return !out->overflow;
}

const char *check_message_read(const char *name, struct buffer *out)
{
    struct buffer raw;
    buffer_init(&raw, out->max);
    const char *failure = lines_read(name, &raw);
    if (failure == NULL && !check_message_from_text(buffer_slice(&raw), out))
        failure = CHECK_TOO_LARGE;
    buffer_free(&raw);
    return failure;
}
