/* message_private.h: the two halves of reading a message. */
#ifndef GODWIT_CONTENT_MESSAGE_PRIVATE_H
#define GODWIT_CONTENT_MESSAGE_PRIVATE_H

#include "content/message.h"

/* message_header.c: fields, addresses, date and the like. False: memory is out. */
bool message_read_header(struct slice octets, struct arena *arena,
                         struct content_message *message);

/* message_unsubscribe.c: RFC 2369 of its field, `value` unfolded. */
bool message_read_unsubscribe(struct slice value, struct arena *arena,
                              struct content_unsubscribe *out);

/* message_body.c: text, HTML, files, snippet. */
bool message_read_body(struct slice octets, struct arena *arena,
                       struct content_message *message);

#endif
