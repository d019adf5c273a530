/* codes.h: one-time codes in a message.
 *
 * Tokens are weighed by what stands around them: words that name a code, in many languages
 * (words.txt), how near they are, whether the token stands alone or is set large, its shape,
 * and what else it could be (an order, an amount, a date, a telephone). Pure; one thread at a
 * time; in its own process where mail comes from strangers.
 */
#ifndef GODWIT_CONTENT_CODES_H
#define GODWIT_CONTENT_CODES_H

#include "content/message.h"

enum {
    CODES_MAX = 16,
    CODE_CONTEXT_MAX = 160, /* octets */
};

enum code_source {
    CODE_IN_SUBJECT,
    CODE_IN_TEXT,
    CODE_IN_HTML,
};

struct code {
    struct slice code;    /* as it is typed: digits in ASCII, groups of digits joined,
                             "G-123456" without its prefix */
    struct slice shown;   /* as it stands there: "123 456" */
    double confidence;    /* 0 to 1 */
    enum code_source source; /* the best of those that have it */
    struct slice context; /* the text around it, one line, UTF-8 */
};

/* Best first. */
struct codes {
    bool found;           /* the first one is a code; else there is none in the message */
    struct code items[CODES_MAX];
    size_t count;
};

/* Texts live in the arena. False: memory is out. */
bool codes_find(const struct content_message *message, struct arena *arena,
                struct codes *out_codes);

/* Reads the words that it looks for, so that the first one does not take longer; nobody has to. */
void codes_start(void);

/* "subject", "text", "html". */
const char *code_source_text(enum code_source source);

#endif
