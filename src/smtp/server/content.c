/* content.c: the content of DATA and BDAT, judged while it passes.
 *
 * RFC 5321 4.5.3.1.6-4.5.3.1.9 and 6.3 (loops), RFC 1870 6, RFC 3030; HOSTILE A, 101,
 * 102, 106, 108, 125. Once something is wrong the rest is taken and thrown away, and
 * the answer comes where the protocol has its place for it: at the end.
 */
#include "smtp/server/server_private.h"

static const struct smtp_reply bare_in_data = {
    .code = 550, .status = { 5, 5, 2 },
    .text = SLICE_INIT("Bare CR or LF in the message: lines end in CRLF; closing"),
};
static const struct smtp_reply bare_in_bdat = {
    .code = 550, .status = { 5, 6, 1 },
    .text = SLICE_INIT("Bare CR or LF in the message needs BODY=BINARYMIME"),
};
static const struct smtp_reply nul_inside = {
    .code = 550, .status = { 5, 6, 0 }, .text = SLICE_INIT("NUL in the message"),
};
static const struct smtp_reply line_too_long = {
    .code = 554, .status = { 5, 6, 0 }, .text = SLICE_INIT("A line of the message is too long"),
};
static const struct smtp_reply message_too_big = {
    .code = 552, .status = { 5, 3, 4 }, .text = SLICE_INIT("Message too big"),
};
static const struct smtp_reply header_too_big = {
    .code = 552, .status = { 5, 3, 4 }, .text = SLICE_INIT("Message header too big"),
};
static const struct smtp_reply too_many_hops = {
    .code = 554, .status = { 5, 4, 6 },
    .text = SLICE_INIT("Too many Received fields: this message is in a loop"),
};

void content_begin(struct smtp_server *s, bool is_bdat)
{
    struct transaction *t = &s->txn;
    bool binary = t->envelope.body == MAIL_BODY_BINARYMIME;
    enum line_end_rule rule = binary ? LINE_END_KEEP : s->options->bare_line_end;
    if (is_bdat)
        content_decoder_init_bdat(&t->decoder, rule);
    else
        content_decoder_init_data(&t->decoder, rule);
    header_scan_init(&t->header, NULL);
    t->is_bdat = is_bdat;
}

void content_refuse(struct smtp_server *s, const struct smtp_reply *reply, bool close)
{
    struct transaction *t = &s->txn;
    if (t->refusal.code != 0)
        return;
    t->refusal = *reply;
    t->close_after = close;
    if (!arena_copy(&t->arena, reply->text, &t->refusal.text))
        t->refusal.text = SLICE("Refused");
}

static bool is_bare(const struct transaction *t)
{
    return t->decoder.rule == LINE_END_REJECT &&
           content_has_bare_line_end(&t->decoder.facts);
}

static bool has_long_line(const struct smtp_server *s)
{
    const struct content_decoder *d = &s->txn.decoder;
    return d->facts.longest_line > s->options->line_bytes_max ||
           d->line_len > s->options->line_bytes_max;
}

static const struct smtp_reply *header_fault(const struct smtp_server *s)
{
    const struct header_scan *h = &s->txn.header;
    if (h->count[HEADER_RECEIVED] > s->options->hops_max)
        return &too_many_hops;
    if (h->malformed_lines > 0)
        return NULL; /* a line that is no field: what follows is text, not header */
    if (h->fields > s->options->header_fields_max || h->too_many_fields ||
        h->size > s->options->header_bytes_max || h->too_large)
        return &header_too_big;
    return NULL;
}

static void judge(struct smtp_server *s)
{
    struct transaction *t = &s->txn;
    const struct content_facts *facts = &t->decoder.facts;
    const struct smtp_reply *fault = NULL;
    if (t->refusal.code != 0)
        return;
    if (is_bare(t))
        fault = t->is_bdat ? &bare_in_bdat : &bare_in_data;
    else if (facts->size > s->options->message_bytes_max)
        fault = &message_too_big;
    else if (facts->has_nul && t->decoder.rule != LINE_END_KEEP)
        fault = &nul_inside;
    else if (has_long_line(s) && t->envelope.body != MAIL_BODY_BINARYMIME)
        fault = &line_too_long;
    else
        fault = header_fault(s);
    if (fault != NULL)
        content_refuse(s, fault, fault == &bare_in_data);
}

/* One piece of content; FLUSH when there is nothing for the caller in it. */
static enum smtp_server_step pass_piece(struct smtp_server *s, struct slice piece,
                                        struct slice *out_piece)
{
    struct transaction *t = &s->txn;
    struct slice header = piece;
    if (t->refusal.code != 0)
        return SMTP_SERVER_FLUSH;
    if (!t->header.ended)
        header_scan_feed(&t->header, &header);
    judge(s);
    if (t->refusal.code != 0)
        return SMTP_SERVER_FLUSH;
    *out_piece = piece;
    return SMTP_SERVER_CONTENT;
}

static void note_facts(struct transaction *t)
{
    header_scan_finish(&t->header);
    t->envelope.content_8bit = t->decoder.facts.has_8bit;
    t->envelope.content_binary = t->decoder.rule == LINE_END_KEEP &&
        (t->decoder.facts.has_nul || content_has_bare_line_end(&t->decoder.facts));
}

static enum smtp_server_step data_ended(struct smtp_server *s)
{
    struct transaction *t = &s->txn;
    note_facts(t);
    judge(s);
    if (t->refusal.code == 0) {
        server_ask(s, SMTP_ASK_END);
        return SMTP_SERVER_FLUSH;
    }
    bdat_chunk_done(s); /* says the refusal: the same words end DATA and a chunk */
    return SMTP_SERVER_FLUSH;
}

static enum smtp_server_step data_step(struct smtp_server *s, struct slice *input,
                                       struct slice *out_piece)
{
    struct slice piece;
    switch (content_decode(&s->txn.decoder, input, &piece)) {
    case CONTENT_PIECE:
        return pass_piece(s, piece, out_piece);
    case CONTENT_NEED_MORE:
        return SMTP_SERVER_NEED_INPUT;
    case CONTENT_END:
        return data_ended(s);
    case CONTENT_BAD:
        break; /* of the encoder alone */
    }
    return SMTP_SERVER_NEED_INPUT;
}

static enum smtp_server_step chunk_ended(struct smtp_server *s, struct slice *out_piece)
{
    struct transaction *t = &s->txn;
    struct slice piece;
    if (t->chunk_is_last && t->refusal.code == 0) {
        if (content_decode_last(&t->decoder, &piece) == CONTENT_PIECE)
            return pass_piece(s, piece, out_piece);
        note_facts(t);
        judge(s);
    }
    bdat_chunk_done(s);
    return SMTP_SERVER_FLUSH;
}

static enum smtp_server_step chunk_step(struct smtp_server *s, struct slice *input,
                                        struct slice *out_piece)
{
    struct transaction *t = &s->txn;
    struct slice piece;
    struct slice part = slice_part(*input, 0, t->chunk_left > SIZE_MAX
                                                  ? SIZE_MAX : (size_t)t->chunk_left);
    if (t->refusal.code != 0) {
        t->chunk_left -= part.len;
        *input = slice_from(*input, part.len);
        if (t->chunk_left > 0)
            return SMTP_SERVER_NEED_INPUT;
        return chunk_ended(s, out_piece);
    }
    size_t before = part.len;
    enum content_step step = content_decode(&t->decoder, &part, &piece);
    t->chunk_left -= before - part.len;
    *input = slice_from(*input, before - part.len);
    if (step == CONTENT_PIECE)
        return pass_piece(s, piece, out_piece);
    return t->chunk_left > 0 ? SMTP_SERVER_NEED_INPUT : chunk_ended(s, out_piece);
}

enum smtp_server_step content_step(struct smtp_server *s, struct slice *input,
                                   struct slice *out_piece)
{
    return s->phase == SMTP_PHASE_DATA ? data_step(s, input, out_piece)
                                       : chunk_step(s, input, out_piece);
}
