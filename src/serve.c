/* serve.c: from the flags to the daemon. It stands beside main.c because it is the one
 * command that needs the daemon, and the tools know nothing of that. */
#include "serve.h"

#include "cli/place.h"
#include "daemon/serve.h"

#include <stdlib.h>
#include <sysexits.h>

static const struct cli_option options[] = {
    { "config", "FILE", "the configuration; default " PLACE_CONFIG_FILE, false },
    { "listen", "ADDRESS", "listen there, and only there; may be repeated", true },
    { "next-hop", "HOST:PORT", "send everything there", false },
    { "data", "DIR", "the folder of everything that is kept", false },
    { "hostname", "NAME", "the name of this server", false },
    { "log", "human|json", "the form of the log", false },
    { "log-level", "LEVEL", "debug, info, warning or error", false },
    { "hold", NULL, "attempt nothing until it is released", false },
    { "capture", NULL, "what no route takes is kept in a Maildir and never sent", false },
    { "quick-start", NULL, "no configuration: capture everything, say what to try", false },
    { NULL },
};

static struct slice said(const struct cli_call *call, const char *option)
{
    return slice_from_string(cli_value(call, option));
}

static int listen_flags(const struct cli_call *call, struct config_flags *flags)
{
    size_t count = 0;
    while (cli_value_at(call, "listen", count) != NULL)
        count++;
    if (count == 0)
        return 0;
    flags->listen = calloc(count, sizeof *flags->listen);
    if (flags->listen == NULL)
        return EX_OSERR;
    for (size_t i = 0; i < count; i++)
        flags->listen[i] = slice_from_string(cli_value_at(call, "listen", i));
    flags->listen_count = count;
    return 0;
}

/* A quick start promises that nothing leaves: what could make that untrue is refused. */
static int check(const struct cli_call *call)
{
    static const char *const against[] = { "config", "next-hop" };
    for (size_t i = 0; i < sizeof against / sizeof *against; i++)
        if (cli_has(call, "quick-start") && cli_has(call, against[i])) {
            cli_complain("--quick-start sends nothing anywhere: not with --%s", against[i]);
            return EX_USAGE;
        }
    return 0;
}

static int run(const struct cli_call *call)
{
    bool quick = cli_has(call, "quick-start");
    struct daemon_options daemon = {
        .config_file = quick ? slice_make(NULL, 0)
                             : slice_from_string(place_config_file(cli_value(call, "config"))),
        .flags = {
            .hostname = said(call, "hostname"), .data = said(call, "data"),
            .next_hop = said(call, "next-hop"), .log_form = said(call, "log"),
            .log_level = said(call, "log-level"), .hold = cli_has(call, "hold"),
            .capture = quick || cli_has(call, "capture"),
        },
        .is_quick_start = quick,
    };
    int code = check(call);
    if (code == 0)
        code = listen_flags(call, &daemon.flags);
    if (code == 0)
        code = daemon_serve(&daemon);
    free(daemon.flags.listen);
    return code;
}

const struct cli_tool serve_tool = {
    .name = "serve",
    .summary = "runs the mail server",
    .about = "Flags come before what the configuration says. SIGTERM ends it, SIGHUP makes "
             "it\nread the configuration again.\n",
    .options = options,
    .run = run,
};
