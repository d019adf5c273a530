/* reply.h: an SMTP reply as a value (RFC 5321 4.2) with its enhanced status code
 * (RFC 2034, RFC 3463). */
#ifndef GODWIT_WIRE_SMTP_REPLY_H
#define GODWIT_WIRE_SMTP_REPLY_H

#include "base/buffer.h"

/* class.subject.detail; class 0 means that there is none. */
struct smtp_status {
    uint8_t class;
    uint16_t subject;
    uint16_t detail;
};

struct smtp_reply {
    uint16_t code;             /* 200 to 599; 0 is no reply */
    struct smtp_status status;
    struct slice text;         /* lines separated by LF; no CR, no NUL */
};

/* A reply of our own; `text` is a literal or lives as long as the reply. */
static inline struct smtp_reply smtp_reply_make(uint16_t code, uint8_t class,
                                                uint16_t subject, uint16_t detail,
                                                struct slice text)
{
    return (struct smtp_reply){
        .code = code, .status = { class, subject, detail }, .text = text,
    };
}

static inline bool smtp_reply_is_positive(const struct smtp_reply *r)
{
    return r->code >= 200 && r->code < 400;
}

/* Appends the reply as it goes over the wire: one line for each line of text, the
 * enhanced code before each when `with_status`. Control bytes in the text become
 * '?', and a line is cut so that it keeps within 512 octets. */
void smtp_reply_append(struct buffer *out, const struct smtp_reply *reply,
                       bool with_status);

/* "4.4.1"; nothing for class 0. */
void smtp_status_append(struct buffer *out, struct smtp_status status);

/* Reads class "." subject "." detail at the front of the slice, without leading
 * zeros, followed by the end or a space; *out_rest is what comes after them. False
 * when there is none (RFC 3463 section 2). */
bool smtp_status_parse(struct slice s, struct smtp_status *out_status,
                       struct slice *out_rest);

#endif
