/* junit.h: results in the form of JUnit's XML, which test runners and CI servers read. */
#ifndef GODWIT_CLI_JUNIT_H
#define GODWIT_CLI_JUNIT_H

#include "base/buffer.h"

#include <jansson.h>

/* Appends a document with one suite of that name. `results` are objects {name, pass, message};
 * text may hold anything that UTF-8 does, and what XML has no place for becomes "?". */
void junit_append(struct buffer *out, const char *suite, json_t *results);

#endif
