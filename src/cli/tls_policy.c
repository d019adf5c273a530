/* tls_policy.c: which TLS a delivery to a domain would ask for, and why. Nothing is sent, and
 * nothing of a running godwit is touched. RFC 7672, RFC 8461. */
#include "cli/tls_policy_private.h"

#include "cli/place.h"
#include "cli/tools.h"
#include "wire/smtp/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { SMTP_PORT = 25, DOMAIN_MAX = 512 };

static const struct cli_option options[] = {
    { "config", "FILE", "the configuration with routes, sites and DNS", false },
    { "dns", "HOST:PORT", "the server to ask; otherwise that of the configuration", false },
    { "json", NULL, "a JSON object", false },
    { NULL },
};

static void route_of(const struct config_deliver *d, struct delivery_route *out)
{
    static const enum delivery_way ways[] = {
        [CONFIG_WAY_MX] = DELIVERY_MX,           [CONFIG_WAY_SMTP] = DELIVERY_SMTP,
        [CONFIG_WAY_LMTP] = DELIVERY_LMTP,       [CONFIG_WAY_MAILDIR] = DELIVERY_MAILDIR,
        [CONFIG_WAY_CAPTURE] = DELIVERY_MAILDIR, [CONFIG_WAY_DISCARD] = DELIVERY_DISCARD,
    };
    static const enum transport_level levels[] = {
        [CONFIG_HOP_CLEAR] = TRANSPORT_CLEAR,
        [CONFIG_HOP_OPPORTUNISTIC] = TRANSPORT_OPPORTUNISTIC,
        [CONFIG_HOP_REQUIRED] = TRANSPORT_REQUIRED,
        [CONFIG_HOP_VERIFIED] = TRANSPORT_VERIFIED,
        [CONFIG_HOP_IMPLICIT] = TRANSPORT_VERIFIED,
    };
    *out = (struct delivery_route){
        .way = ways[d->way], .host = d->host, .port = d->port,
        .security = { .level = levels[d->hop.tls], .name = d->hop.name,
                      .is_implicit = d->hop.tls == CONFIG_HOP_IMPLICIT,
                      .has_own_trust = d->hop.ca_file != 0 },
    };
}

static int explain(const struct config *config, const struct net_address *server,
                   struct found *found)
{
    char *anchor = config->dns.trust_anchor.len > 0
                       ? slice_to_string(config->dns.trust_anchor) : NULL;
    struct finding how = {
        .servers = server != NULL ? server : config->dns.servers,
        .servers_count = server != NULL ? 1 : config->dns.servers_count,
        .trust_anchor = anchor != NULL ? anchor : dns_machine_anchor(),
        .rules = { .own_name = config->hostname,
                   .allow_loopback = config->dns.allow_private,
                   .allow_private = config->dns.allow_private },
        .heeds_dane = config->site.dane, .heeds_mtasts = config->site.mta_sts,
        .smtp_port = SMTP_PORT,
    };
    int code = tls_policy_find(&how, found);
    free(anchor);
    return code;
}

static int tell(const struct found *found, bool as_json)
{
    if (as_json) {
        json_t *all = tls_policy_json(found);
        json_dumpf(all, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(all);
    } else {
        tls_policy_print(found);
    }
    if (found->mx.hosts != NULL)
        return 0;
    return found->mx.outcome.kind == OUTCOME_DEFERRED ? EX_TEMPFAIL : EX_NOHOST;
}

static int run_domain(const struct cli_call *call, const struct config *config,
                      const struct net_address *server)
{
    struct found found = { .has_asked_sts = false };
    struct buffer domain;
    buffer_init(&domain, DOMAIN_MAX);
    if (!smtp_domain_canonical(slice_from_string(call->operands[0]), &domain)) {
        cli_complain("'%s' is not a name of a domain", call->operands[0]);
        buffer_free(&domain);
        return EX_USAGE;
    }
    found.domain = buffer_slice(&domain);
    const struct config_deliver *deliver = config_route(config, found.domain);
    struct net_address address;
    route_of(deliver, &found.route);
    bool is_name = deliver->way == CONFIG_WAY_MX ||
                   (deliver->way == CONFIG_WAY_SMTP && !net_host_parse(deliver->host, 0, &address));
    int code = 0;
    if (is_name) {
        code = explain(config, server, &found);
        code = code == 0 ? tell(&found, cli_has(call, "json")) : code;
    } else {
        found.mx.outcome.text = SLICE("by a route that leaves nothing to be promised");
        tell(&found, cli_has(call, "json"));
    }
    tls_policy_free(&found);
    buffer_free(&domain);
    return code;
}

static int run(const struct cli_call *call)
{
    const char *server = cli_value(call, "dns");
    const struct config *config = NULL;
    struct net_address address;
    if (call->operands_count != 1) {
        cli_complain("tls-policy: takes one domain");
        return EX_USAGE;
    }
    if (server != NULL && !net_address_parse(slice_from_string(server), &address)) {
        cli_complain("--dns: '%s' is no address with a port, as in 192.0.2.1:53", server);
        return EX_USAGE;
    }
    int code = place_load(place_config_file(cli_value(call, "config")), NULL, &config);
    if (code == 0)
        code = run_domain(call, config, server == NULL ? NULL : &address);
    config_drop(&config);
    return code;
}

const struct cli_tool cli_tls_policy = {
    .name = "tls-policy",
    .summary = "says which TLS a delivery to a domain would ask for, and why",
    .about = "DNSSEC, DANE and MTA-STS are asked for as a delivery would that knows nothing\n"
             "of the domain yet. Nothing is sent.\n",
    .operands = "DOMAIN",
    .options = options,
    .run = run,
};
