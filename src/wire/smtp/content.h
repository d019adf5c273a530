/* content.h: THE reader and THE writer of line ends and dots.
 *
 * RFC 5321 2.3.8, 4.1.1.4 and 4.5.2, RFC 3030 section 2; HOSTILE part A. Nothing else
 * in the system decides where DATA ends, takes a dot off or puts one on. Both sides
 * copy nothing: they hand out pieces that lie in the input (or in static memory) and
 * are valid as long as the input. Input may come in any pieces; what comes out does
 * not depend on how it was cut. No allocation. One owner; any thread.
 *
 *   while ((step = content_decode(&decoder, &input, &piece)) == CONTENT_PIECE)
 *       use(piece);
 */
#ifndef GODWIT_WIRE_SMTP_CONTENT_H
#define GODWIT_WIRE_SMTP_CONTENT_H

#include "base/slice.h"

/* What is done with a CR that no LF follows, and an LF that no CR precedes. Under no
 * rule do they end the data, begin a line whose dot is taken off, or count as half of
 * the end. */
enum line_end_rule {
    LINE_END_REJECT,  /* content passes as it is; the facts say that it has them, and
                         the caller refuses at the end. The encoder stops at once. */
    LINE_END_CONVERT, /* each becomes a CRLF */
    LINE_END_KEEP,    /* passes as it is; not for the encoder */
};

enum content_step {
    CONTENT_PIECE,     /* *out_piece holds the next piece, never empty */
    CONTENT_NEED_MORE, /* the input is used up */
    CONTENT_END,       /* the data has ended; the input stands behind its end */
    CONTENT_BAD,       /* encoder only: a bare CR or LF under REJECT, or a NUL */
};

/* What was seen so far, in the content that was handed out. */
struct content_facts {
    uint64_t size;
    uint64_t longest_line;  /* octets, without its CRLF; the last line counts too */
    bool has_nul;
    bool has_8bit;
    bool has_bare_cr;       /* in what came in, also when they were converted */
    bool has_bare_lf;
    bool ends_with_crlf;    /* false for no content at all */
};

enum content_state {
    CONTENT_AT_START,  /* of a line: behind a CRLF, or at the very beginning */
    CONTENT_IN_LINE,
    CONTENT_AFTER_CR,
    CONTENT_AFTER_DOT, /* a dot at the start of a line, held back */
    CONTENT_AFTER_DOT_CR,
    CONTENT_ENDED,
};

struct content_decoder {
    enum content_state state;
    enum line_end_rule rule;
    bool has_dots;            /* DATA; false for BDAT */
    struct slice owed;        /* static bytes to hand out before going on */
    uint64_t line_len;        /* of the line that has not ended */
    struct content_facts facts;
};

/* For DATA: the input is what follows the 354, to CRLF "." CRLF or, at the very
 * beginning, "." CRLF. */
void content_decoder_init_data(struct content_decoder *decoder, enum line_end_rule rule);

/* For BDAT: the input is the octets of the chunks, one after the other; lines go on
 * from chunk to chunk. For BODY=BINARYMIME the rule is LINE_END_KEEP. */
void content_decoder_init_bdat(struct content_decoder *decoder, enum line_end_rule rule);

/* PIECE, NEED_MORE, or (DATA only) END; after END always END again, and the input is
 * left alone. */
enum content_step content_decode(struct content_decoder *decoder, struct slice *input,
                                 struct slice *out_piece);

/* For BDAT, after the last octet of the last chunk: hands out what a CR at the very
 * end still owes (PIECE), then END. Call until END. */
enum content_step content_decode_last(struct content_decoder *decoder,
                                      struct slice *out_piece);

static inline bool content_has_bare_line_end(const struct content_facts *facts)
{
    return facts->has_bare_cr || facts->has_bare_lf;
}

struct content_encoder {
    enum content_state state;
    enum line_end_rule rule;
    struct slice owed;
    bool failed;
};

/* For DATA; `rule` is REJECT or CONVERT. */
void content_encoder_init(struct content_encoder *encoder, enum line_end_rule rule);

/* Content with CRLF line ends in, pieces to send out: PIECE, NEED_MORE or BAD. No
 * piece ever holds a bare CR or LF or a NUL, nor do the pieces together: a CR is held
 * back until its LF is there. After BAD always BAD: the connection has to be dropped,
 * since a message that is broken off must not be ended. */
enum content_step content_encode(struct content_encoder *encoder, struct slice *input,
                                 struct slice *out_piece);

/* After the last of the content: CONTENT_END and what ends the data, with a CRLF
 * first where the last line has none; or BAD. */
enum content_step content_encode_last(struct content_encoder *encoder,
                                      struct slice *out_end);

#endif
