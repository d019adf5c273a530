/* reasons.c: all texts stand behind one another in one buffer. */
#include "mail/reasons.h"

#include "base/must.h"

/* One text may be written longer than it may stay. */
enum { TEXT_MAX = REASONS_MAX * REASON_BYTES_MAX + 64 * 1024 };

void reasons_init(struct reasons *reasons)
{
    *reasons = (struct reasons){ .count = 0 };
    buffer_init(&reasons->text, TEXT_MAX);
}

void reasons_free(struct reasons *reasons)
{
    buffer_free(&reasons->text);
    reasons->count = 0;
}

static size_t start_of(const struct reasons *reasons, size_t n)
{
    return n == 0 ? 0 : reasons->ends[n - 1];
}

struct buffer *reasons_begin(struct reasons *reasons)
{
    buffer_truncate(&reasons->text, start_of(reasons, reasons->count));
    return &reasons->text;
}

/* Not in the middle of a sequence of UTF-8. */
static size_t cut_of(struct slice text, size_t len)
{
    while (len > 0 && ((unsigned char)text.data[len] & 0xc0) == 0x80)
        len--;
    return len;
}

void reasons_end(struct reasons *reasons)
{
    static const struct slice dots = SLICE_INIT("...");
    struct buffer *text = &reasons->text;
    size_t start = start_of(reasons, reasons->count);
    struct slice added = slice_from(buffer_slice(text), start);
    text->overflow = false;
    if (reasons->count == REASONS_MAX || added.len == 0) {
        buffer_truncate(text, start);
        return;
    }
    if (added.len > REASON_BYTES_MAX) {
        buffer_truncate(text, start + cut_of(added, REASON_BYTES_MAX - dots.len));
        buffer_append(text, dots);
    }
    reasons->ends[reasons->count++] = (uint16_t)buffer_len(text);
}

void reasons_add(struct reasons *reasons, const char *text)
{
    buffer_append_string(reasons_begin(reasons), text);
    reasons_end(reasons);
}

void reasons_add_about(struct reasons *reasons, const char *before, struct slice told,
                       const char *after)
{
    struct buffer *text = reasons_begin(reasons);
    buffer_append_string(text, before);
    buffer_append_byte(text, '"');
    buffer_append_escaped(text, slice_part(told, 0, REASON_BYTES_MAX));
    buffer_append_byte(text, '"');
    buffer_append_string(text, after);
    reasons_end(reasons);
}

void reasons_make_room(struct reasons *reasons, size_t wanted)
{
    must(wanted <= REASONS_MAX);
    if (reasons->count > REASONS_MAX - wanted)
        reasons->count = (uint16_t)(REASONS_MAX - wanted);
}

struct slice reasons_at(const struct reasons *reasons, size_t n)
{
    must(n < reasons->count);
    size_t start = start_of(reasons, n);
    return slice_part(buffer_slice(&reasons->text), start, reasons->ends[n] - start);
}
