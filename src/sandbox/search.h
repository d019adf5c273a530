/* search.h: Mailpit's search, as SQL.
 *
 *   search = *( [ "-" / "!" ] ( field ":" value / value ) )
 *
 * Spaces mean "and"; quotes keep words together. Fields: to, from, cc, bcc, reply-to,
 * addressed, subject, message-id, tag (exactly), is:read|unread|tagged, has:attachment(s)|
 * inline(s), after, before, larger, smaller; and inbox. Everything else is looked for in
 * subject, text and addresses, as a part of it, without case.
 *
 * Pure, but for memory.
 */
#ifndef GODWIT_SANDBOX_SEARCH_H
#define GODWIT_SANDBOX_SEARCH_H

#include "base/buffer.h"

#include <stdbool.h>

enum { SEARCH_TERMS_MAX = 50, SEARCH_TEXT_MAX = 4096 };

struct box_search_value {
    bool is_number;
    int64_t number;
    struct buffer text;
};

/* A condition on the table `message m`, to be joined with AND, and what stands for its
 * question marks, in order. */
struct box_search {
    struct buffer sql;
    struct buffer match;         /* what FTS5 is asked, or empty */
    struct box_search_value values[SEARCH_TERMS_MAX];
    size_t count;
};

/* NULL, or why it cannot be read, in words for people, a static text. Free it in any case. */
const char *box_search_read(struct slice text, int zone_minutes, struct box_search *out);
void box_search_free(struct box_search *search);

#endif
