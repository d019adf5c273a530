/* wait.c: blocks until mail has come to a sandbox, and prints what a script wants of it. */
#include "cli/sandbox_ask.h"
#include "cli/show.h"
#include "cli/tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { TIMEOUT_MS = 30 * 1000, GRACE_MS = 15 * 1000, PATH_MAX_ = 4096, EXIT_NOT_THERE = 1 };

static const struct cli_option options[] = {
    { "inbox", "ID", "mail of this inbox: its id or address", false },
    { "from", "TEXT", "mail from somebody like that", false },
    { "to", "TEXT", "mail to somebody like that", false },
    { "subject", "TEXT", "mail with that in its subject", false },
    { "search", "WORDS", "mail that a search finds", false },
    { "since", "CURSOR", "mail that came behind it", false },
    { "count", "NUMBER", "so many; default 1", false },
    { "timeout", "TIME", "how long at most: 500ms, 30s, 2m; default 30s", false },
    { "none", "TIME", "wait so long, and fail when there is one", false },
    { "code", NULL, "print the one-time code; without one it fails", false },
    { "link", NULL, "print the link to verify or reset with, or the first one", false },
    { "text", NULL, "print the text", false },
    { "json", NULL, "print the whole answer", false },
    { "url", "URL", "of the sandbox; default GODWIT_SANDBOX, http://127.0.0.1:8025", false },
    { "key", "KEY", "of the workspace; default GODWIT_SANDBOX_KEY, none", false },
    { NULL },
};

static int print_text(const char *text, const char *missing)
{
    if (text == NULL || text[0] == '\0') {
        cli_complain("%s", missing);
        return EXIT_NOT_THERE;
    }
    puts(text);
    return 0;
}

static const char *link_of(json_t *message)
{
    json_t *links = json_object_get(message, "links");
    const char *best = json_string_value(json_object_get(links, "best"));
    json_t *first = json_array_get(json_object_get(links, "links"), 0);
    return best != NULL ? best : json_string_value(json_object_get(first, "url"));
}

static int print_list(json_t *messages)
{
    sandbox_print_rows(messages, "id", "subject");
    return 0;
}

static int print(const struct cli_call *call, json_t *answer)
{
    json_t *messages = json_object_get(answer, "messages");
    json_t *last = json_array_get(messages, json_array_size(messages) - 1);
    json_t *code = json_object_get(json_object_get(last, "codes"), "code");
    if (cli_has(call, "json")) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        return print_text(" ", "") == 0 ? 0 : EX_IOERR;
    }
    if (cli_has(call, "none"))
        return 0;
    if (cli_has(call, "code"))
        return print_text(json_string_value(code), "there is no one-time code in the message");
    if (cli_has(call, "link"))
        return print_text(link_of(last), "there is no link in the message");
    if (cli_has(call, "text"))
        return print_text(json_string_value(json_object_get(last, "text")),
                          "there is no text in the message");
    return print_list(messages);
}

static bool read_time(const struct cli_call *call, const char *option, int64_t *out)
{
    const char *said = cli_value(call, option);
    size_t len = said == NULL ? 0 : strlen(said);
    if (said == NULL)
        return true;
    if (len > 2 && strcmp(said + len - 2, "ms") == 0) {
        uint64_t ms;
        bool good = slice_to_number(slice_make(said, len - 2), 3600000, &ms);
        *out = good ? (int64_t)ms : 0;
        return good;
    }
    return show_read_duration(said, out);
}

static int run(const struct cli_call *call)
{
    static const char *const passed[] = { "inbox", "from", "to", "subject", "search", "since",
                                          "count", "timeout", "none" };
    int64_t timeout = TIMEOUT_MS;
    unsigned status = 0;
    json_t *answer = NULL;
    struct buffer path;
    if (!read_time(call, "timeout", &timeout) || !read_time(call, "none", &timeout)) {
        cli_complain("a time is written as 500ms, 30s or 2m");
        return EX_USAGE;
    }
    buffer_init(&path, PATH_MAX_);
    buffer_append_string(&path, "/wait");
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
        sandbox_parameter(&path, passed[i], cli_value(call, passed[i]));
    struct sandbox_question question = {
        .url = cli_value(call, "url"), .key = cli_value(call, "key"), .method = "GET",
        .path = buffer_slice(&path), .timeout_ms = timeout + GRACE_MS,
    };
    int code = sandbox_ask(&question, &status, &answer);
    if (code == 0 && status == 200)
        code = print(call, answer);
    else if (code == 0 && (status == 408 || status == 409)) {
        cli_complain("%s", json_string_value(json_object_get(answer, "message")));
        code = EXIT_NOT_THERE;
    } else if (code == 0) {
        code = sandbox_complain(status, answer);
    }
    json_decref(answer);
    buffer_free(&path);
    return code;
}

const struct cli_tool cli_wait = {
    .name = "wait",
    .summary = "waits for mail in a sandbox, and prints its code, link or text",
    .about = "Exits with 0 when it came, with 1 when it did not come in time (or came, with\n"
             "--none).\n",
    .options = options,
    .run = run,
};
