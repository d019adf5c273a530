/* leaks.h: what a template should have filled in, and did not.
 *
 * {{name}}, {% if %}, ${name}, %FIRSTNAME%, *|FNAME|*, [[name]], <%= name %>, #{name}, and the
 * values of programs that are no words: undefined, null, NaN, None, [object Object]. Pure; one
 * thread at a time.
 */
#ifndef GODWIT_CONTENT_LEAKS_H
#define GODWIT_CONTENT_LEAKS_H

#include "content/message.h"

enum { LEAKS_MAX = 100, LEAK_CONTEXT_MAX = 120 };

enum leak_kind {
    LEAK_PLACEHOLDER,
    LEAK_VALUE, /* undefined, null ... */
};

struct leak {
    enum leak_kind kind;
    struct slice what;    /* "{{name}}" */
    struct slice where;   /* "subject", "text", "html", "href", "From" ... */
    uint32_t line;        /* in the text or the HTML, from 1; 0: none */
    struct slice context;
};

struct leaks {
    struct leak items[LEAKS_MAX];
    size_t count;
    size_t total;         /* also those that found no room */
};

/* Texts live in the arena. False: memory is out. */
bool leaks_find(const struct content_message *message, struct arena *arena,
                struct leaks *out_leaks);

#endif
