/* status.c: how the running godwit is, and telling it to read its configuration. */
#include "cli/ask.h"
#include "cli/place.h"
#include "cli/tools.h"

#include <stdio.h>
#include <stdlib.h>

static const struct cli_option options[] = {
    { "config", "FILE", "the configuration to find the data folder in", false },
    { "data", "DIR", "the data folder of the godwit to ask", false },
    { "json", NULL, "one JSON object", false },
    { NULL },
};

static const struct {
    const char *key;
    const char *label;
} lines[] = {
    { "messages", "messages in the queue" },
    { "recipients", "recipients to go" },
    { "ready", "  ready now" },
    { "waiting", "  waiting for a time" },
    { "in_flight", "  under way" },
    { "held", "  held" },
    { "sites", "sites known" },
    { "idle_connections", "idle connections out" },
    { "sessions", "sessions in" },
    { "alarms", "alarms of the queue" },
    { "events", "events since the start" },
    { "events_lost", "  not in the history" },
};

static void show(const json_t *answer)
{
    const char *hostname = json_string_value(json_object_get(answer, "hostname"));
    printf("%s, process %lld\n\n", hostname == NULL ? "?" : hostname,
           (long long)json_integer_value(json_object_get(answer, "pid")));
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        printf("%-24s%10lld\n", lines[i].label,
               (long long)json_integer_value(json_object_get(answer, lines[i].key)));
}

static int run_status(const struct cli_call *call)
{
    char *data;
    json_t *answer;
    int code = place_data(cli_value(call, "config"), cli_value(call, "data"), &data);
    if (code != 0)
        return code;
    code = ask_once(data, json_pack("{s:s}", "command", "status"), &answer);
    free(data);
    if (code != 0)
        return code;
    if (cli_has(call, "json")) {
        json_object_del(answer, "done");
        json_object_del(answer, "ok");
        json_dumpf(answer, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        show(answer);
    }
    json_decref(answer);
    return 0;
}

const struct cli_tool cli_status = {
    .name = "status",
    .summary = "shows how the running godwit is",
    .options = options,
    .run = run_status,
};

static const struct cli_option reload_options[] = {
    { "config", "FILE", "the configuration to find the data folder in", false },
    { "data", "DIR", "the data folder of the godwit to tell", false },
    { NULL },
};

static int run_reload(const struct cli_call *call)
{
    char *data;
    int code = place_data(cli_value(call, "config"), cli_value(call, "data"), &data);
    if (code != 0)
        return code;
    code = ask_once(data, json_pack("{s:s}", "command", "reload"), NULL);
    free(data);
    return code;
}

const struct cli_tool cli_reload = {
    .name = "reload",
    .summary = "makes the running godwit read its configuration again",
    .about = "The configuration is checked first; a bad one changes nothing and is "
             "explained.\n",
    .options = reload_options,
    .run = run_reload,
};
