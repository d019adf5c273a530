/* compose.h: a message made of its parts, by GMime.
 *
 * RFC 5322, RFC 2045 to 2047, RFC 2231. Nothing that is given can begin a field of its own:
 * line ends in names, subjects and fields are refused, and addresses are addresses. One thread
 * at a time.
 */
#ifndef GODWIT_CONTENT_COMPOSE_H
#define GODWIT_CONTENT_COMPOSE_H

#include "base/buffer.h"

#include <jansson.h>

enum { COMPOSE_ADDRESSES_MAX = 1000, COMPOSE_FILES_MAX = 100 };

/* `mail` is {from, replyTo[], to[], cc[] of {name, address}; subject, text, html; headers{}
 * of texts; files[] of {name, type, id, base64}}, all but `from` left out at will. Appends the
 * message with CRLF line ends. NULL, or why not, in words for people: a static text. */
const char *content_compose(json_t *mail, struct slice hostname, struct buffer *out);

#endif
