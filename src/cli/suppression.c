/* suppression.c: those whom nothing is sent to. */
#include "base/moment.h"
#include "cli/ask.h"
#include "cli/lines.h"
#include "cli/show.h"
#include "cli/tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { BATCH = 500, FILE_MAX = 512 * 1024 * 1024 };

static const struct cli_word words[] = {
    { "list", NULL, "a row for each address", false },
    { "show", "ADDRESS", "since when, until when, and why", false },
    { "add", "ADDRESS", "sends nothing more there", false },
    { "remove", "ADDRESS", "goes on sending there", false },
    { "import", "FILE", "adds an address a line, or what 'list --json' printed; - reads a pipe",
      false },
    { NULL },
};

static const struct cli_option options[] = {
    { "config", "FILE", "the configuration to find the data folder in", false },
    { "data", "DIR", "the data folder of the godwit to ask", false },
    { "for", "TIME", "add, import: for so long, as 30s, 15m, 4h or 2d; else for ever", false },
    { "reason", "TEXT", "add, import: for those who look", false },
    { "json", NULL, "JSON objects, one a line", false },
    { NULL },
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static void append_day(struct buffer *out, int64_t wall_ms)
{
    if (wall_ms == 0)
        buffer_append_string(out, "for ever");
    else
        show_time(out, wall_ms);
}

static bool print_json(void *context, const json_t *object)
{
    (void)context;
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    return true;
}

static bool print_row(void *context, const json_t *object)
{
    struct buffer text;
    (void)context;
    buffer_init(&text, 64 * 1024);
    show_text(&text, text_of(object, "address"));
    buffer_append_string(&text, "\n  since ");
    show_time(&text, json_integer_value(json_object_get(object, "since")));
    buffer_append_string(&text, ", until ");
    append_day(&text, json_integer_value(json_object_get(object, "until")));
    buffer_append_string(&text, ": ");
    show_text(&text, text_of(object, "why"));
    if (text_of(object, "text")[0] != '\0') {
        buffer_append_string(&text, "\n  ");
        show_text(&text, text_of(object, "text"));
    }
    buffer_append_byte(&text, '\n');
    fwrite(text.memory, 1, buffer_len(&text), stdout);
    buffer_free(&text);
    return true;
}

/* Page after page. */
static int list(struct control_client *client, bool as_json)
{
    char *after = strdup("");
    bool more = true;
    long long count = 0;
    int code = after == NULL ? EX_OSERR : 0;
    while (code == 0 && more) {
        json_t *last;
        code = ask(client, json_pack("{s:s,s:s}", "command", "suppression-list", "after", after),
                   as_json ? print_json : print_row, NULL, &last);
        if (code != 0)
            break;
        count += json_integer_value(json_object_get(last, "count"));
        more = json_is_true(json_object_get(last, "more"));
        free(after);
        after = strdup(text_of(last, "after"));
        code = after == NULL ? EX_OSERR : 0;
        json_decref(last);
    }
    free(after);
    if (code == 0 && count == 0 && !as_json)
        printf("nobody is on the list\n");
    return code;
}

static int show(struct control_client *client, const char *address, bool as_json)
{
    json_t *last;
    int code = ask(client, json_pack("{s:s,s:s,s:b}", "command", "suppression-list", "after",
                                     address, "only", 1),
                   as_json ? print_json : print_row, NULL, &last);
    if (code != 0)
        return code;
    bool is_there = json_integer_value(json_object_get(last, "count")) > 0;
    json_decref(last);
    if (is_there)
        return 0;
    cli_complain("'%s' is not on the list", address);
    return EX_UNAVAILABLE;
}

/* Takes the entries. */
static int send_entries(struct control_client *client, const char *command, json_t *entries,
                long long *changed)
{
    json_t *last;
    int code = ask(client, json_pack("{s:s,s:o}", "command", command, "entries", entries), NULL,
                   NULL, &last);
    if (code != 0)
        return code;
    *changed += json_integer_value(json_object_get(last, "changed"));
    json_decref(last);
    return 0;
}

/* What the options say of all; NULL inside is left out. */
struct said {
    const char *reason;
    int64_t until_wall_ms;
    const char *why;
};

static json_t *entry_of(const char *address, const struct said *said)
{
    return json_pack("{s:s,s:s,s:s,s:I}", "address", address, "why", said->why, "text",
                     said->reason == NULL ? "" : said->reason, "until",
                     (json_int_t)said->until_wall_ms);
}

static int change(struct control_client *client, const struct cli_call *call,
                  const struct said *said)
{
    bool removes = strcmp(call->word->name, "remove") == 0;
    int worst = 0;
    for (size_t i = 0; i < call->operands_count; i++) {
        const char *address = call->operands[i];
        long long changed = 0;
        int code = send_entries(client, removes ? "suppression-remove" : "suppression-add",
                        json_pack("[o]", entry_of(address, said)), &changed);
        if (code == 0 && removes && changed == 0) {
            cli_complain("'%s' is not on the list", address);
            code = EX_UNAVAILABLE;
        }
        worst = code != 0 ? code : worst;
    }
    return worst;
}

/* A JSON object, or an address; NULL: neither. */
static json_t *read_line(struct slice line, const struct said *said)
{
    if (line.data[0] == '{')
        return json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES, NULL);
    char *address = slice_to_string(line);
    json_t *entry = address == NULL ? NULL : entry_of(address, said);
    free(address);
    return entry;
}

static int import_text(struct control_client *client, struct slice text, const char *name,
                       const struct said *said)
{
    long long number = 0;
    long long changed = 0;
    struct slice line;
    int code = 0;
    json_t *batch = json_array();
    while (code == 0 && slice_split(&text, '\n', &line)) {
        number++;
        line = slice_trim(line);
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line = slice_trim(slice_part(line, 0, line.len - 1));
        if (line.len == 0 || line.data[0] == '#')
            continue;
        json_t *entry = read_line(line, said);
        if (entry == NULL || json_array_append_new(batch, entry) != 0) {
            cli_complain("%s:%lld: neither an address nor a JSON object", name, number);
            code = EX_DATAERR;
        } else if (json_array_size(batch) == BATCH) {
            code = send_entries(client, "suppression-add", batch, &changed);
            batch = json_array();
        }
        if (code != 0 && code != EX_DATAERR)
            cli_complain("%s: up to line %lld not all was added", name, number);
    }
    if (code == 0 && json_array_size(batch) > 0) {
        code = send_entries(client, "suppression-add", batch, &changed);
        if (code != 0)
            cli_complain("%s: the last %d lines or less were not added", name, BATCH);
    } else {
        json_decref(batch);
    }
    printf("%lld address%s new or changed\n", changed, changed == 1 ? " is" : "es are");
    return code;
}

static int import(struct control_client *client, const char *name, const struct said *said)
{
    struct buffer text;
    buffer_init(&text, FILE_MAX);
    int code = lines_whole(name, &text);
    if (code == 0)
        code = import_text(client, buffer_slice(&text), name, said);
    buffer_free(&text);
    return code;
}

static int run_word(struct control_client *client, const struct cli_call *call, int64_t for_ms)
{
    const char *word = call->word->name;
    struct said said = {
        .reason = cli_value(call, "reason"), .why = "manual",
        .until_wall_ms = for_ms == 0 ? 0 : moment_now().wall_ms + for_ms,
    };
    if (strcmp(word, "list") == 0)
        return list(client, cli_has(call, "json"));
    if (strcmp(word, "show") == 0)
        return show(client, call->operands[0], cli_has(call, "json"));
    if (strcmp(word, "import") == 0)
        return import(client, call->operands[0], &said);
    return change(client, call, &said);
}

static int run(const struct cli_call *call)
{
    struct control_client *client;
    const char *time = cli_value(call, "for");
    int64_t for_ms = 0;
    if (time != NULL && !show_read_duration(time, &for_ms)) {
        cli_complain("--for is a time such as 30s, 15m, 4h or 2d");
        return EX_USAGE;
    }
    int code = ask_call(call, &client);
    if (code != 0)
        return code;
    code = run_word(client, call, for_ms);
    control_disconnect(&client);
    return code;
}

const struct cli_tool cli_suppression = {
    .name = "suppression",
    .summary = "shows and changes the list of those whom nothing is sent to",
    .about = "More than one ADDRESS may be given to add and remove. The list counts where the\n"
             "configuration says suppression: { then: refuse }.\n",
    .words = words,
    .options = options,
    .run = run,
};
