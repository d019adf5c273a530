/* check_message.c: a message as it was on the wire. What is evaluated are its very octets:
 * only where no line ends in CRLF, as files mostly have it, each LF becomes one. */
#include "cli/check_private.h"

#include <errno.h>
#include <stdio.h>

enum { PIECE_BYTES = 64 * 1024 };

static bool has_wire_lines(struct slice text)
{
    struct slice line;
    while (slice_split(&text, '\n', &line))
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            return true;
    return false;
}

enum err check_message_from_text(struct slice text, struct buffer *out)
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
    return out->overflow ? ERR_FULL : ERR_OK;
}

static enum err read_all(FILE *file, struct buffer *out)
{
    size_t len;
    do {
        char *room = buffer_reserve(out, PIECE_BYTES);
        if (room == NULL)
            return ERR_FULL;
        len = fread(room, 1, PIECE_BYTES, file);
        buffer_added(out, len);
    } while (len > 0);
    return ferror(file) != 0 ? ERR_IO : ERR_OK;
}

enum err check_message_read(const char *name, struct buffer *out)
{
    struct buffer raw;
    FILE *file = name == NULL ? stdin : fopen(name, "re");
    if (file == NULL)
        return err_from_errno(errno);
    buffer_init(&raw, out->max);
    enum err error = read_all(file, &raw);
    if (error == ERR_OK)
        error = check_message_from_text(buffer_slice(&raw), out);
    buffer_free(&raw);
    if (name != NULL)
        fclose(file);
    return error;
}
