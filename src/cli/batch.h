/* batch.h: tools that answer with a JSON object: for a message from a file or standard
 * input, or, in a batch, for each line, which is an entry with "id" and "file", "message" or
 * what else the tool reads. */
#ifndef GODWIT_CLI_BATCH_H
#define GODWIT_CLI_BATCH_H

#include "base/slice.h"
#include "cli/tool.h"

#include <jansson.h>

struct batch {
    /* The answer, perhaps with an "error" in it; a new reference; NULL: memory is out. */
    json_t *(*read)(struct slice message);

    /* The same for an entry that has neither "file" nor "message"; NULL inside: there are no
     * others; JSON null: this is none either. */
    json_t *(*read_entry)(const json_t *entry);
};

/* Runs the tool over its operand, with or without --batch; an exit code. */
int batch_run(const struct batch *batch, const struct cli_call *call);

/* A string; what is no UTF-8 is escaped, and empty text is null with _or_null. */
json_t *batch_text(struct slice text);
json_t *batch_text_or_null(struct slice text);

/* A string of an object; false when there is none. */
bool batch_string(const json_t *object, const char *key, struct slice *out_text);

#endif
