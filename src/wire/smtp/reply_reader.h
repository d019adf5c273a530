/* reply_reader.h: reading a server's replies from bytes that come in any pieces.
 *
 * RFC 5321 4.2 and 4.2.1, RFC 2034 section 4; HOSTILE 113. Only CRLF ends a line. A
 * line longer than 2 KiB, a reply longer than 64 KiB, a code that is not three digits
 * from 200 on, another code on a later line, NUL, a bare CR or LF: the reader is
 * broken from then on, and the connection has to be closed. One owner, one thread.
 */
#ifndef GODWIT_WIRE_SMTP_REPLY_READER_H
#define GODWIT_WIRE_SMTP_REPLY_READER_H

#include "wire/smtp/reply.h"

enum {
    SMTP_REPLY_LINE_MAX = 2048,  /* with its CRLF */
    SMTP_REPLY_MAX = 64 * 1024,  /* the sum of all its lines */
};

enum smtp_reply_result {
    SMTP_REPLY_TAKEN,
    SMTP_REPLY_NEED_MORE,
    SMTP_REPLY_BROKEN, /* smtp_reply_reader.fault says why */
};

struct smtp_reply_reader {
    struct buffer line;  /* of a line that came in pieces */
    struct buffer text;  /* of the reply so far, or of the one handed out */
    size_t size;
    struct smtp_reply reply;
    bool taken;          /* `reply` was handed out: the next line begins another */
    const char *fault;   /* static; NULL while all is well */
};

/* Allocates nothing. */
void smtp_reply_reader_init(struct smtp_reply_reader *reader);

/* Frees its memory; harmless twice. */
void smtp_reply_reader_free(struct smtp_reply_reader *reader);

/* Takes from the front of *input what belongs to one reply and no more: with
 * SMTP_REPLY_TAKEN the next reply's bytes stay. The text of *out_reply, lines joined
 * by LF and the enhanced codes taken off, lives until the next call. Text may hold
 * any control byte but CR, LF and NUL: escape it before showing. Without memory the
 * reader is broken too. */
enum smtp_reply_result smtp_reply_reader_next(struct smtp_reply_reader *reader,
                                              struct slice *input,
                                              struct smtp_reply *out_reply);

#endif
