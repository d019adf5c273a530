/* content_encode.c: from content to the wire: RFC 5321 4.5.2.
 *
 * A dot at the start of a line goes out twice by ending one piece behind it and
 * beginning the next one on it. A line that CONVERT ended starts a line here: the
 * next hop sees a CRLF, so its dot must be stuffed.
 */
#include "wire/smtp/content.h"
#include "wire/smtp/scan_private.h"

#include "base/must.h"

void content_encoder_init(struct content_encoder *encoder, enum line_end_rule rule)
{
    must(rule != LINE_END_KEEP);
    *encoder = (struct content_encoder){ .rule = rule };
}

/* The piece grown so far, and the input behind it. */
struct run {
    const char *start;
    const char *at;   /* one past the last octet of the piece */
    const char *next; /* where the input goes on */
    const char *end;
};

static bool fail(struct content_encoder *e)
{
    e->failed = true;
    return false;
}

/* A CR or LF that stands alone, before run->next. */
static bool bare_line_end(struct content_encoder *e)
{
    if (e->rule != LINE_END_CONVERT)
        return fail(e);
    e->state = CONTENT_AT_START;
    e->owed = SLICE("\r\n");
    return false;
}

/* At a CR: it goes out only together with its LF. */
static bool encode_cr(struct content_encoder *e, struct run *run)
{
    if (run->end - run->at < 2) {
        e->state = CONTENT_AFTER_CR;
        run->next = run->end;
        return false;
    }
    if (run->at[1] == '\n') {
        run->at += 2;
        run->next = run->at;
        e->state = CONTENT_AT_START;
        return true;
    }
    run->next = run->at + 1;
    return bare_line_end(e);
}

static bool encode_in_line(struct content_encoder *e, struct run *run)
{
    struct scan_seen seen = { .nul = false };
    run->at = scan_to_line_end(run->at, run->end, &seen);
    while (run->end - run->at > 2 && run->at[0] == '\r' && run->at[1] == '\n' &&
           run->at[2] != '.')
        run->at = scan_to_line_end(run->at + 2, run->end, &seen);
    run->next = run->at;
    if (seen.nul)
        return fail(e);
    if (run->at == run->end)
        return true;
    if (*run->at == '\r')
        return encode_cr(e, run);
    run->next = run->at + 1;
    return bare_line_end(e);
}

static bool encode_at_start(struct content_encoder *e, struct run *run)
{
    e->state = CONTENT_IN_LINE;
    if (*run->at != '.')
        return true;
    run->next = run->at;
    run->at++;
    return false;
}

/* A CR was held back at the end of the input before. */
static bool encode_after_cr(struct content_encoder *e, struct run *run)
{
    if (*run->at != '\n')
        return bare_line_end(e);
    run->next = run->at + 1;
    e->state = CONTENT_AT_START;
    e->owed = SLICE("\r\n");
    return false;
}

static bool encode_some(struct content_encoder *e, struct run *run)
{
    switch (e->state) {
    case CONTENT_AT_START:
        return encode_at_start(e, run);
    case CONTENT_AFTER_CR:
        return encode_after_cr(e, run);
    case CONTENT_IN_LINE:
        return encode_in_line(e, run);
    case CONTENT_AFTER_DOT:
    case CONTENT_AFTER_DOT_CR:
    case CONTENT_ENDED:
        break;
    }
    return fail(e);
}

enum content_step content_encode(struct content_encoder *encoder, struct slice *input,
                                 struct slice *out_piece)
{
    struct slice owed = encoder->owed;
    encoder->owed = slice_make(NULL, 0);
    if (encoder->failed)
        return CONTENT_BAD;
    if (owed.len > 0) {
        *out_piece = owed;
        return CONTENT_PIECE;
    }
    if (input->len == 0)
        return CONTENT_NEED_MORE;
    struct run run = { input->data, input->data, input->data, input->data + input->len };
    while (run.at < run.end && encode_some(encoder, &run))
        ;
    if (encoder->failed)
        return CONTENT_BAD;
    *input = slice_make(run.next, (size_t)(run.end - run.next));
    if (run.at > run.start) {
        *out_piece = slice_make(run.start, (size_t)(run.at - run.start));
        return CONTENT_PIECE;
    }
    if (encoder->owed.len == 0)
        return CONTENT_NEED_MORE;
    *out_piece = encoder->owed;
    encoder->owed = slice_make(NULL, 0);
    return CONTENT_PIECE;
}

enum content_step content_encode_last(struct content_encoder *encoder,
                                      struct slice *out_end)
{
    bool holds_cr = encoder->state == CONTENT_AFTER_CR;
    if (encoder->failed || encoder->state == CONTENT_ENDED || encoder->owed.len > 0 ||
        (holds_cr && encoder->rule != LINE_END_CONVERT)) {
        encoder->failed = true;
        return CONTENT_BAD;
    }
    *out_end = encoder->state == CONTENT_AT_START ? SLICE(".\r\n") : SLICE("\r\n.\r\n");
    encoder->state = CONTENT_ENDED;
    return CONTENT_END;
}
