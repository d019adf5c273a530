/* content.c: the octets of the message on their way out, in blocks.
 *
 * A block is read straight into the output, behind a gap as large as the dots could
 * at most need, and moved forward piece by piece: no memory besides the output, and
 * one move of the bytes. RFC 5321 4.5.2 (dots), RFC 3030 section 2 (chunks as is).
 */
#include "smtp/client/client_private.h"

/* A local fault in the middle of the content: what has left must not be ended. */
static void fail_local(struct smtp_client *c, uint16_t subject, uint16_t detail,
                       const char *what)
{
    struct smtp_reply reason =
        smtp_reply_make(0, 4, subject, detail, slice_from_string(what));
    client_fail(c, &reason, false);
}

/* Moves the block forward to `to`, dots doubled; false when it must not be sent. */
static bool encode_block(struct smtp_client *c, struct slice block, char *to,
                         size_t *out_len)
{
    struct slice piece;
    size_t len = 0;
    enum content_step step;
    while ((step = content_encode(&c->encoder, &block, &piece)) == CONTENT_PIECE) {
        memmove(to + len, piece.data, piece.len);
        len += piece.len;
    }
    *out_len = len;
    return step == CONTENT_NEED_MORE;
}

static bool send_block(struct smtp_client *c, struct smtp_client_transaction *t,
                       struct buffer *out, size_t len)
{
    /* At worst every third octet, of CRLF "." CRLF "." ..., gets a dot; a CR held
     * back from the block before comes on top. */
    size_t gap = t->by_chunk ? 0 : len / 3 + 8;
    char *room = buffer_reserve(out, gap + len);
    if (room == NULL) {
        fail_local(c, 3, 0, "no memory for the message");
        return false;
    }
    if (t->content->read(t->content, t->sent_bytes, room + gap, len) != ERR_OK) {
        fail_local(c, 3, 0, "the message could not be read");
        return false;
    }
    size_t sent = len;
    if (!t->by_chunk && !encode_block(c, slice_make(room + gap, len), room, &sent)) {
        fail_local(c, 6, 0, "the message holds a bare CR, LF or NUL");
        return false;
    }
    buffer_added(out, sent);
    t->sent_bytes += len;
    return true;
}

bool content_send(struct smtp_client *c, struct smtp_client_transaction *t,
                  struct buffer *out)
{
    uint64_t left = t->content->size - t->sent_bytes;
    if (left > 0) {
        size_t len = left < SMTP_CLIENT_OUTPUT_BYTES ? (size_t)left
                                                     : SMTP_CLIENT_OUTPUT_BYTES;
        if (!send_block(c, t, out, len))
            return false;
    }
    if (t->sent_bytes == t->content->size) {
        t->sending = t->by_chunk ? SENDING_NOTHING : SENDING_END;
        t->content_left = t->by_chunk;
    }
    return true;
}
