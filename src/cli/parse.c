/* parse.c: what godwit's own parsers read in a message or a part of one, as JSON. */
#include "cli/parse_private.h"

#include "cli/tools.h"

#include <string.h>

static const struct cli_word words[] = {
    { "address", "FILE", "an address, or a list of them as in a header field", true },
    { "headers", "FILE", "the fields of a message's header", true },
    { "message", "FILE", "the parts of a message, and those in them", true },
    { "codes", "FILE", "one-time codes in a message, the best first", true },
    { "links", "FILE", "where a reader of a message can go", true },
    { "bounce", "FILE", "a delivery status notification, RFC 3464", true },
    { "arf", "FILE", "a complaint or a report of failed authentication, RFC 5965", true },
    { "dmarc-report", "FILE", "an aggregate report, RFC 7489 or RFC 9990: mail, archive or XML",
      true },
    { "tls-report", "FILE", "a TLS report, RFC 8460: mail, archive or JSON", true },
    { "tlsa", "FILE", "a TLSA record: usage, selector, matching type and data in hex", true },
    { "mta-sts", "FILE", "a record, which begins with v=STSv1, or a policy", true },
    { NULL },
};

static const struct {
    const char *word;
    struct batch batch;
} readers[] = {
    { "address", { parse_address, parse_address_entry } },
    { "headers", { parse_headers, parse_headers_entry } },
    { "message", { parse_message, NULL } },
    { "codes", { parse_codes, NULL } },
    { "links", { parse_links, NULL } },
    { "bounce", { parse_bounce, NULL } },
    { "arf", { parse_arf, NULL } },
    { "dmarc-report", { parse_dmarc_report, NULL } },
    { "tls-report", { parse_tls_report, NULL } },
    { "tlsa", { parse_tlsa, parse_tlsa_entry } },
    { "mta-sts", { parse_mtasts, parse_mtasts_entry } },
};

static const struct cli_option options[] = {
    { "batch", NULL, "FILE, or standard input, has one JSON object a line", false },
    { "json", NULL, "JSON objects, which is what is printed anyway", false },
    { NULL },
};

static int run(const struct cli_call *call)
{
    size_t i = 0;
    while (strcmp(readers[i].word, call->word->name) != 0)
        i++;
    return batch_run(&readers[i].batch, call);
}

const struct cli_tool cli_parse = {
    .name = "parse",
    .summary = "prints what is read in a message, an address or a report",
    .about = "An entry of a batch has \"file\" or \"message\"; for addresses \"address\" or\n"
             "\"header\" may stand in their place, for headers \"header\", for tlsa \"record\",\n"
             "and for mta-sts \"record\" or \"policy\", with a \"host\".\n",
    .words = words,
    .options = options,
    .run = run,
};
