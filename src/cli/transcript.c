/* transcript.c: bytes to lines to the screen, control bytes made visible. */
#include "cli/transcript.h"

#include <stdarg.h>

void transcript_init(struct transcript *t, FILE *out)
{
    *t = (struct transcript){ .out = out };
    buffer_init(&t->sent, TRANSCRIPT_LINE_MAX);
    buffer_init(&t->said, TRANSCRIPT_LINE_MAX);
}

void transcript_free(struct transcript *t)
{
    buffer_free(&t->sent);
    buffer_free(&t->said);
}

static void print_line(struct transcript *t, const char *arrow, struct slice line)
{
    struct buffer shown;
    buffer_init(&shown, TRANSCRIPT_LINE_MAX * 4 + 16);
    struct slice part;
    bool is_first = true;
    while (slice_split(&line, '\t', &part)) { /* tabs are in every folded field */
        buffer_append_string(&shown, is_first ? "" : "\t");
        buffer_append_escaped(&shown, part);
        is_first = false;
    }
    struct slice s = buffer_slice(&shown);
    fprintf(t->out, "%s%s%.*s\n", arrow, s.len == 0 ? "" : " ", (int)s.len,
            s.data == NULL ? "" : s.data);
    buffer_free(&shown);
}

static void content_ends(struct transcript *t)
{
    t->in_content = false;
    if (t->content_lines > TRANSCRIPT_CONTENT_LINES)
        transcript_note(t, "%llu more lines of the message",
                        (unsigned long long)t->content_lines - TRANSCRIPT_CONTENT_LINES);
}

static void sent_line(struct transcript *t, struct slice line)
{
    bool is_end = t->in_content && slice_equal(line, SLICE("."));
    if (is_end)
        content_ends(t);
    else if (t->in_content && ++t->content_lines > TRANSCRIPT_CONTENT_LINES)
        return;
    print_line(t, "->", line);
}

static void said_line(struct transcript *t, struct slice line)
{
    print_line(t, "<-", line);
    if (slice_starts_with_nocase(line, SLICE("354"))) {
        t->in_content = true;
        t->content_lines = 0;
    }
}

static void cut_lines(struct transcript *t, struct buffer *pending, struct slice bytes,
                      void (*each)(struct transcript *, struct slice))
{
    while (bytes.len > 0) {
        size_t end = slice_find(bytes, '\n');
        bool whole = end != SLICE_NOT_FOUND;
        struct slice part = slice_part(bytes, 0, whole ? end : bytes.len);
        size_t room = TRANSCRIPT_LINE_MAX - buffer_len(pending);
        buffer_append(pending, slice_part(part, 0, room));
        bytes = slice_from(bytes, part.len + (whole ? 1 : 0));
        if (!whole)
            return;
        struct slice line = buffer_slice(pending);
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        each(t, line);
        buffer_clear(pending);
    }
}

void transcript_sent(struct transcript *t, struct slice bytes)
{
    cut_lines(t, &t->sent, bytes, sent_line);
    fflush(t->out);
}

void transcript_said(struct transcript *t, struct slice bytes)
{
    cut_lines(t, &t->said, bytes, said_line);
    fflush(t->out);
}

void transcript_note(struct transcript *t, const char *format, ...)
{
    va_list arguments;
    fputs("*** ", t->out);
    va_start(arguments, format);
    vfprintf(t->out, format, arguments);
    va_end(arguments);
    fputc('\n', t->out);
    fflush(t->out);
}
