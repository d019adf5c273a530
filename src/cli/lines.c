/* lines.c: JSON in and out, line by line; and whole files. */
#include "cli/lines.h"

#include "cli/tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

int lines_print(json_t *result)
{
    if (result == NULL) {
        cli_complain("memory is out");
        return EX_OSERR;
    }
    bool is_wrong = json_object_get(result, "error") != NULL;
    int failed = json_dumpf(result, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(result);
    failed |= fflush(stdout); /* who writes entries one by one waits for each answer */
    return failed != 0 ? EX_IOERR : is_wrong ? EX_DATAERR : 0;
}

static int run_entry(json_t *(*evaluate)(void *, const json_t *), void *context,
                     const json_t *entry)
{
    json_t *result = evaluate(context, entry);
    json_t *id = json_object_get(entry, "id");
    if (result == NULL)
        return EX_OSERR;
    if (id != NULL)
        json_object_set(result, "id", id);
    return lines_print(result);
}

static int complain(const char *name, const char *failure)
{
    cli_complain("%s: %s", name == NULL ? "standard input" : name, failure);
    return EX_NOINPUT;
}

static int run_file(const char *name, FILE *file,
                    json_t *(*evaluate)(void *, const json_t *), void *context)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    int worst = 0;
    while ((len = getline(&line, &room, file)) >= 0) {
        json_error_t error;
        json_t *entry = json_loadb(line, (size_t)len, JSON_ALLOW_NUL, &error);
        int code = json_is_object(entry)
                       ? run_entry(evaluate, context, entry)
                       : lines_print(json_pack("{s:s}", "error",
                                               "the line is no JSON object"));
        json_decref(entry);
        if (code != 0)
            worst = code;
        if (code != 0 && code != EX_DATAERR)
            break;
    }
    if (ferror(file) != 0)
        worst = complain(name, strerror(errno));
    free(line);
    return worst;
}

static FILE *open_file(const char *name)
{
    return name == NULL || strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
}

static void close_file(FILE *file)
{
    if (file != stdin)
        fclose(file);
}

const char *lines_read(const char *name, struct buffer *out)
{
    enum { STEP = 64 * 1024 };
    FILE *file = open_file(name);
    char *room;
    size_t len = 1;
    if (file == NULL)
        return strerror(errno);
    while (len > 0 && (room = buffer_reserve(out, STEP)) != NULL) {
        len = fread(room, 1, STEP, file);
        buffer_added(out, len);
    }
    const char *failure = out->overflow ? "too large" : ferror(file) != 0 ? strerror(errno) : NULL;
    close_file(file);
    return failure;
}

int lines_whole(const char *name, struct buffer *out)
{
    const char *failure = lines_read(name, out);
    return failure == NULL ? 0 : complain(name, failure);
}

int lines_run(const char *name, json_t *(*evaluate)(void *, const json_t *), void *context)
{
    FILE *file = open_file(name);
    if (file == NULL)
        return complain(name, strerror(errno));
    int code = run_file(name, file, evaluate, context);
    close_file(file);
    return code;
}
