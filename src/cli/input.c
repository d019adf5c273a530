/* input.c: the one reader of line ends does the work; here are the ends of input. */
#include "cli/input.h"

#include "wire/smtp/content.h"

#include <errno.h>
#include <unistd.h>

enum { PIECE_BYTES = 64 * 1024 };

struct reading {
    struct content_decoder decoder;
    struct buffer *out;
    size_t line_start;   /* in out, of the first line not looked at */
    bool ended;          /* by a dot */
};

/* Cuts the content at a line that is one dot. */
static void find_dot(struct reading *r)
{
    struct slice all = buffer_slice(r->out);
    while (r->line_start < all.len) {
        struct slice rest = slice_from(all, r->line_start);
        size_t end = slice_find(rest, '\n');
        if (end == SLICE_NOT_FOUND)
            return;
        if (end == 2 && rest.data[0] == '.' && rest.data[1] == '\r') {
            buffer_truncate(r->out, r->line_start);
            r->ended = true;
            return;
        }
        r->line_start += end + 1;
    }
}

static void take(struct reading *r, struct slice input)
{
    struct slice piece;
    while (content_decode(&r->decoder, &input, &piece) == CONTENT_PIECE)
        buffer_append(r->out, piece);
}

static enum err finish(struct reading *r)
{
    struct slice piece;
    while (!r->ended && content_decode_last(&r->decoder, &piece) == CONTENT_PIECE)
        buffer_append(r->out, piece);
    struct slice all = buffer_slice(r->out);
    if (all.len > 0 && all.data[all.len - 1] != '\n')
        buffer_append(r->out, SLICE("\r\n"));
    if (r->out->overflow)
        return ERR_FULL;
    return r->decoder.facts.has_nul ? ERR_INVALID : ERR_OK;
}

enum err input_from_text(struct slice text, struct buffer *out)
{
    struct reading r = { .out = out };
    content_decoder_init_bdat(&r.decoder, LINE_END_CONVERT);
    take(&r, text);
    return finish(&r);
}

enum err input_read(int fd, bool dot_ends, struct buffer *out)
{
    char bytes[PIECE_BYTES];
    struct reading r = { .out = out };
    content_decoder_init_bdat(&r.decoder, LINE_END_CONVERT);
    while (!r.ended && !out->overflow) {
        ssize_t got = read(fd, bytes, sizeof bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ERR_IO;
        if (got == 0)
            break;
        take(&r, slice_make(bytes, (size_t)got));
        if (dot_ends)
            find_dot(&r);
    }
    enum err error = finish(&r);
    if (error == ERR_OK && dot_ends && !r.ended)
        find_dot(&r); /* the last line had no end of its own */
    return error;
}
