/* inbox.c: the inboxes of a sandbox, from a shell. */
#include "cli/sandbox_ask.h"
#include "cli/tools.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { TIMEOUT_MS = 30 * 1000, PATH_MAX_ = 4096 };

static const struct cli_word words[] = {
    { "create", "NAME", "a new one; prints its address", true },
    { "list", NULL, "those of the workspace", false },
    { "messages", "ID", "what is in one, the newest first", false },
    { "empty", "ID", "forgets what is in it", false },
    { "delete", "ID", "forgets it, and what is in it", false },
    { NULL },
};

static const struct cli_option options[] = {
    { "address", "ADDRESS", "create: its address; default: one is made up", false },
    { "ttl", "TIME", "create: it goes after so long: 90s, 10m, 1h", false },
    { "quota", "NUMBER", "create: of more messages the oldest go", false },
    { "pattern", "PATTERN", "create: \"*@run7.test\" is its as well; may be repeated", true },
    { "json", NULL, "print the answer", false },
    { "url", "URL", "of the sandbox; default GODWIT_SANDBOX, http://127.0.0.1:8025", false },
    { "key", "KEY", "of the workspace; default GODWIT_SANDBOX_KEY, none", false },
    { NULL },
};

static json_t *wish(const struct cli_call *call)
{
    json_t *body = json_object(), *patterns = json_array();
    const char *quota = cli_value(call, "quota");
    uint64_t number;
    if (call->operands_count > 0)
        json_object_set_new(body, "name", json_string(call->operands[0]));
    if (cli_value(call, "address") != NULL)
        json_object_set_new(body, "address", json_string(cli_value(call, "address")));
    if (cli_value(call, "ttl") != NULL)
        json_object_set_new(body, "ttl", json_string(cli_value(call, "ttl")));
    if (quota != NULL)
        json_object_set_new(body, "quota",
                            slice_to_number(slice_from_string(quota), INT64_MAX, &number)
                                ? json_integer((json_int_t)number) : json_integer(-1));
    for (size_t i = 0; cli_value_at(call, "pattern", i) != NULL; i++)
        json_array_append_new(patterns, json_string(cli_value_at(call, "pattern", i)));
    json_object_set_new(body, "patterns", patterns);
    return body;
}

static void print(const struct cli_call *call, json_t *answer)
{
    const char *word = call->word->name;
    if (cli_has(call, "json")) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (strcmp(word, "create") == 0) {
        const char *address = json_string_value(json_object_get(answer, "address"));
        puts(address == NULL ? "" : address);
    } else if (strcmp(word, "list") == 0) {
        sandbox_print_rows(json_object_get(answer, "inboxes"), "address", "name");
    } else if (strcmp(word, "messages") == 0) {
        sandbox_print_rows(json_object_get(answer, "messages"), "id", "subject");
    }
}

/* Method and path of a word. */
static const char *place(const struct cli_call *call, struct buffer *path)
{
    const char *word = call->word->name;
    const char *id = call->operands_count > 0 ? call->operands[0] : "";
    if (strcmp(word, "messages") == 0) {
        buffer_append_string(path, "/messages");
        sandbox_parameter(path, "inbox", id);
        sandbox_parameter(path, "limit", "1000");
        return "GET";
    }
    buffer_append_string(path, "/inboxes");
    if (strcmp(word, "create") == 0)
        return "POST";
    if (strcmp(word, "list") == 0)
        return "GET";
    buffer_append_format(path, "/%s%s", id, strcmp(word, "empty") == 0 ? "/messages" : "");
    return "DELETE";
}

static int run(const struct cli_call *call)
{
    struct buffer path;
    unsigned status = 0;
    json_t *answer = NULL;
    buffer_init(&path, PATH_MAX_);
    struct sandbox_question question = {
        .url = cli_value(call, "url"), .key = cli_value(call, "key"),
        .method = place(call, &path), .timeout_ms = TIMEOUT_MS,
    };
    question.path = buffer_slice(&path);
    if (strcmp(question.method, "POST") == 0)
        question.body = wish(call);
    int code = sandbox_ask(&question, &status, &answer);
    if (code == 0 && status < 300)
        print(call, answer);
    else if (code == 0)
        code = sandbox_complain(status, answer);
    json_decref(question.body);
    json_decref(answer);
    buffer_free(&path);
    return code;
}

const struct cli_tool cli_inbox = {
    .name = "inbox",
    .summary = "makes, lists and empties the inboxes of a sandbox",
    .words = words,
    .options = options,
    .run = run,
};
