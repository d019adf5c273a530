/* compose.h: making a message: fields of its header, and a plain one whole.
 *
 * RFC 5322, RFC 2047. */
#ifndef GODWIT_CLI_COMPOSE_H
#define GODWIT_CLI_COMPOSE_H

#include "base/buffer.h"

/* "Date: " now, in the zone of this machine. */
void compose_date(struct buffer *out);

/* "Message-ID: <random@hostname>". */
void compose_message_id(struct buffer *out, struct slice hostname);

/* "Name: text", as it is where it is short ASCII, else in encoded words (RFC 2047).
 * Line ends in the text become spaces. False when it is not UTF-8. */
bool compose_text_field(struct buffer *out, const char *name, struct slice text);

/* "From: name <address>", or the address alone when there is no name. False as above. */
bool compose_from(struct buffer *out, struct slice name, struct slice address);

struct compose {
    struct slice hostname;
    struct slice from;
    const char *const *to;
    size_t to_count;
    struct slice subject;
    struct slice body;     /* with CRLF */
};

/* Appends the whole message. False when the subject is not UTF-8. */
bool compose_message(struct buffer *out, const struct compose *c);

#endif
