/* content_decode.c: from the wire to content: RFC 5321 4.5.2, RFC 3030 section 2.
 *
 * The states in words: a line starts behind a true CRLF only. There a dot is held
 * back; CRLF behind it is the end, anything else means that the dot was stuffed and
 * goes. A CR is handed out as it comes and its LF after it; when something else than
 * LF follows, the CR was bare and, under CONVERT, is owed an LF.
 */
#include "wire/smtp/content.h"
#include "wire/smtp/scan_private.h"

void content_decoder_init_data(struct content_decoder *decoder, enum line_end_rule rule)
{
    *decoder = (struct content_decoder){ .rule = rule, .has_dots = true };
}

void content_decoder_init_bdat(struct content_decoder *decoder, enum line_end_rule rule)
{
    *decoder = (struct content_decoder){ .rule = rule, .has_dots = false };
}

static void line_grows(struct content_decoder *d, size_t octets)
{
    d->line_len += octets;
    if (d->line_len > d->facts.longest_line)
        d->facts.longest_line = d->line_len;
    d->facts.ends_with_crlf = false;
}

static void line_ends(struct content_decoder *d)
{
    d->line_len = 0;
    d->facts.ends_with_crlf = true;
}

/* A bare CR or LF: kept, it is an octet of its line; converted, `owed` is missing to
 * make it a CRLF. */
static void bare_line_end(struct content_decoder *d, struct slice owed)
{
    d->state = CONTENT_IN_LINE;
    if (d->rule == LINE_END_CONVERT) {
        d->owed = owed;
        line_ends(d);
    } else {
        line_grows(d, 1);
    }
}

/* Where the decoder stands in the input, and the piece it has grown so far. */
struct run {
    const char *start;
    const char *at;
    const char *end;
};

/* Each of these looks at the octet at run->at and moves over what it understands.
 * False: the run is broken here; what was grown and what is owed goes out first. */

static bool decode_at_start(struct content_decoder *d, struct run *run)
{
    if (*run->at != '.' || !d->has_dots) {
        d->state = CONTENT_IN_LINE;
        return true;
    }
    if (run->at > run->start)
        return false;
    run->start = ++run->at;
    d->state = CONTENT_AFTER_DOT;
    return true;
}

/* Whether a clean line end lies at `at` and no dot is behind it: nearly every one. */
static bool is_plain_line_end(const char *at, const char *end)
{
    return end - at > 2 && at[0] == '\r' && at[1] == '\n' && at[2] != '.';
}

/* To the first octet that is more than text and plain line ends, which are passed over
 * without a change of state. */
static void run_over_text(struct content_decoder *d, struct run *run)
{
    struct scan_seen seen = { .nul = d->facts.has_nul, .high = d->facts.has_8bit };
    const char *line = run->at;
    const char *stop = scan_to_line_end(line, run->end, &seen);
    if (is_plain_line_end(stop, run->end)) {
        uint64_t longest = d->facts.longest_line;
        uint64_t len = d->line_len + (uint64_t)(stop - line);
        do {
            longest = len > longest ? len : longest;
            line = stop + 2;
            stop = scan_to_line_end(line, run->end, &seen);
            len = (uint64_t)(stop - line);
        } while (is_plain_line_end(stop, run->end));
        d->facts.longest_line = longest;
        line_ends(d);
    }
    d->facts.has_nul = seen.nul;
    d->facts.has_8bit = seen.high;
    if (stop > line)
        line_grows(d, (size_t)(stop - line));
    run->at = stop;
}

static bool decode_in_line(struct content_decoder *d, struct run *run)
{
    run_over_text(d, run);
    if (run->at == run->end)
        return true;
    if (*run->at == '\r') {
        d->facts.ends_with_crlf = false;
        d->state = CONTENT_AFTER_CR;
        run->at++;
        return true;
    }
    d->facts.has_bare_lf = true;
    bare_line_end(d, SLICE("\r\n"));
    if (d->rule == LINE_END_CONVERT)
        return false; /* the LF itself is dropped by the caller */
    run->at++;
    return true;
}

static bool decode_after_cr(struct content_decoder *d, struct run *run)
{
    if (*run->at == '\n') {
        run->at++;
        d->state = CONTENT_AT_START;
        line_ends(d);
        return true;
    }
    d->facts.has_bare_cr = true;
    bare_line_end(d, SLICE("\n"));
    return d->rule != LINE_END_CONVERT;
}

/* What was held back is never in the run, so that the CR goes out as static bytes. */
static bool decode_after_dot_cr(struct content_decoder *d, struct run *run)
{
    if (*run->at == '\n') {
        run->start = ++run->at;
        d->state = CONTENT_ENDED;
        return false;
    }
    d->facts.has_bare_cr = true;
    bare_line_end(d, SLICE("\r\n"));
    if (d->rule != LINE_END_CONVERT)
        d->owed = SLICE("\r");
    return false;
}

static bool decode_some(struct content_decoder *d, struct run *run)
{
    switch (d->state) {
    case CONTENT_AT_START:
        return decode_at_start(d, run);
    case CONTENT_IN_LINE:
        return decode_in_line(d, run);
    case CONTENT_AFTER_CR:
        return decode_after_cr(d, run);
    case CONTENT_AFTER_DOT:
        if (*run->at == '\r') {
            run->start = ++run->at;
            d->state = CONTENT_AFTER_DOT_CR;
        } else {
            d->state = CONTENT_IN_LINE;
        }
        return true;
    case CONTENT_AFTER_DOT_CR:
        return decode_after_dot_cr(d, run);
    case CONTENT_ENDED:
        break;
    }
    return false;
}

static enum content_step hand_out(struct content_decoder *d, struct slice piece,
                                  struct slice *out_piece)
{
    d->facts.size += piece.len;
    *out_piece = piece;
    return CONTENT_PIECE;
}

static enum content_step hand_out_owed(struct content_decoder *d, struct slice *out_piece)
{
    struct slice owed = d->owed;
    d->owed = slice_make(NULL, 0);
    return hand_out(d, owed, out_piece);
}

enum content_step content_decode(struct content_decoder *decoder, struct slice *input,
                                 struct slice *out_piece)
{
    if (decoder->owed.len > 0)
        return hand_out_owed(decoder, out_piece);
    if (decoder->state == CONTENT_ENDED)
        return CONTENT_END;
    if (input->len == 0)
        return CONTENT_NEED_MORE;
    struct run run = { input->data, input->data, input->data + input->len };
    while (run.at < run.end && decode_some(decoder, &run))
        ;
    struct slice piece = slice_make(run.start, (size_t)(run.at - run.start));
    bool drops_lf = decoder->owed.len == 2 && run.at < run.end && *run.at == '\n';
    *input = slice_make(run.at + drops_lf, (size_t)(run.end - run.at) - drops_lf);
    if (piece.len > 0)
        return hand_out(decoder, piece, out_piece);
    if (decoder->owed.len > 0)
        return hand_out_owed(decoder, out_piece);
    return decoder->state == CONTENT_ENDED ? CONTENT_END : CONTENT_NEED_MORE;
}

enum content_step content_decode_last(struct content_decoder *decoder,
                                      struct slice *out_piece)
{
    if (decoder->state == CONTENT_AFTER_CR) {
        decoder->facts.has_bare_cr = true;
        bare_line_end(decoder, SLICE("\n"));
    }
    decoder->state = CONTENT_ENDED;
    if (decoder->owed.len > 0)
        return hand_out_owed(decoder, out_piece);
    return CONTENT_END;
}
