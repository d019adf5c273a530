/* report.c: reports of DMARC and TLS: what is gathered for others, what others have sent. */
#include "cli/ask.h"
#include "cli/place.h"
#include "cli/show.h"
#include "cli/tools.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

enum { TEXT_MAX = 64 * 1024 * 1024 };

static const struct cli_word words[] = {
    { "show", "DOMAIN", "what is gathered, sent and received; of one domain with its rows",
      true },
    { "preview", "DOMAIN", "prints what would be sent of a domain now; nothing is sent", false },
    { "send", NULL, "sends what is gathered of days that have ended", false },
    { NULL },
};

static const struct cli_option options[] = {
    { "config", "FILE", "the configuration to find the data folder in", false },
    { "data", "DIR", "the data folder of the godwit to ask", false },
    { "today", NULL, "of send: what is gathered of today, too", false },
    { "json", NULL, "a JSON object for each", false },
    { NULL },
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void append_date(struct buffer *out, int64_t wall_s)
{
    char text[32];
    time_t at = (time_t)wall_s;
    struct tm parts;
    if (gmtime_r(&at, &parts) != NULL && strftime(text, sizeof text, "%Y-%m-%d", &parts) > 0)
        buffer_append_string(out, text);
}

static void append_record(struct buffer *out, const json_t *r)
{
    buffer_append_format(out, "  %8" PRId64 "  ", number_of(r, "count"));
    if (json_object_get(r, "ip") != NULL) {
        show_text(out, text_of(r, "ip"));
        buffer_append_format(out, "  spf %s, dkim %s, ",
                             json_is_true(json_object_get(r, "spf")) ? "pass" : "fail",
                             json_is_true(json_object_get(r, "dkim")) ? "pass" : "fail");
        show_text(out, text_of(r, "disposition"));
    } else if (json_object_get(r, "result-type") != NULL) {
        show_text(out, text_of(r, "result-type"));
        buffer_append_byte(out, ' ');
        show_text(out, text_of(r, "receiving-mx-hostname"));
        buffer_append_byte(out, ' ');
        show_text(out, text_of(r, "receiving-ip"));
    } else {
        buffer_append_string(out, "as promised");
    }
    buffer_append_byte(out, '\n');
}

static void append_gathered(struct buffer *out, const json_t *r)
{
    size_t index;
    json_t *record;
    append_date(out, number_of(r, "day") * 86400);
    buffer_append_format(out, "  %-5s  %-8s  %8" PRId64 "  ", text_of(r, "kind"),
                         text_of(r, "state"), number_of(r, "count"));
    show_text(out, text_of(r, "domain"));
    if (text_of(r, "rua")[0] != '\0') {
        buffer_append_string(out, "  to ");
        show_text(out, text_of(r, "rua"));
    }
    if (text_of(r, "why")[0] != '\0') {
        buffer_append_string(out, "  (");
        show_text(out, text_of(r, "why"));
        buffer_append_byte(out, ')');
    }
    buffer_append_byte(out, '\n');
    json_array_foreach(json_object_get(r, "records"), index, record)
        append_record(out, record);
}

static void append_received(struct buffer *out, const json_t *r)
{
    append_date(out, number_of(r, "begins"));
    buffer_append_format(out, "  %-5s  received            ", text_of(r, "kind"));
    show_text(out, text_of(r, "domain"));
    buffer_append_string(out, "  by ");
    show_text(out, text_of(r, "organization"));
    buffer_append_string(out, "  ");
    show_text(out, text_of(r, "report_id"));
    buffer_append_byte(out, '\n');
}

static bool print_one(void *context, const json_t *object)
{
    bool is_json = *(bool *)context;
    const char *section = text_of(object, "section");
    struct buffer text;
    if (is_json) {
        json_dumpf(object, stdout, JSON_COMPACT);
        putchar('\n');
        return true;
    }
    buffer_init(&text, TEXT_MAX);
    if (strcmp(section, "reports") == 0) {
        buffer_append_string(&text, text_of(object, "content"));
        buffer_append_byte(&text, '\n');
    } else if (strcmp(section, "received") == 0) {
        append_received(&text, object);
    } else {
        append_gathered(&text, object);
    }
    fwrite(text.memory, 1, buffer_len(&text), stdout);
    buffer_free(&text);
    return true;
}

static json_t *request_of(const struct cli_call *call)
{
    char command[64];
    snprintf(command, sizeof command, "report-%s", call->word->name);
    return json_pack("{s:s,s:s,s:b}", "command", command, "domain",
                     call->operands_count > 0 ? call->operands[0] : "", "today",
                     cli_has(call, "today"));
}

static void print_end(const struct cli_call *call, bool is_json, const json_t *last)
{
    if (strcmp(call->word->name, "send") != 0)
        return;
    if (is_json)
        printf("{\"sent\":%" PRId64 "}\n", number_of(last, "sent"));
    else
        printf("%" PRId64 " sent\n", number_of(last, "sent"));
}

static int run(const struct cli_call *call)
{
    char *data;
    struct control_client *client;
    json_t *last = NULL;
    bool is_json = cli_has(call, "json");
    if (call->operands_count > 1) {
        cli_complain("report %s: takes no '%s' too", call->word->name, call->operands[1]);
        return EX_USAGE;
    }
    int code = place_data(cli_value(call, "config"), cli_value(call, "data"), &data);
    if (code != 0)
        return code;
    code = ask_connect(data, &client);
    free(data);
    if (code != 0)
        return code;
    code = ask(client, request_of(call), print_one, &is_json, &last);
    if (code == 0)
        print_end(call, is_json, last);
    json_decref(last);
    control_disconnect(&client);
    return code;
}

const struct cli_tool cli_report = {
    .name = "report",
    .summary = "shows and sends reports of DMARC and TLS",
    .about = "A day is one of UTC. States: open (gathered, not sent), sent, unwanted (nobody\n"
             "asks for it), failed.\n",
    .words = words,
    .options = options,
    .run = run,
};
