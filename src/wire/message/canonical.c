/* canonical.c: RFC 6376 3.4.1 to 3.4.4. */
#include "wire/message/canonical.h"

#include "base/ascii.h"

/* A value on its way to one line with single spaces (RFC 6376 3.4.2). */
struct relaxed {
    struct buffer *out;
    bool any;
    bool has_blanks;
};

static bool is_word(char octet)
{
    return octet != '\r' && !ascii_is_blank(octet);
}

static void relaxed_put(struct relaxed *r, struct slice value)
{
    struct cursor c = cursor_over(value);
    while (!cursor_at_end(&c)) {
        if (cursor_take_literal(&c, SLICE("\r\n")))
            continue;
        if (cursor_skip_blanks(&c) > 0) {
            r->has_blanks = true;
            continue;
        }
        if (r->has_blanks && r->any)
            buffer_append_byte(r->out, ' ');
        struct slice word = cursor_take_while(&c, is_word);
        buffer_append(r->out, word);
        if (word.len == 0)
            buffer_append_byte(r->out, (char)cursor_take(&c)); /* a CR of its own */
        r->has_blanks = false;
        r->any = true;
    }
}

void canonical_append_field(struct buffer *out, enum canonical_kind kind,
                            const struct header_field *field, struct slice without)
{
    struct slice value = field->value;
    size_t cut = without.len == 0 ? value.len : (size_t)(without.data - value.data);
    struct slice before = slice_part(value, 0, cut);
    struct slice behind = slice_from(value, cut + without.len);
    if (kind == CANONICAL_SIMPLE) {
        size_t head = (size_t)(value.data - field->whole.data);
        buffer_append(out, slice_part(field->whole, 0, head));
        buffer_append(out, before);
        buffer_append(out, behind);
    } else {
        struct relaxed r = { .out = out };
        for (size_t i = 0; i < field->name.len; i++)
            buffer_append_byte(out, ascii_lower(field->name.data[i]));
        buffer_append_byte(out, ':');
        relaxed_put(&r, before);
        relaxed_put(&r, behind);
    }
    buffer_append(out, SLICE("\r\n"));
}

static void give(const struct canonical_sink *sink, struct slice octets)
{
    if (octets.len > 0)
        sink->take(sink->context, octets);
}

/* What was held back turns out to stand before something. */
static void release(struct canonical_body *body, const struct canonical_sink *sink)
{
    static const char ends[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
    while (body->lines > 0) {
        uint64_t some = body->lines < 8 ? body->lines : 8;
        give(sink, slice_make(ends, (size_t)some * 2));
        body->lines -= some;
    }
    if (body->has_blanks)
        give(sink, SLICE(" "));
    if (body->has_cr)
        give(sink, SLICE("\r"));
    body->has_blanks = body->has_cr = false;
    body->any = true;
}

/* Whether a line ends there whose end goes through as it is: another line with something in
 * it follows. */
static bool is_plain_end(struct slice piece, size_t at, bool (*begins)(char octet))
{
    return at > 0 && at + 2 < piece.len && piece.data[at] == '\r' &&
           piece.data[at + 1] == '\n' && begins(piece.data[at + 2]);
}

static bool is_no_cr(char octet)
{
    return octet != '\r';
}

static size_t plain_run_simple(struct slice piece)
{
    size_t i = 0;
    for (;;) {
        i += slice_part(slice_from(piece, i), 0, slice_find(slice_from(piece, i), '\r')).len;
        if (!is_plain_end(piece, i, is_no_cr))
            return i;
        i += 3;
    }
}

/* Words with a single space or a line's end between. */
static size_t plain_run_relaxed(struct slice piece)
{
    size_t i = 0;
    while (i < piece.len) {
        if (is_word(piece.data[i]))
            i++;
        else if (i > 0 && piece.data[i] == ' ' && i + 1 < piece.len &&
                 is_word(piece.data[i + 1]))
            i += 2;
        else if (is_plain_end(piece, i, is_word))
            i += 3;
        else
            break;
    }
    return i;
}

/* The length of the run at the front that goes through as it is, many lines often: a hash
 * costs much for each piece. */
static size_t plain_run(enum canonical_kind kind, struct slice piece)
{
    return kind == CANONICAL_SIMPLE ? plain_run_simple(piece) : plain_run_relaxed(piece);
}

void canonical_body_push(struct canonical_body *body, struct slice piece,
                         const struct canonical_sink *sink)
{
    while (piece.len > 0) {
        char octet = piece.data[0];
        if (body->has_cr && octet == '\n') {
            body->has_cr = body->has_blanks = false;
            body->lines++;
            piece = slice_from(piece, 1);
            continue;
        }
        if (body->has_cr)
            release(body, sink);
        size_t run = plain_run(body->kind, piece);
        if (run > 0) {
            release(body, sink);
            give(sink, slice_part(piece, 0, run));
        } else if (octet == '\r') {
            body->has_cr = true;
        } else {
            body->has_blanks = true;
        }
        piece = slice_from(piece, run > 0 ? run : 1);
    }
}

void canonical_body_finish(struct canonical_body *body, const struct canonical_sink *sink)
{
    if (body->has_cr)
        release(body, sink);
    if (body->any || body->kind == CANONICAL_SIMPLE)
        give(sink, SLICE("\r\n"));
    body->lines = 0;
    body->has_blanks = false;
}
