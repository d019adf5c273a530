/* trace.c: looks on while mail comes and goes. */
#include "base/moment.h"
#include "base/slice.h"
#include "cli/ask.h"
#include "cli/history_private.h"
#include "cli/place.h"
#include "cli/show.h"
#include "cli/tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const struct cli_option options[] = {
    { "config", "FILE", "the configuration to find the data folder in", false },
    { "data", "DIR", "the data folder of the godwit to ask", false },
    { "client", "NETWORK", "what comes from there", false },
    { "from", "ADDRESS", "of that sender", false },
    { "to", "ADDRESS", "for that recipient", false },
    { "site", "NAME", "at that site, or of that domain", false },
    { "id", "ID", "of that message", false },
    { "for", "TIME", "ends after so long: 30s, 5m, 1h", false },
    { "json", NULL, "JSON objects, one a line", false },
    { NULL },
};

/* False: it is no such time, or too long. */
static bool parse_time(const char *text, int64_t *out_ms)
{
    static const struct { char unit; int64_t ms; } units[] = {
        { 's', SECOND_MS }, { 'm', MINUTE_MS }, { 'h', HOUR_MS },
    };
    struct slice said = slice_from_string(text);
    uint64_t number;
    for (size_t i = 0; said.len > 1 && i < sizeof units / sizeof *units; i++)
        if (said.data[said.len - 1] == units[i].unit &&
            slice_to_number(slice_part(said, 0, said.len - 1), 100000, &number)) {
            *out_ms = (int64_t)number * units[i].ms;
            return *out_ms > 0 && *out_ms <= 7 * DAY_MS;
        }
    return false;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static int64_t number_of(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

static void print_dialogue(const json_t *o)
{
    struct buffer b;
    bool is_ours = strcmp(text_of(o, "who"), "godwit") == 0;
    bool is_outbound = json_is_true(json_object_get(o, "outbound"));
    buffer_init(&b, 64 * 1024);
    show_time(&b, number_of(o, "time"));
    if (is_outbound)
        buffer_append(&b, SLICE("  out "));
    else
        buffer_append_format(&b, "  in %lld ", (long long)number_of(o, "session"));
    show_text(&b, text_of(o, "peer"));
    buffer_append_string(&b, is_ours ? "  -> " : "  <- ");
    show_text(&b, text_of(o, "text"));
    printf("%.*s\n", (int)buffer_len(&b), b.memory == NULL ? "" : b.memory);
    buffer_free(&b);
}

static bool print_one(void *context, const json_t *o)
{
    const bool *as_json = context;
    if (json_object_get(o, "alive") != NULL) {
        if (!*as_json)
            fflush(stdout);
        return true;
    }
    if (*as_json) {
        json_dumpf(o, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (strcmp(text_of(o, "event"), "line") == 0) {
        print_dialogue(o);
    } else if (strcmp(text_of(o, "event"), "lost") == 0) {
        printf("(%lld lines were left out)\n", (long long)number_of(o, "count"));
    } else {
        history_print_event(o);
    }
    fflush(stdout);
    return true;
}

static json_t *make_request(const struct cli_call *call, int64_t for_ms)
{
    static const char *const keys[] = { "client", "from", "to", "site", "id" };
    json_t *request = json_pack("{s:s,s:I}", "command", "trace", "for_ms", (json_int_t)for_ms);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (cli_value(call, keys[i]) != NULL)
            json_object_set_new(request, keys[i], json_string(cli_value(call, keys[i])));
    return request;
}

static int run(const struct cli_call *call)
{
    struct control_client *client;
    bool as_json = cli_has(call, "json");
    const char *how_long = cli_value(call, "for");
    int64_t for_ms = 0;
    char *folder;
    json_t *last;
    if (how_long != NULL && !parse_time(how_long, &for_ms)) {
        cli_complain("--for takes a time as 30s, 5m or 1h, not '%s'", how_long);
        return EX_USAGE;
    }
    int code = place_data(cli_value(call, "config"), cli_value(call, "data"), &folder);
    if (code != 0)
        return code;
    code = ask_connect(folder, &client);
    free(folder);
    if (code != 0)
        return code;
    code = ask(client, make_request(call, for_ms), print_one, &as_json, &last);
    if (code == 0) {
        if (number_of(last, "lost") > 0)
            cli_complain("%lld lines were left out", (long long)number_of(last, "lost"));
        json_decref(last);
    }
    control_disconnect(&client);
    return code;
}

const struct cli_tool cli_trace = {
    .name = "trace",
    .summary = "looks on while mail comes and goes",
    .options = options,
    .run = run,
};
