/* cert.c: the certificates that the running godwit shows to those who encrypt. */
#include "base/moment.h"
#include "cli/ask.h"
#include "cli/show.h"
#include "cli/tools.h"

#include <stdio.h>
#include <stdlib.h>

static const struct cli_option options[] = {
    { "config", "FILE", "the configuration to find the data folder in", false },
    { "data", "DIR", "the data folder of the godwit to ask", false },
    { "json", NULL, "a JSON object for each", false },
    { NULL },
};

static bool print_json(void *context, const json_t *object)
{
    (void)context;
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    return true;
}

static void line_of(struct buffer *out, const char *label, const json_t *object,
                    const char *key)
{
    buffer_append_format(out, "  %-12s", label);
    show_text(out, json_string_value(json_object_get(object, key)));
    buffer_append_byte(out, '\n');
}

static bool print_one(void *context, const json_t *object)
{
    struct buffer text;
    int64_t expires = json_integer_value(json_object_get(object, "expires"));
    int64_t left = expires - *(int64_t *)context;
    buffer_init(&text, 256 * 1024);
    show_text(&text, json_string_value(json_object_get(object, "names")));
    buffer_append_byte(&text, '\n');
    line_of(&text, "file", object, "file");
    line_of(&text, "key", object, "key");
    line_of(&text, "issuer", object, "issuer");
    line_of(&text, "SHA-256", object, "fingerprint");
    buffer_append_string(&text, "  expires     ");
    show_time(&text, expires);
    buffer_append_string(&text, left < 0 ? " (it has expired)\n" : " (in ");
    if (left >= 0) {
        show_duration(&text, left);
        buffer_append_string(&text, ")\n");
    }
    fwrite(text.memory, 1, buffer_len(&text), stdout);
    buffer_free(&text);
    return true;
}

static int run_cert(const struct cli_call *call)
{
    struct control_client *client;
    int64_t now = moment_now().wall_ms;
    int code = ask_call(call, &client);
    if (code != 0)
        return code;
    code = ask(client, json_pack("{s:s}", "command", "certificates"),
               cli_has(call, "json") ? print_json : print_one, &now, NULL);
    control_disconnect(&client);
    return code;
}

const struct cli_tool cli_cert = {
    .name = "cert",
    .summary = "shows the certificates that are served, and when they expire",
    .about = "The first is for clients that name no host, or one that is not known.\n",
    .options = options,
    .run = run_cert,
};
