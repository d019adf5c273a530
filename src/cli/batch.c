/* batch.c: lines of JSON in, lines of JSON out, in order. */
#include "cli/batch.h"

#include "base/buffer.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
    MESSAGE_BYTES_MAX = 256 * 1024 * 1024,
    PIECE_BYTES = 64 * 1024,
};

json_t *batch_text(struct slice text)
{
    json_t *value = json_stringn(text.data == NULL ? "" : text.data, text.len);
    struct buffer escaped;
    if (value != NULL)
        return value;
    buffer_init(&escaped, text.len * 4 + 1);
    buffer_append_escaped(&escaped, text);
    value = json_stringn(escaped.memory, buffer_len(&escaped));
    buffer_free(&escaped);
    return value;
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

/* NULL is standard input. */
static enum err read_file(const char *name, struct buffer *out)
{
    FILE *file = name == NULL ? stdin : fopen(name, "re");
    size_t len = 1;
    if (file == NULL)
        return err_from_errno(errno);
    while (len > 0) {
        char *room = buffer_reserve(out, PIECE_BYTES);
        if (room == NULL)
            break;
        len = fread(room, 1, PIECE_BYTES, file);
        buffer_added(out, len);
    }
    enum err error = out->overflow ? ERR_FULL : ferror(file) != 0 ? ERR_IO : ERR_OK;
    if (name != NULL)
        fclose(file);
    return error;
}

static json_t *read_named(const struct batch *batch, const char *name)
{
    struct buffer message;
    buffer_init(&message, MESSAGE_BYTES_MAX);
    enum err error = read_file(name, &message);
    json_t *answer = error == ERR_OK
                         ? batch->read(buffer_slice(&message))
                         : json_pack("{s:s+}", "error", "the message cannot be read: ",
                                     err_text(error));
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

/* Prints the answer and drops it; an exit code. */
static int print(json_t *answer)
{
    if (answer == NULL) {
        cli_complain("memory is out");
        return EX_OSERR;
    }
    bool is_wrong = json_object_get(answer, "error") != NULL;
    int failed = json_dumpf(answer, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(answer);
    failed |= fflush(stdout); /* who writes entries one by one waits for each answer */
    return failed != 0 ? EX_IOERR : is_wrong ? EX_DATAERR : 0;
}

static int run_line(const struct batch *batch, const char *line, size_t len)
{
    json_error_t error;
    json_t *entry = json_loadb(line, len, JSON_ALLOW_NUL, &error);
    json_t *answer = json_is_object(entry)
                         ? read_entry(batch, entry)
                         : json_pack("{s:s}", "error", "the line is no JSON object");
    json_t *id = json_object_get(entry, "id");
    if (answer != NULL && id != NULL)
        json_object_set(answer, "id", id);
    json_decref(entry);
    return print(answer);
}

/* An answer for each line; one that is wrong is answered, too. */
static int run_lines(const struct batch *batch, FILE *file)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    int worst = 0;
    while ((worst == 0 || worst == EX_DATAERR) && (len = getline(&line, &room, file)) >= 0) {
        int code = run_line(batch, line, (size_t)len);
        if (code != 0)
            worst = code;
    }
    if (ferror(file) != 0)
        worst = EX_IOERR;
    free(line);
    return worst;
}

static int run_one(const struct batch *batch, const char *name)
{
    struct buffer message;
    buffer_init(&message, MESSAGE_BYTES_MAX);
    enum err error = read_file(name, &message);
    int code = EX_NOINPUT;
    if (error == ERR_OK)
        code = print(batch->read(buffer_slice(&message)));
    else
        cli_complain("%s: %s", name == NULL ? "standard input" : name, err_text(error));
    buffer_free(&message);
    return code;
}

int batch_run(const struct batch *batch, const struct cli_call *call)
{
    const char *name = call->operands_count > 0 ? call->operands[0] : NULL;
    if (call->operands_count > 1) {
        cli_complain("%s: takes one file, not '%s' too", call->tool->name,
                     call->operands[1]);
        return EX_USAGE;
    }
    if (name != NULL && strcmp(name, "-") == 0)
        name = NULL;
    if (!cli_has(call, "batch"))
        return run_one(batch, name);
    FILE *file = name == NULL ? stdin : fopen(name, "re");
    if (file == NULL) {
        cli_complain("%s: %s", name, strerror(errno));
        return EX_NOINPUT;
    }
    int code = run_lines(batch, file);
    if (name != NULL)
        fclose(file);
    return code;
}
