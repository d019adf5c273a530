/* site.c: where mail goes, which limit holds it back there, and to stop or go on. */
#include "base/moment.h"
#include "cli/ask.h"
#include "cli/show.h"
#include "cli/tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const struct cli_word words[] = {
    { "list", NULL, "a row for each site: what is ready, and what binds", false },
    { "show", "NAME", "the limits of the sites meant, and which binds now", false },
    { "suspend", "NAME", "sends nothing more there until it is resumed", false },
    { "resume", "NAME", "goes on, and forgets a pace that replies have asked for", false },
    { NULL },
};

static const struct cli_option options[] = {
    { "config", "FILE", "the configuration to find the data folder in", false },
    { "data", "DIR", "the data folder of the godwit to ask", false },
    { "for", "TIME", "suspend: for so long, as 30s, 15m, 4h or 2d", false },
    { "reason", "TEXT", "suspend: for those who look", false },
    { "json", NULL, "JSON objects, one a line", false },
    { NULL },
};

static long long number_of(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static bool print_json(void *context, const json_t *object)
{
    (void)context;
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    return true;
}

static void print(struct buffer *text)
{
    fwrite(text->memory, 1, buffer_len(text), stdout);
    buffer_free(text);
}

/* ---- a row each ---- */

struct site_table {
    int64_t now_wall_ms;
    bool has_heading;
};

static void append_until(struct buffer *out, const json_t *site, int64_t now_wall_ms)
{
    int64_t until = number_of(site, "until");
    if (until == 0)
        return;
    buffer_append_string(out, " for ");
    show_duration(out, until > now_wall_ms ? until - now_wall_ms : 0);
}

static bool print_row(void *context, const json_t *site)
{
    struct site_table *table = context;
    struct buffer text;
    buffer_init(&text, 64 * 1024);
    if (!table->has_heading)
        buffer_append_format(&text, "%8s %5s %9s  %-14s %s\n", "READY", "CONNS", "TAKEN/min",
                             "LIMIT", "SITE");
    table->has_heading = true;
    buffer_append_format(&text, "%8lld %5lld %9lld  %-14s ", number_of(site, "ready"),
                         number_of(site, "connections"), number_of(site, "taken"),
                         text_of(site, "limit"));
    show_text(&text, text_of(site, "site"));
    append_until(&text, site, table->now_wall_ms);
    buffer_append_byte(&text, '\n');
    print(&text);
    return true;
}

/* ---- one in words ---- */

static const struct {
    const char *limit;
    const char *says;
} meanings[] = {
    { "none", "nothing: it is sent as it comes" },
    { "no-mail", "nothing: no mail is ready for it" },
    { "stopped", "the queue does not deliver now" },
    { "trouble", "it could not be reached; the next attempt is made" },
    { "probe", "it could not be reached; one attempt tries it again just now" },
    { "suspended", "it is suspended" },
    { "rate", "the rate of the configuration" },
    { "pace", "the pace that its replies have asked for" },
    { "connections", "the connections: all that it may have are busy" },
    { "refused", "the connections: it refuses more than it has" },
};

static const char *meaning_of(const char *limit)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (strcmp(limit, meanings[i].limit) == 0)
            return meanings[i].says;
    return limit;
}

static void append_rate(struct buffer *out, const json_t *site)
{
    long long count = number_of(site, "rate_count");
    long long per = number_of(site, "rate_per_ms");
    const char *unit = per == SECOND_MS ? "second" : per == MINUTE_MS ? "minute"
                       : per == HOUR_MS ? "hour" : "day";
    if (count == 0)
        buffer_append_string(out, "none");
    else
        buffer_append_format(out, "%lld message%s %s %s", count, count == 1 ? "" : "s",
                             per == HOUR_MS ? "an" : "a", unit);
}

/* Messages an hour that the limits allow together, and the one that allows least; 0: there is
 * none, or it is not known. */
static long long ceiling_of(const json_t *site, const char **out_limit)
{
    long long usual = number_of(site, "usual_ms");
    long long rate = number_of(site, "rate_count");
    long long pace = number_of(site, "pace");
    long long least = usual == 0 ? 0 : number_of(site, "connections_max") * HOUR_MS / usual;
    *out_limit = "the connections";
    if (rate != 0)
        rate = rate * HOUR_MS / number_of(site, "rate_per_ms");
    if (rate != 0 && (least == 0 || rate < least)) {
        least = rate;
        *out_limit = "the rate";
    }
    if (pace != 0 && (least == 0 || pace < least)) {
        least = pace;
        *out_limit = "the pace that its replies have asked for";
    }
    return least;
}

static void append_ceiling(struct buffer *out, const json_t *site)
{
    const char *limit;
    long long ceiling = ceiling_of(site, &limit);
    long long usual = number_of(site, "usual_ms");
    if (ceiling == 0)
        return;
    buffer_append_format(out, "  ceiling       %lld message%s an hour, by %s", ceiling,
                         ceiling == 1 ? "" : "s", limit);
    if (usual > 0)
        buffer_append_format(out, " (one takes %lld ms)", usual);
    buffer_append_byte(out, '\n');
}

static void append_binding(struct buffer *out, const json_t *site, int64_t now_wall_ms)
{
    const char *limit = text_of(site, "limit");
    buffer_append_format(out, "  held back by  %s", meaning_of(limit));
    if (strcmp(limit, "suspended") == 0)
        buffer_append_string(out, json_is_true(json_object_get(site, "by_operator"))
                                      ? " by an operator" : " for what it replied");
    int64_t until = number_of(site, "until");
    if (until != 0) {
        buffer_append_string(out, strcmp(limit, "trouble") == 0 ? " in " : ", for another ");
        show_duration(out, until > now_wall_ms ? until - now_wall_ms : 0);
    }
    buffer_append_byte(out, '\n');
    if (text_of(site, "reason")[0] == '\0')
        return;
    buffer_append_string(out, "  because of    ");
    if (number_of(site, "code") != 0)
        buffer_append_format(out, "%lld %s ", number_of(site, "code"), text_of(site, "status"));
    show_text(out, text_of(site, "reason"));
    buffer_append_byte(out, '\n');
}

static bool print_words(void *context, const json_t *site)
{
    struct buffer text;
    long long pace = number_of(site, "pace");
    buffer_init(&text, 64 * 1024);
    show_text(&text, text_of(site, "site"));
    buffer_append_string(&text, "\n  limits of     ");
    show_text(&text, text_of(site, "name"));
    buffer_append_format(&text, "\n  ready         %lld recipient%s\n", number_of(site, "ready"),
                         number_of(site, "ready") == 1 ? "" : "s");
    buffer_append_format(&text, "  connections   %lld here, %lld under the name, at most %lld; "
                                "%lld busy\n",
                         number_of(site, "connections"), number_of(site, "shared_connections"),
                         number_of(site, "connections_max"), number_of(site, "busy"));
    buffer_append_string(&text, "  rate          ");
    append_rate(&text, site);
    if (pace != 0)
        buffer_append_format(&text, "; by its replies %lld an hour", pace);
    buffer_append_format(&text, "\n  taken         %lld message%s in the last minute\n",
                         number_of(site, "taken"), number_of(site, "taken") == 1 ? "" : "s");
    append_ceiling(&text, site);
    append_binding(&text, site, ((struct site_table *)context)->now_wall_ms);
    print(&text);
    return true;
}

/* ---- what is asked ---- */

static int look(struct control_client *client, const struct cli_call *call, const char *name)
{
    struct site_table table = { .now_wall_ms = moment_now().wall_ms };
    json_t *last;
    bool is_list = name[0] == '\0';
    int code = ask(client, json_pack("{s:s,s:s}", "command", "site-list", "name", name),
                   cli_has(call, "json") ? print_json : is_list ? print_row : print_words,
                   &table, &last);
    if (code != 0)
        return code;
    long long sites = number_of(last, "sites");
    json_decref(last);
    if (sites > 0 || is_list) {
        if (sites == 0 && !cli_has(call, "json"))
            printf("no mail goes anywhere just now\n");
        return 0;
    }
    cli_complain("no mail goes to '%s' just now: no site has that name, key or domain", name);
    return EX_UNAVAILABLE;
}

static int change(struct control_client *client, const struct cli_call *call, const char *name,
                  json_t *request)
{
    json_t *last;
    int code = ask(client, request, NULL, NULL, &last);
    if (code != 0)
        return code;
    long long sites = number_of(last, "sites");
    json_decref(last);
    if (cli_has(call, "json"))
        printf("{\"sites\":%lld}\n", sites);
    else if (sites > 0)
        printf("%s: %lld site%s\n", call->word->name, sites, sites == 1 ? "" : "s");
    if (sites > 0)
        return 0;
    cli_complain("no mail goes to '%s' just now: no site has that name, key or domain", name);
    return EX_UNAVAILABLE;
}

static int run_word(struct control_client *client, const struct cli_call *call, int64_t for_ms)
{
    const char *word = call->word->name;
    const char *name = call->operands_count > 0 ? call->operands[0] : "";
    const char *reason = cli_value(call, "reason");
    if (strcmp(word, "list") == 0 || strcmp(word, "show") == 0)
        return look(client, call, name);
    if (strcmp(word, "suspend") == 0)
        return change(client, call, name,
                      json_pack("{s:s,s:s,s:I,s:s}", "command", "site-suspend", "name", name,
                                "for_ms", (json_int_t)for_ms, "reason",
                                reason == NULL ? "suspended by an operator" : reason));
    return change(client, call, name,
                  json_pack("{s:s,s:s}", "command", "site-resume", "name", name));
}

static int run(const struct cli_call *call)
{
    struct control_client *client;
    const char *time = cli_value(call, "for");
    int64_t for_ms = 0;
    if (time != NULL && (strcmp(call->word->name, "suspend") != 0 || !show_read_duration(time, &for_ms))) {
        cli_complain("--for goes with suspend, and is a time such as 30s, 15m, 4h or 2d");
        return EX_USAGE;
    }
    int code = ask_call(call, &client);
    if (code != 0)
        return code;
    code = run_word(client, call, for_ms);
    control_disconnect(&client);
    return code;
}

const struct cli_tool cli_site = {
    .name = "site",
    .summary = "shows which limit holds mail back where it goes, and stops or goes on",
    .about = "NAME is that of the limits (gmail), the key of a site, or a domain. Sites with\n"
             "limits of one name are stopped together. A suspension ends with the server.\n",
    .words = words,
    .options = options,
    .run = run,
};
