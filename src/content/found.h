/* found.h: codes, links and left-over marks of a message, as JSON. */
#ifndef GODWIT_CONTENT_FOUND_H
#define GODWIT_CONTENT_FOUND_H

#include "content/message.h"

#include <jansson.h>

/* New objects: {found, code, candidates[{code, shown, confidence, source, context}]} and
 * {best, links[{url, text, kind, confidence, html, plain}]}; a list of {what, where, line,
 * context}. NULL: memory is out. */
json_t *found_codes(const struct content_message *message);
json_t *found_links(const struct content_message *message);
json_t *found_leaks(const struct content_message *message);

#endif
