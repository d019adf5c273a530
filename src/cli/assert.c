/* assert.c: expectations of the mail in a sandbox, from a file: one object, or a list of them. */
#include "cli/junit.h"
#include "cli/sandbox_ask.h"
#include "cli/show.h"
#include "cli/tools.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { TIMEOUT_MS = 11 * 60 * 1000, /* beyond what a sandbox waits at most */
       JUNIT_MAX = 64 * 1024 * 1024, EXIT_DIFFERS = 1 };

static const struct cli_option options[] = {
    { "inbox", "ID", "mail of this inbox, where an expectation names none", false },
    { "junit", "FILE", "write the results there, as JUnit's XML", false },
    { "json", NULL, "print the answers, as a list", false },
    { "url", "URL", "of the sandbox; default GODWIT_SANDBOX, http://127.0.0.1:8025", false },
    { "key", "KEY", "of the workspace; default GODWIT_SANDBOX_KEY, none", false },
    { NULL },
};

/* New: a list; NULL, with an exit code: it is complained of. */
static json_t *read_expectations(const char *path, int *out_code)
{
    json_error_t error;
    *out_code = EX_NOINPUT;
    bool is_pipe = strcmp(path, "-") == 0;
    FILE *file = is_pipe ? stdin : fopen(path, "r");
    if (file == NULL) {
        cli_complain("%s: %s", path, strerror(errno));
        return NULL;
    }
    *out_code = 0;
    json_t *read = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
    if (!is_pipe)
        fclose(file);
    if (json_is_object(read))
        return json_pack("[o]", read);
    if (json_is_array(read) && json_array_size(read) > 0)
        return read;
    if (read == NULL)
        cli_complain("%s:%d: %s", path, error.line, error.text);
    else
        cli_complain("%s: not an object of expectations, nor a list of them", path);
    json_decref(read);
    *out_code = EX_DATAERR;
    return NULL;
}

/* What it is called: its own name, else its number. */
static json_t *name_of(json_t *expectation, size_t index)
{
    json_t *name = json_object_get(expectation, "name");
    return json_is_string(name) ? json_incref(name) : json_sprintf("expectation %zu", index + 1);
}

/* One answer, with its name; new. NULL, with an exit code: there is none. */
static json_t *ask(const struct cli_call *call, json_t *expectation, size_t index, int *out_code)
{
    const char *inbox = cli_value(call, "inbox");
    unsigned status = 0;
    json_t *answer = NULL, *name = name_of(expectation, index), *body;
    if (!json_is_object(expectation)) {
        cli_complain("%s is no object", json_string_value(name));
        json_decref(name);
        *out_code = EX_DATAERR;
        return NULL;
    }
    body = json_copy(expectation);
    json_object_del(body, "name");
    if (inbox != NULL && json_object_get(body, "inbox") == NULL)
        json_object_set_new(body, "inbox", json_string(inbox));
    struct sandbox_question question = {
        .url = cli_value(call, "url"), .key = cli_value(call, "key"), .method = "POST",
        .path = SLICE("/assert"), .body = body, .timeout_ms = TIMEOUT_MS,
    };
    *out_code = sandbox_ask(&question, &status, &answer);
    json_decref(body);
    if (*out_code == 0 && ((status != 200 && status != 422) || !json_is_object(answer)))
        *out_code = sandbox_complain(status, answer);
    if (*out_code != 0) {
        json_decref(answer);
        json_decref(name);
        return NULL;
    }
    json_object_set_new(answer, "name", name);
    return answer;
}

static int write_junit(const char *path, json_t *results)
{
    struct buffer out;
    buffer_init(&out, JUNIT_MAX);
    junit_append(&out, "godwit assert", results);
    FILE *file = out.overflow ? NULL : strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    bool good = file != NULL &&
                fwrite(buffer_slice(&out).data, 1, buffer_len(&out), file) == buffer_len(&out);
    if (file != NULL)
        good = (file == stdout ? fflush(file) : fclose(file)) == 0 && good;
    if (!good)
        cli_complain("%s: %s", path, out.overflow ? "too large" : strerror(errno));
    buffer_free(&out);
    return good ? 0 : EX_CANTCREAT;
}

static void print_result(json_t *result)
{
    struct buffer line;
    bool pass = json_is_true(json_object_get(result, "pass"));
    buffer_init(&line, JUNIT_MAX);
    buffer_append_string(&line, pass ? "ok      " : "FAILED  ");
    show_text(&line, json_string_value(json_object_get(result, "name")));
    if (!pass) {
        buffer_append_string(&line, ": ");
        show_text(&line, json_string_value(json_object_get(result, "message")));
    }
    printf("%.*s\n", (int)buffer_len(&line), buffer_slice(&line).data);
    buffer_free(&line);
}

static int report(const struct cli_call *call, json_t *results)
{
    const char *junit = cli_value(call, "junit");
    bool all = true, is_quiet = cli_has(call, "json") || (junit != NULL && strcmp(junit, "-") == 0);
    size_t i;
    json_t *result;
    json_array_foreach(results, i, result) {
        all = all && json_is_true(json_object_get(result, "pass"));
        if (!is_quiet)
            print_result(result);
    }
    if (cli_has(call, "json")) {
        json_dumpf(results, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    int code = junit == NULL ? 0 : write_junit(junit, results);
    return code != 0 ? code : all ? 0 : EXIT_DIFFERS;
}

static int run(const struct cli_call *call)
{
    int code = 0;
    size_t i;
    json_t *expectation;
    if (call->operands_count != 1) {
        cli_complain("assert needs a file of expectations, or - for what is piped in");
        return EX_USAGE;
    }
    json_t *list = read_expectations(call->operands[0], &code), *results = json_array();
    json_array_foreach(list, i, expectation) {
        json_t *answer = ask(call, expectation, i, &code);
        if (answer == NULL)
            break;
        json_array_append_new(results, answer);
    }
    if (code == 0)
        code = report(call, results);
    json_decref(list);
    json_decref(results);
    return code;
}

const struct cli_tool cli_assert = {
    .name = "assert",
    .summary = "holds mail in a sandbox against expectations in a file",
    .about = "FILE is JSON: an object of expectations as POST /assert takes them, or a list; \"name\"\n"
             "is what one is called. Exits with 0 when all are met, with 1 when one is not.\n",
    .operands = "FILE",
    .options = options,
    .run = run,
};
