/* id.h: the name of a message, from begin to its last trace.
 *
 * 64 bits: the spool's generation (one more at each start) above a counter, so
 * that an id is never given twice, not even over a crash. As text: 13 characters
 * of Crockford's base 32 in lower case.
 */
#ifndef GODWIT_MAIL_ID_H
#define GODWIT_MAIL_ID_H

#include "base/buffer.h"

struct mail_id {
    uint64_t value; /* 0 is no message */
};

enum { MAIL_ID_CHARACTERS = 13 };

void mail_id_append(struct buffer *out, struct mail_id id);

/* Fills 13 characters and a NUL; returns `out`. */
const char *mail_id_text(struct mail_id id, char out[MAIL_ID_CHARACTERS + 1]);

/* Either case; false when the text is not an id. */
bool mail_id_parse(struct slice text, struct mail_id *out_id);

static inline bool mail_id_equal(struct mail_id a, struct mail_id b)
{
    return a.value == b.value;
}

#endif
