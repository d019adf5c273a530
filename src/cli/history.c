/* history.c: what became of a message (why), and everything that happens (events). */
#include "base/moment.h"
#include "cli/ask.h"
#include "cli/history_private.h"
#include "cli/place.h"
#include "cli/tools.h"
#include "base/slice.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

enum { PAGE = 1000, LIVES_USUAL = 20, POLL_MS = 500 };

static const struct cli_option why_options[] = {
    { "config", "FILE", "the configuration to find the data folder in", false },
    { "data", "DIR", "the data folder of the godwit to ask", false },
    { "limit", "N", "at most so many messages, the newest first (20)", false },
    { "json", NULL, "one JSON object a message", false },
    { NULL },
};

static const struct cli_option events_options[] = {
    { "config", "FILE", "the configuration to find the data folder in", false },
    { "data", "DIR", "the data folder of the godwit to ask", false },
    { "after", "CURSOR", "those after this one; without it all that are kept", false },
    { "follow", NULL, "goes on with those to come", false },
    { NULL },
};

static int connect_to(const struct cli_call *call, struct control_client **out)
{
    char *folder;
    int code = place_data(cli_value(call, "config"), cli_value(call, "data"), &folder);
    if (code != 0)
        return code;
    code = ask_connect(folder, out);
    free(folder);
    return code;
}

/* False: it is no number up to the most. */
static bool number_of(const struct cli_call *call, const char *option, uint64_t most,
                      uint64_t *out)
{
    const char *said = cli_value(call, option);
    if (said == NULL || slice_to_number(slice_from_string(said), most, out))
        return true;
    cli_complain("--%s takes a number up to %llu, not '%s'", option, (unsigned long long)most,
                 said);
    return false;
}

static bool collect(void *context, const json_t *object)
{
    return json_array_append(context, (json_t *)(uintptr_t)object) == 0;
}

static void print_json(const json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
}

static void say_unknown(const char *what, int64_t keep_ms)
{
    if (keep_ms == 0)
        cli_complain("'%s' is not known: no history is kept (history.keep is 0)", what);
    else
        cli_complain("'%s' is not known here: no such message came in the last %lld days, for "
                     "which the history is kept at most (history.keep), or it made room for "
                     "newer ones (history.size)", what,
                     (long long)((keep_ms + DAY_MS - 1) / DAY_MS));
}

static int why(struct control_client *client, const char *what, uint64_t limit, bool as_json)
{
    json_t *lives = json_array();
    json_t *last;
    int code = ask(client, json_pack("{s:s,s:s,s:I}", "command", "history-why", "what", what,
                                     "limit", (json_int_t)limit), collect, lives, &last);
    if (code != 0) {
        json_decref(lives);
        return code;
    }
    for (size_t i = 0; i < json_array_size(lives); i++) {
        if (as_json)
            print_json(json_array_get(lives, i));
        else
            history_print_life(json_array_get(lives, i), moment_now().wall_ms, i > 0);
    }
    if (json_array_size(lives) == 0) {
        say_unknown(what, (int64_t)json_integer_value(json_object_get(last, "keep_ms")));
        code = EX_NOINPUT;
    } else if (json_is_true(json_object_get(last, "more"))) {
        cli_complain("there are more: --limit shows more than these %zu",
                     json_array_size(lives));
    }
    json_decref(last);
    json_decref(lives);
    return code;
}

static int run_why(const struct cli_call *call)
{
    struct control_client *client;
    uint64_t limit = LIVES_USUAL;
    int code = 0;
    if (call->operands_count == 0) {
        cli_complain("why takes an id, an address or a Message-ID");
        return EX_USAGE;
    }
    if (!number_of(call, "limit", 999, &limit) || limit == 0)
        return EX_USAGE;
    code = connect_to(call, &client);
    if (code != 0)
        return code;
    for (size_t i = 0; i < call->operands_count; i++) {
        int result = why(client, call->operands[i], limit, cli_has(call, "json"));
        code = result != 0 ? result : code;
    }
    control_disconnect(&client);
    return code;
}

static bool print_one(void *context, const json_t *object)
{
    (void)context;
    print_json(object);
    return true;
}

/* One page; *after moves on. *out_any: there may be more at once. */
static int page(struct control_client *client, uint64_t *after, bool *out_any)
{
    json_t *last;
    int code = ask(client, json_pack("{s:s,s:I,s:i}", "command", "history-events", "after",
                                     (json_int_t)*after, "limit", PAGE), print_one, NULL, &last);
    if (code != 0)
        return code;
    uint64_t next = (uint64_t)json_integer_value(json_object_get(last, "after"));
    uint64_t first = (uint64_t)json_integer_value(json_object_get(last, "first"));
    if (*after > 0 && first > *after + 1)
        cli_complain("the events %llu to %llu are no longer kept",
                     (unsigned long long)*after + 1, (unsigned long long)first - 1);
    *out_any = next > *after;
    *after = next;
    json_decref(last);
    return 0;
}

static int run_events(const struct cli_call *call)
{
    const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
    struct control_client *client;
    uint64_t after = 0;
    bool any = true;
    if (!number_of(call, "after", INT64_MAX, &after))
        return EX_USAGE;
    int code = connect_to(call, &client);
    if (code != 0)
        return code;
    while (code == 0 && (any || cli_has(call, "follow"))) {
        if (!any)
            nanosleep(&pause, NULL);
        code = page(client, &after, &any);
        if (fflush(stdout) != 0)
            code = EX_IOERR; /* nobody reads any more */
    }
    control_disconnect(&client);
    return code;
}

const struct cli_tool cli_why = {
    .name = "why",
    .summary = "tells what became of a message, and what it waits for",
    .about = "What is asked for is an id, the address of a sender or recipient, or a\n"
             "Message-ID.\n",
    .operands = "ID|ADDRESS|MESSAGE-ID ...",
    .options = why_options,
    .run = run_why,
};

const struct cli_tool cli_events = {
    .name = "events",
    .summary = "prints what happened to messages, one JSON object a line",
    .options = events_options,
    .run = run_events,
};
