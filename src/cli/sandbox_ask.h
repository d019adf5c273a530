/* sandbox_ask.h: a question to a running sandbox, over HTTP.
 *
 * Where it is: --url, else GODWIT_SANDBOX, else http://127.0.0.1:8025; the key: --key, else
 * GODWIT_SANDBOX_KEY, else none. */
#ifndef GODWIT_CLI_SANDBOX_ASK_H
#define GODWIT_CLI_SANDBOX_ASK_H

#include "base/buffer.h"
#include "cli/tool.h"

#include <jansson.h>

struct sandbox_question {
    const char *url;          /* --url, --key; NULL: as above */
    const char *key;
    const char *method;       /* static */
    struct slice path;        /* behind /api/godwit/v1 */
    json_t *body;             /* borrowed; or NULL */
    int64_t timeout_ms;
};

/* *out is new, or NULL where the answer is no JSON. Complains and returns an exit code when there
 * is no answer: EX_UNAVAILABLE; EX_USAGE for a URL that is none. */
int sandbox_ask(const struct sandbox_question *question, unsigned *out_status, json_t **out);

/* name=value for an address, "?" or "&" before it. */
void sandbox_parameter(struct buffer *path, const char *name, const char *value);

/* Prints a list of objects, a line each: two members with a tab between, escaped. */
void sandbox_print_rows(json_t *list, const char *first, const char *second);

/* What the sandbox complains of: an exit code for the status. */
int sandbox_complain(unsigned status, json_t *answer);

#endif
