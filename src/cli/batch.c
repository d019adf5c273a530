/* batch.c: a message, or lines with messages, read by one reader. */
#include "cli/batch.h"

#include "base/buffer.h"
#include "cli/lines.h"
#include "verdict/verdict.h"

#include <sysexits.h>

enum { MESSAGE_BYTES_MAX = 256 * 1024 * 1024 };

json_t *batch_text(struct slice text)
{
    return verdict_text(text);
}

json_t *batch_text_or_null(struct slice text)
{
    return text.len == 0 ? json_null() : batch_text(text);
}

bool batch_string(const json_t *object, const char *key, struct slice *out_text)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return false;
    *out_text = slice_make(json_string_value(value), json_string_length(value));
    return true;
}

static json_t *read_named(const struct batch *batch, const char *name)
{
    struct buffer message;
    buffer_init(&message, MESSAGE_BYTES_MAX);
    const char *failure = lines_read(name, &message);
    json_t *answer = failure == NULL ? batch->read(buffer_slice(&message))
                                     : json_pack("{s:s+}", "error",
                                                 "the message cannot be read: ", failure);
    buffer_free(&message);
    return answer;
}

static json_t *read_entry(const struct batch *batch, const json_t *entry)
{
    const char *file = json_string_value(json_object_get(entry, "file"));
    struct slice message;
    if (file != NULL)
        return read_named(batch, file);
    if (batch_string(entry, "message", &message))
        return batch->read(message);
    json_t *answer = batch->read_entry == NULL ? json_null() : batch->read_entry(entry);
    if (!json_is_null(answer))
        return answer;
    return json_pack("{s:s}", "error", "there is no \"message\" and no \"file\"");
}

static json_t *evaluate(void *context, const json_t *entry)
{
    json_t *answer = read_entry(context, entry);
    if (answer == NULL)
        cli_complain("memory is out");
    return answer;
}

static int run_one(const struct batch *batch, const char *name)
{
    struct buffer message;
    buffer_init(&message, MESSAGE_BYTES_MAX);
    int code = lines_whole(name, &message);
    if (code == 0)
        code = lines_print(batch->read(buffer_slice(&message)));
    buffer_free(&message);
    return code;
}

int batch_run(const struct batch *batch, const struct cli_call *call)
{
    const char *name = call->operands_count > 0 ? call->operands[0] : NULL;
    struct batch copy = *batch;
    if (call->operands_count > 1) {
        cli_complain("%s: takes one file, not '%s' too", call->tool->name,
                     call->operands[1]);
        return EX_USAGE;
    }
    return cli_has(call, "batch") ? lines_run(name, evaluate, &copy) : run_one(batch, name);
}
