/* verb_bdat.c: BDAT (RFC 3030 section 2).
 *
 * Whatever the answer, the octets of a chunk are never read as commands: a chunk that
 * cannot be used is swallowed and answered, and where its size cannot be known the
 * session ends (HOSTILE 18, 20).
 */
#include "smtp/server/server_private.h"

/* More than this is not even swallowed. */
#define CHUNK_SWALLOW_MAX (UINT64_C(1) << 30)

static const struct smtp_reply too_big = {
    .code = 552, .status = { 5, 3, 4 }, .text = SLICE_INIT("Message too big"),
};

static const struct smtp_reply *refusal_of_phase(struct smtp_server *s)
{
    static const struct smtp_reply no_mail = {
        .code = 503, .status = { 5, 5, 1 }, .text = SLICE_INIT("Need MAIL first"),
    };
    static const struct smtp_reply no_recipient = {
        .code = 503, .status = { 5, 5, 1 }, .text = SLICE_INIT("Need RCPT first"),
    };
    static const struct smtp_reply no_valid = {
        .code = 554, .status = { 5, 5, 1 }, .text = SLICE_INIT("No valid recipients"),
    };
    if (s->phase == SMTP_PHASE_RCPT || s->phase == SMTP_PHASE_CHUNKS)
        return NULL;
    if (s->phase == SMTP_PHASE_MAIL)
        return s->txn.recipients_refused > 0 ? &no_valid : &no_recipient;
    return &no_mail;
}

/* Takes the octets, then answers with the refusal. */
static void swallow(struct smtp_server *s, const struct smtp_reply *refusal)
{
    content_refuse(s, refusal, false);
    s->phase = SMTP_PHASE_CHUNK;
}

void verb_bdat(struct smtp_server *s, struct slice argument)
{
    struct transaction *t = &s->txn;
    uint64_t size;
    bool is_last;
    if (!smtp_bdat_parse(argument, &size, &is_last)) {
        struct smtp_reply reply =
            smtp_reply_make(501, 5, 5, 4, SLICE("Syntax: BDAT size [LAST]; closing"));
        server_say_and_close(s, &reply);
        return;
    }
    if (size > CHUNK_SWALLOW_MAX) {
        server_say_and_close(s, &too_big);
        return;
    }
    bool first = s->phase != SMTP_PHASE_CHUNKS;
    const struct smtp_reply *refusal = refusal_of_phase(s);
    if (first)
        content_begin(s, true);
    t->is_bdat = true;
    t->too_early = s->phase == SMTP_PHASE_START;
    t->chunk_left = t->chunk_size = size;
    t->chunk_is_last = is_last;
    if (refusal != NULL) {
        swallow(s, refusal);
    } else if (first) {
        s->question.declared_size = t->declared_size;
        server_ask(s, SMTP_ASK_DATA);
    } else {
        s->phase = SMTP_PHASE_CHUNK;
    }
}

void bdat_accepted(struct smtp_server *s, const struct smtp_reply *reply)
{
    (void)reply;
    s->txn.intake_begun = true;
    server_enter(s, SMTP_PHASE_CHUNK);
}

/* A refused transaction is over with the chunk that was refused: RFC 3030 wants an
 * RSET, or a new MAIL, after a negative reply. */
static void chunk_refused(struct smtp_server *s)
{
    struct smtp_reply refusal = s->txn.refusal;
    char text[256];
    size_t len = refusal.text.len < sizeof text ? refusal.text.len : sizeof text;
    memcpy(text, refusal.text.data, len);
    refusal.text = slice_make(text, len);
    bool close = s->txn.close_after;
    server_enter(s, s->txn.too_early ? SMTP_PHASE_START : SMTP_PHASE_READY);
    if (close)
        server_say_and_close(s, &refusal);
    else
        server_say(s, &refusal);
}

void bdat_chunk_done(struct smtp_server *s)
{
    if (s->txn.refusal.code != 0) {
        chunk_refused(s);
        return;
    }
    if (s->txn.chunk_is_last) {
        server_ask(s, SMTP_ASK_END);
        return;
    }
    server_enter(s, SMTP_PHASE_CHUNKS);
    struct buffer b;
    buffer_init(&b, 40);
    buffer_append_number(&b, s->txn.chunk_size);
    buffer_append(&b, SLICE(" octets received"));
    server_say_text(s, 250, 2, 0, 0, buffer_slice(&b));
    buffer_free(&b);
}
