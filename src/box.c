/* box.c: from the flags, and Mailpit's names in the environment, to the sandbox. It stands
 * beside main.c for the same reason as serve.c. */
#include "box.h"

#include "daemon/box.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

enum { LISTEN_MAX = 8, RELEASE_MAX = 64 };

static const struct cli_option options[] = {
    { "smtp", "ADDRESS", "take mail there; default 127.0.0.1:1025; may be repeated", true },
    { "http", "ADDRESS", "the page and the API; default 127.0.0.1:8025", false },
    { "data", "DIR", "keep everything there; default: in memory, gone at the end", false },
    { "hostname", "NAME", "the name in the SMTP greeting", false },
    { "domain", "NAME", "of inboxes that are made up; default sandbox.test", false },
    { "max-messages", "NUMBER", "beyond it the oldest go; default: no limit", false },
    { "max-bytes", "SIZE", "of mail kept, such as 500M; default 1G in memory, 10G with --data",
      false },
    { "max-age", "TIME", "older mail goes: 12h, 7d; default: never", false },
    { "auth", "USER:PASSWORD", "who may use the page and the API; default: everybody", false },
    { "web-root", "PATH", "before every path of HTTP, such as /mail", false },
    { "label", "TEXT", "shown on the page", false },
    { "dns", "ADDRESS", "answer DNS there by the test DNS, such as 127.0.0.1:1053; default: not",
      false },
    { "relay", "HOST:PORT", "what is released goes there, through a queue", false },
    { "relay-config", "FILE", "or where this configuration of godwit says", false },
    { "release-to", "PATTERN", "recipients that it may be released to, such as *@team.test; may be "
                               "repeated", true },
    { "webhook", "URL", "told of each message, in Mailpit's form", false },
    { "egress", "WHERE", "how far webhooks that the API is given may go: loopback, private (and "
                         "loopback), any; default: nowhere", false },
    { "quiet", NULL, "say only where it listens", false },
    { NULL },
};

/* The flag, or else the variable of one of two names. */
static const char *said(const struct cli_call *call, const char *option, const char *variable)
{
    const char *value = cli_value(call, option);
    if (value == NULL && variable != NULL)
        value = getenv(variable);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* A number with a unit of `units`, each of which is so many of the one before. */
static bool read_number(const char *text, uint64_t *out)
{
    return text == NULL || slice_to_number(slice_from_string(text), INT64_MAX, out);
}

static bool read_with_unit(const char *text, const char *units, const uint64_t *sizes,
                           uint64_t *out)
{
    struct slice s = slice_from_string(text);
    uint64_t number;
    const char *unit;
    if (text == NULL)
        return true;
    if (s.len == 0)
        return false;
    unit = strchr(units, tolower((unsigned char)s.data[s.len - 1]));
    if (unit == NULL || *unit == '\0')
        return false;
    if (!slice_to_number(slice_part(s, 0, s.len - 1), 1000000000, &number))
        return false;
    *out = number * sizes[unit - units];
    return true;
}

static int complain(const char *option, const char *example)
{
    cli_complain("--%s is a number such as %s", option, example);
    return EX_USAGE;
}

static int read_limits(const struct cli_call *call, struct box_serve *out)
{
    static const uint64_t sizes[] = { 1 << 10, 1 << 20, 1 << 30 };
    static const uint64_t times[] = { 1000, 60000, 3600000, 86400000 };
    uint64_t age = 0;
    out->bytes_max = out->flags.data.len > 0 ? UINT64_C(10) << 30 : UINT64_C(1) << 30;
    if (!read_number(said(call, "max-messages", "MP_MAX_MESSAGES"), &out->messages_max))
        return complain("max-messages", "500");
    if (!read_with_unit(said(call, "max-bytes", NULL), "kmg", sizes, &out->bytes_max))
        return complain("max-bytes", "500M");
    if (!read_with_unit(said(call, "max-age", "MP_MAX_AGE"), "smhd", times, &age))
        return complain("max-age", "12h");
    out->age_max_ms = (int64_t)age;
    return 0;
}

static void read_listeners(const struct cli_call *call, struct slice listen[LISTEN_MAX],
                           struct config_flags *out)
{
    const char *value;
    while (out->listen_count < LISTEN_MAX &&
           (value = cli_value_at(call, "smtp", out->listen_count)) != NULL)
        listen[out->listen_count++] = slice_from_string(value);
    if (out->listen_count == 0) {
        value = getenv("MP_SMTP_BIND_ADDR");
        listen[out->listen_count++] = value != NULL && value[0] != '\0'
                                          ? slice_from_string(value) : SLICE("127.0.0.1:1025");
    }
    out->listen = listen;
}

static struct slice slice_said(const struct cli_call *call, const char *option,
                               const char *variable)
{
    return slice_from_string(said(call, option, variable));
}

static bool is_range(struct slice name)
{
    return name.len == 0 || slice_equal(name, SLICE("loopback")) ||
           slice_equal(name, SLICE("private")) || slice_equal(name, SLICE("any"));
}

/* Releasing needs both: where it goes, and who may get it. */
static int read_release(const struct cli_call *call, struct slice patterns[RELEASE_MAX],
                        struct box_serve *out)
{
    const char *value;
    out->relay = slice_said(call, "relay", NULL);
    out->relay_config = slice_said(call, "relay-config", NULL);
    while (out->release_to_count < RELEASE_MAX &&
           (value = cli_value_at(call, "release-to", out->release_to_count)) != NULL)
        patterns[out->release_to_count++] = slice_from_string(value);
    out->release_to = patterns;
    bool has_way = out->relay.len > 0 || out->relay_config.len > 0;
    if (has_way == (out->release_to_count > 0))
        return 0;
    cli_complain(has_way ? "--relay needs --release-to, such as '*@team.test'"
                         : "--release-to needs --relay or --relay-config");
    return EX_USAGE;
}

static int run(const struct cli_call *call)
{
    struct slice listen[LISTEN_MAX], release_to[RELEASE_MAX];
    struct box_serve box = {
        .flags = { .hostname = slice_said(call, "hostname", NULL),
                   .data = slice_said(call, "data", NULL) },
        .http = slice_said(call, "http", "MP_UI_BIND_ADDR"),
        .domain = slice_said(call, "domain", NULL),
        .label = slice_said(call, "label", "MP_LABEL"),
        .web_root = slice_said(call, "web-root", "MP_WEBROOT"),
        .users = slice_said(call, "auth", "MP_UI_AUTH"),
        .webhook = slice_said(call, "webhook", "MP_WEBHOOK_URL"),
        .egress = slice_said(call, "egress", NULL),
        .dns = slice_said(call, "dns", NULL),
        .is_quiet = cli_has(call, "quiet"),
    };
    while (box.web_root.len > 0 && box.web_root.data[box.web_root.len - 1] == '/')
        box.web_root.len--;
    if (box.web_root.len > 0 && box.web_root.data[0] != '/') {
        cli_complain("--web-root is a path such as /mail");
        return EX_USAGE;
    }
    if (!is_range(box.egress)) {
        cli_complain("--egress is loopback, private or any");
        return EX_USAGE;
    }
    if (box.webhook.len > 0 && !slice_starts_with_nocase(box.webhook, SLICE("http://")) &&
        !slice_starts_with_nocase(box.webhook, SLICE("https://"))) {
        cli_complain("--webhook is a URL of http or https");
        return EX_USAGE;
    }
    int code = read_release(call, release_to, &box);
    if (code == 0)
        code = read_limits(call, &box);
    read_listeners(call, listen, &box.flags);
    return code == 0 ? box_serve(&box) : code;
}

const struct cli_tool sandbox_tool = {
    .name = "sandbox",
    .summary = "takes mail for tests, shows it, and never sends it on",
    .about = "SMTP on 127.0.0.1:1025, the page and the API on http://127.0.0.1:8025. Mailpit's\n"
             "MP_SMTP_BIND_ADDR, MP_UI_BIND_ADDR, MP_MAX_MESSAGES, MP_MAX_AGE, MP_LABEL,\n"
             "MP_WEBROOT, MP_UI_AUTH and MP_WEBHOOK_URL are heard where the flag is not said.\n",
    .options = options,
    .run = run,
};
