/* queue.c: what waits in the running godwit, and what an operator does about it. */
#include "base/moment.h"
#include "cli/ask.h"
#include "cli/place.h"
#include "cli/queue_private.h"
#include "cli/show.h"
#include "cli/tools.h"
#include "mail/id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { PAGE = 500 };

static const struct cli_word words[] = {
    { "list", NULL, "a row for each recipient that is not done", false },
    { "show", "ID", "one message: its recipients, replies and header", false },
    { "shape", NULL, "how many wait for each destination, by their age", false },
    { "retry", "ID|all", "tries now, whatever the plan says", false },
    { "hold", "ID|all", "tries no more until it is released", false },
    { "release", "ID|all", "goes on with what was held", false },
    { "delete", "ID|all", "throws it away; nobody gets a bounce", false },
    { NULL },
};

static const struct cli_option options[] = {
    { "config", "FILE", "the configuration to find the data folder in", false },
    { "data", "DIR", "the data folder of the godwit to ask", false },
    { "domain", "DOMAIN", "list, all: recipients there; *.DOMAIN: what lies under it", false },
    { "site", "NAME", "list, all: what goes to that site, or under that name of limits", false },
    { "sender", "ADDRESS", "list, all: of that sender; @DOMAIN; <> for reports", false },
    { "reason", "TEXT", "list, all: whose last reply has that in it", false },
    { "older", "TIME", "list, all: received so long ago, as 30s, 15m, 4h or 2d", false },
    { "by", "domain|site", "of shape: what is counted together (domain)", false },
    { "limit", "N", "of shape: at most so many rows, the longest first (20)", false },
    { "json", NULL, "JSON objects, one a line", false },
    { NULL },
};

static void print_json(const json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
}

static bool collect(void *context, const json_t *object)
{
    return json_array_append(context, (json_t *)(uintptr_t)object) == 0;
}

static void print_page(struct queue_table *table, const json_t *page, bool as_json)
{
    if (!as_json)
        queue_table_print(table, page, moment_now().wall_ms);
    for (size_t i = 0; as_json && i < json_array_size(page); i++)
        print_json(json_array_get(page, i));
}

/* Puts what the options say of those who are meant into a request, which is taken. */
static json_t *with_filter(json_t *request, const struct cli_call *call)
{
    static const char *const texts[] = { "domain", "site", "sender", "reason" };
    int64_t older_ms;
    for (size_t i = 0; call != NULL && i < sizeof texts / sizeof *texts; i++)
        if (cli_has(call, texts[i]))
            json_object_set_new(request, texts[i], json_string(cli_value(call, texts[i])));
    if (call != NULL && cli_has(call, "older") &&
        show_read_duration(cli_value(call, "older"), &older_ms))
        json_object_set_new(request, "older_ms", json_integer(older_ms));
    return request;
}

static bool has_filter(const struct cli_call *call)
{
    return cli_has(call, "domain") || cli_has(call, "site") || cli_has(call, "sender") ||
           cli_has(call, "reason") || cli_has(call, "older");
}

/* Asks page after page. `call` may be NULL: all. */
static int list(struct control_client *client, const struct cli_call *call, bool as_json)
{
    struct queue_table table = { .has_heading = false };
    char after[64] = "";
    size_t rows = 0;
    bool more = true;
    while (more) {
        json_t *last;
        json_t *page = json_array();
        json_t *request = json_pack("{s:s,s:s,s:i}", "command", "queue-list", "after", after,
                                    "limit", PAGE);
        int code = ask(client, with_filter(request, call), collect, page, &last);
        if (code != 0) {
            json_decref(page);
            return code;
        }
        print_page(&table, page, as_json);
        rows += json_array_size(page);
        const char *next = json_string_value(json_object_get(last, "after"));
        more = json_is_true(json_object_get(last, "more")) && json_array_size(page) > 0;
        snprintf(after, sizeof after, "%s", next == NULL ? "" : next);
        json_decref(last);
        json_decref(page);
    }
    if (rows == 0 && !as_json)
        printf(call != NULL && has_filter(call) ? "nothing in the queue fits\n"
                                                : "the queue is empty\n");
    return 0;
}

static int show(struct control_client *client, const char *id, bool as_json)
{
    json_t *objects = json_array();
    int code = ask(client, json_pack("{s:s,s:s}", "command", "queue-show", "id", id),
                   collect, objects, NULL);
    if (code == 0 && as_json)
        for (size_t i = 0; i < json_array_size(objects); i++)
            print_json(json_array_get(objects, i));
    else if (code == 0)
        queue_print_message(objects, moment_now().wall_ms);
    json_decref(objects);
    return code;
}

/* An attempt that is under way is not called back. */
static void say_in_flight(const char *word, const char *id, long long in_flight)
{
    bool waits = strcmp(word, "hold") == 0 || strcmp(word, "delete") == 0;
    cli_complain("%s: %lld recipient%s of %s %s being tried just now%s", word, in_flight,
                 in_flight == 1 ? "" : "s", id, in_flight == 1 ? "is" : "are",
                 waits ? ": it is done after that, unless the mail is delivered" : "");
}

static int change(struct control_client *client, const struct cli_call *call, const char *id)
{
    const char *word = call->word->name;
    bool as_json = cli_has(call, "json");
    char command[32];
    json_t *last;
    bool all = strcmp(id, "all") == 0;
    snprintf(command, sizeof command, "queue-%s", word);
    json_t *request = all ? with_filter(json_pack("{s:s,s:b}", "command", command, "all", 1),
                                        call)
                          : json_pack("{s:s,s:s}", "command", command, "id", id);
    int code = ask(client, request, NULL, NULL, &last);
    if (code != 0)
        return code;
    long long changed = (long long)json_integer_value(json_object_get(last, "changed"));
    long long in_flight = (long long)json_integer_value(json_object_get(last, "in_flight"));
    json_decref(last);
    if (as_json)
        printf("{\"id\":\"%s\",\"changed\":%lld,\"in_flight\":%lld}\n", id, changed,
               in_flight);
    else if (all)
        printf("%s: %lld message%s\n", word, changed, changed == 1 ? "" : "s");
    if (in_flight > 0)
        say_in_flight(word, id, in_flight);
    if (all || changed + in_flight > 0)
        return 0;
    cli_complain("%s: nothing of %s is waiting for that", word, id);
    return EX_UNAVAILABLE;
}

/* An id is printed into JSON and sent along: 13 letters and digits, or "all". */
static bool is_id(const char *text)
{
    struct mail_id id;
    return strcmp(text, "all") == 0 || mail_id_parse(slice_from_string(text), &id);
}

static int run_word(struct control_client *client, const struct cli_call *call)
{
    const char *word = call->word->name;
    bool as_json = cli_has(call, "json");
    int code = 0;
    if (strcmp(word, "list") == 0)
        return list(client, call, as_json);
    if (strcmp(word, "shape") == 0)
        return queue_shape_show(client, cli_value(call, "by"), cli_value(call, "limit"),
                                as_json);
    for (size_t i = 0; i < call->operands_count; i++) {
        const char *id = call->operands[i];
        int result = strcmp(word, "show") == 0 ? show(client, id, as_json)
                                               : change(client, call, id);
        code = result != 0 ? result : code;
    }
    return code;
}

/* Connects to where the two point. */
static int connect_to(const char *config, const char *data, struct control_client **out)
{
    char *folder;
    int code = place_data(config, data, &folder);
    if (code != 0)
        return code;
    code = ask_connect(folder, out);
    free(folder);
    return code;
}

int queue_list(const char *config, const char *data, bool as_json)
{
    struct control_client *client;
    int code = connect_to(config, data, &client);
    if (code != 0)
        return code;
    code = list(client, NULL, as_json);
    control_disconnect(&client);
    return code;
}

static bool is_sound(const struct cli_call *call)
{
    int64_t older_ms;
    if (cli_has(call, "older") && !show_read_duration(cli_value(call, "older"), &older_ms)) {
        cli_complain("--older is a time such as 30s, 15m, 4h or 2d");
        return false;
    }
    bool takes_filter = strcmp(call->word->name, "list") == 0;
    for (size_t i = 0; i < call->operands_count; i++)
        takes_filter = strcmp(call->operands[i], "all") == 0;
    if (has_filter(call) && !takes_filter)
        cli_complain("--domain, --site, --sender, --reason and --older go with list, or with all");
    return !has_filter(call) || takes_filter;
}

static int run(const struct cli_call *call)
{
    struct control_client *client;
    if (!is_sound(call))
        return EX_USAGE;
    for (size_t i = 0; i < call->operands_count; i++)
        if (!is_id(call->operands[i])) {
            cli_complain("'%s' is no message id", call->operands[i]);
            return EX_USAGE;
        }
    int code = connect_to(cli_value(call, "config"), cli_value(call, "data"), &client);
    if (code != 0)
        return code;
    code = run_word(client, call);
    control_disconnect(&client);
    return code;
}

const struct cli_tool cli_queue = {
    .name = "queue",
    .summary = "lists the queue, and retries, holds, releases or deletes messages",
    .about = "More than one ID may be given.\n",
    .words = words,
    .options = options,
    .run = run,
};
