/* check.c: what mail authentication says about a message, and why. */
#include "cli/check_private.h"

#include "base/ascii.h"
#include "base/moment.h"
#include "cli/lines.h"
#include "cli/tools.h"
#include "crypto/tls_client.h"

#include <string.h>
#include <sysexits.h>

enum { AUTHSERV_ID_MAX = 255 };

static const struct cli_option options[] = {
    { "batch", NULL, "FILE, or standard input, has one JSON object a line", false },
    { "ip", "ADDRESS", "the address of the client", false },
    { "helo", "NAME", "what the client said with HELO", false },
    { "mail-from", "ADDRESS", "the envelope's sender; nothing is the null sender", false },
    { "authserv-id", "NAME", "our name in Authentication-Results", false },
    { "now", "UNIX", "the time to check for, in seconds since 1970", false },
    { "dns", "HOST:PORT", "the server to ask; otherwise those of the system", false },
    { "trust-store", "FILE", "certificates (PEM) of issuers to believe; no record of these "
      "standards is fetched under a certificate, so it decides nothing", false },
    { "json", NULL, "a JSON object, which is what is printed anyway", false },
    { NULL },
};

/* What the entries of a batch have in common. */
struct batch {
    struct check_source *source;
    const struct check_settings *settings;
};

static json_t *evaluate(void *context, const json_t *entry)
{
    const struct batch *batch = context;
    return check_entry(batch->source, batch->settings, entry);
}

/* One message, from a file or from standard input. */
static int run_message(struct check_source *source, const struct check_settings *settings,
                       const char *name)
{
    struct buffer message;
    buffer_init(&message, CHECK_MESSAGE_MAX);
    const char *failure = check_message_read(name, &message);
    if (failure != NULL) {
        cli_complain("%s: %s", name == NULL ? "standard input" : name, failure);
        buffer_free(&message);
        return EX_NOINPUT;
    }
    check_source_begin(source, NULL);
    json_t *result = check_message(source, settings, NULL, buffer_slice(&message));
    buffer_free(&message);
    return lines_print(result);
}

/* Such a name is written into a field as it is, or in quotes. */
static bool is_authserv_id(const char *text)
{
    struct slice id = slice_from_string(text);
    for (size_t i = 0; i < id.len; i++)
        if (ascii_is_control(id.data[i]))
            return false;
    return id.len > 0 && id.len <= AUTHSERV_ID_MAX;
}

static int read_settings(const struct cli_call *call, struct check_settings *out)
{
    const char *now = cli_value(call, "now");
    uint64_t now_s;
    *out = (struct check_settings){
        .ip = cli_value(call, "ip"),
        .helo = cli_value(call, "helo"),
        .mail_from = cli_value(call, "mail-from"),
        .authserv_id = cli_has(call, "authserv-id") ? cli_value(call, "authserv-id")
                                                    : "localhost",
        .now_s = moment_now().wall_ms / SECOND_MS,
    };
    if (!is_authserv_id(out->authserv_id)) {
        cli_complain("--authserv-id takes a name of 1 to %d octets", AUTHSERV_ID_MAX);
        return EX_USAGE;
    }
    if (now == NULL)
        return 0;
    if (!slice_to_number(slice_from_string(now), INT64_MAX, &now_s)) {
        cli_complain("--now: '%s' is no number of seconds", now);
        return EX_USAGE;
    }
    out->now_s = (int64_t)now_s;
    return 0;
}

static int read_source(const struct cli_call *call, struct check_source *out)
{
    const char *server = cli_value(call, "dns");
    *out = (struct check_source){ .has_server = server != NULL };
    if (server == NULL || net_address_parse(slice_from_string(server), &out->server))
        return 0;
    cli_complain("--dns: '%s' is no address with a port, as in 192.0.2.1:53", server);
    return EX_USAGE;
}

/* What it holds is checked all the same: a wrong file is a mistake in the call. */
static int read_trust(const struct cli_call *call)
{
    const char *name = cli_value(call, "trust-store");
    struct certificate_trouble trouble = { "it cannot be read" };
    struct tls_trust *trust = NULL;
    struct buffer pem;
    if (name == NULL)
        return 0;
    buffer_init(&pem, CHECK_MESSAGE_MAX);
    const char *failure = check_message_read(name, &pem);
    bool good = failure == NULL &&
                tls_trust_read(buffer_slice(&pem), &trust, &trouble) == ERR_OK;
    buffer_free(&pem);
    tls_trust_drop(&trust);
    if (!good)
        cli_complain("--trust-store: %s: %s", name, failure != NULL ? failure : trouble.text);
    return good ? 0 : failure != NULL ? EX_NOINPUT : EX_DATAERR;
}

static int run(const struct cli_call *call)
{
    struct check_settings settings;
    struct check_source source;
    int code = read_settings(call, &settings);
    if (code == 0)
        code = read_source(call, &source);
    if (code == 0)
        code = read_trust(call);
    if (code != 0)
        return code;
    if (call->operands_count > 1) {
        cli_complain("check: takes one file, not '%s' too", call->operands[1]);
        return EX_USAGE;
    }
    const char *name = call->operands_count > 0 ? call->operands[0] : NULL;
    struct batch batch = { &source, &settings };
    code = cli_has(call, "batch") ? lines_run(name, evaluate, &batch)
                                  : run_message(&source, &settings, name);
    check_source_close(&source);
    return code;
}

const struct cli_tool cli_check = {
    .name = "check",
    .summary = "tells what SPF, DKIM, ARC and DMARC say about a message, and why",
    .about = "An entry of a batch has \"file\" or \"message\", \"ip\", \"helo\", \"mail_from\", \"now\"\n"
             "and perhaps a \"zone\" with the DNS to believe in. Without a message SPF is\n"
             "evaluated alone, or DMARC, of \"header_from\", \"spf\" and \"dkim\".\n",
    .operands = "[FILE]",
    .options = options,
    .run = run,
};
