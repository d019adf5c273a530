/* rules.c: which rule of the configuration decides about a recipient, and what it asked of
 * the DNS for that. Nothing of a running godwit is touched. */
#include "policy/rules.h"

#include "cli/check_private.h"
#include "cli/place.h"
#include "cli/tools.h"

#include <stdio.h>
#include <sysexits.h>

static const struct cli_word words[] = {
    { "explain", NULL, "says which rule decides", false },
    { NULL },
};

static const struct cli_option options[] = {
    { "config", "FILE", "the configuration with the rules", false },
    { "client", "ADDRESS", "the client's address; 127.0.0.1 if not said", false },
    { "helo", "NAME", "what it calls itself", false },
    { "from", "ADDRESS", "the sender; <> or nothing is the null sender", false },
    { "to", "ADDRESS", "the recipient", false },
    { "account", "ADDRESS", "who has logged in", false },
    { "submission", NULL, "on a listener of that role", false },
    { "tls", NULL, "the client encrypts", false },
    { "dns", "HOST:PORT", "the server to ask; otherwise those of the system", false },
    { "json", NULL, "a JSON object", false },
    { NULL },
};

static const char *const thens[] = {
    [CONFIG_THEN_ACCEPT] = "accept", [CONFIG_THEN_RELAY] = "relay",
    [CONFIG_THEN_REJECT] = "reject", [CONFIG_THEN_DEFER] = "defer",
    [CONFIG_THEN_DISCARD] = "discard", [CONFIG_THEN_HOLD] = "hold",
    [CONFIG_THEN_DELAY] = "delay", [CONFIG_THEN_CLOSE] = "close",
};

struct explaining {
    struct rules_run run;
    struct check_source source;
    json_t *asked;
    json_t *applied;
};

static struct slice said(const struct cli_call *call, const char *option)
{
    struct slice text = slice_from_string(cli_value(call, option));
    if (text.len >= 2 && text.data[0] == '<' && text.data[text.len - 1] == '>')
        text = slice_part(text, 1, text.len - 2);
    return text;
}

static void take(void *context, const struct lookup_answer *answer)
{
    static const char *const kinds[] = {
        [LOOKUP_FOUND] = "found", [LOOKUP_NODATA] = "nodata", [LOOKUP_NXDOMAIN] = "nxdomain",
        [LOOKUP_FAILED] = "failed",
    };
    struct explaining *e = context;
    const struct lookup_question *q = &e->run.question;
    json_array_append_new(e->asked, json_pack("{s:s%,s:i,s:s}", "name", q->name.data,
                                              q->name.len, "type", (int)q->type, "answer",
                                              kinds[answer->kind]));
    rules_answer(&e->run, answer);
}

/* False after a complaint. */
static bool explain(struct explaining *e)
{
    for (;;) {
        if (rules_next(&e->run) == RULES_ASK) {
            if (!check_ask(&e->source, &e->run.question, take, e))
                return false;
            continue;
        }
        const struct config_rule *rule = e->run.rule;
        if (rule == NULL)
            return true;
        json_array_append_new(e->applied, json_pack("{s:i,s:i,s:s}", "rule",
                                                    (int)e->run.at + 1, "line",
                                                    (int)rule->line, "then",
                                                    thens[rule->then]));
        if (rule->then != CONFIG_THEN_DELAY)
            return true;
        rules_go_on(&e->run);
    }
}

static void print(const struct explaining *e, bool as_json)
{
    size_t i;
    json_t *item;
    if (as_json) {
        json_t *all = json_pack("{s:O,s:O}", "rules", e->applied, "asked", e->asked);
        json_dumpf(all, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(all);
        return;
    }
    json_array_foreach(e->asked, i, item)
        printf("asked   %s: %s\n", json_string_value(json_object_get(item, "name")),
               json_string_value(json_object_get(item, "answer")));
    json_array_foreach(e->applied, i, item)
        printf("rule %lld, line %lld: %s\n",
               (long long)json_integer_value(json_object_get(item, "rule")),
               (long long)json_integer_value(json_object_get(item, "line")),
               json_string_value(json_object_get(item, "then")));
    if (json_array_size(e->applied) == 0)
        printf("no rule matches: what else holds decides\n");
}

static int parse_addresses(const struct cli_call *call, struct net_address *client,
                           struct check_source *source)
{
    const char *address = cli_value(call, "client");
    const char *server = cli_value(call, "dns");
    *source = (struct check_source){ .has_server = server != NULL };
    if (!net_host_parse(slice_from_string(address == NULL ? "127.0.0.1" : address), 25,
                        client)) {
        cli_complain("--client: '%s' is no address", address);
        return EX_USAGE;
    }
    if (server != NULL && !net_address_parse(slice_from_string(server), &source->server)) {
        cli_complain("--dns: '%s' is no address with a port, as in 192.0.2.1:53", server);
        return EX_USAGE;
    }
    return 0;
}

static int run_rules(const struct cli_call *call)
{
    struct explaining e = { .asked = json_array(), .applied = json_array() };
    static struct rules_memory memory;
    struct net_address client;
    const struct config *config = NULL;
    int code = parse_addresses(call, &client, &e.source);
    if (code == 0)
        code = place_load(place_config_file(cli_value(call, "config")), NULL, &config);
    if (code == 0) {
        struct rules_facts facts = {
            .config = config, .client = &client,
            .is_submission = cli_has(call, "submission"), .is_tls = cli_has(call, "tls"),
            .account = said(call, "account"), .helo = said(call, "helo"),
            .from = said(call, "from"), .to = said(call, "to"),
        };
        check_source_begin(&e.source, NULL);
        rules_begin(&e.run, &facts, &memory);
        code = explain(&e) ? 0 : EX_OSERR;
        if (code == 0)
            print(&e, cli_has(call, "json"));
    }
    check_source_close(&e.source);
    config_drop(&config);
    json_decref(e.asked);
    json_decref(e.applied);
    return code;
}

const struct cli_tool cli_rules = {
    .name = "rules",
    .summary = "says which rule of the configuration decides",
    .about = "Lists and names are looked up in the DNS as the server would.\n",
    .words = words,
    .options = options,
    .run = run_rules,
};
